package random

import "fmt"

// changing is what the kind "code that changes" needs: a table, its like under another name and in
// another schema, and the code behind them. It can be run again, and puts all back as it was.
func (s *schema) changing() string {
	const columns = " (k int PRIMARY KEY, n int DEFAULT 0, day moment, at timestamptz"
	return `SET client_min_messages = error;
DROP TABLE IF EXISTS told, told2, told3, aside.told CASCADE; DROP DOMAIN IF EXISTS moment CASCADE;
CREATE SCHEMA IF NOT EXISTS aside; CREATE DOMAIN moment timestamptz;
` + s.toldAt(s.clock()) + ";" + s.toldStamp(s.clock()) + `;
CREATE TABLE told` + columns + " DEFAULT " + s.clock() + `);
CREATE TABLE told2` + columns + `);
CREATE TABLE aside.told` + columns + ` DEFAULT told_at());
CREATE VIEW telling AS SELECT k, n, at FROM told;
RESET client_min_messages;`
}

// toldAt is a function that returns a time.
func (s *schema) toldAt(value string) string {
	return "CREATE OR REPLACE FUNCTION told_at() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RETURN " + value + "; END $$"
}

// toldStamp is the function of a trigger that puts a time into the row.
func (s *schema) toldStamp(value string) string {
	return "CREATE OR REPLACE FUNCTION told_stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.day := " + value + "; RETURN NEW; END $$"
}

// useCode writes what the code has a part in.
func (m *maker) useCode() string {
	k := m.n(3 * keys)
	return m.of(
		fmt.Sprintf("INSERT INTO told (k) VALUES (%d)", k),
		fmt.Sprintf("INSERT INTO told (k, n) VALUES (%d, 1) ON CONFLICT (k) DO UPDATE SET n = told.n + 1", k),
		"INSERT INTO told (k) SELECT k + 100 FROM t0 WHERE grp = 1 ON CONFLICT DO NOTHING",
		fmt.Sprintf("UPDATE told SET n = n + 1 WHERE k = %d", k),
		fmt.Sprintf("UPDATE told SET n = 2 WHERE k BETWEEN %d AND %d", k, k+9),
		fmt.Sprintf("DELETE FROM told WHERE k = %d", k),
		fmt.Sprintf("INSERT INTO telling (k) VALUES (%d)", k),
		fmt.Sprintf("INSERT INTO audit VALUES ('told', %d, 1, told_at())", k),
		"INSERT INTO audit SELECT 'view', k, n, at FROM telling WHERE k < 10",
	)
}

// changeCode changes what the code is.
func (m *maker) changeCode() string {
	value := m.of("NULL", m.schema.clock())
	return m.of(
		"ALTER TABLE told ALTER at DROP DEFAULT",
		"ALTER TABLE told ALTER at SET DEFAULT "+m.of(value, "told_at()"),
		"ALTER DOMAIN moment DROP DEFAULT",
		"ALTER DOMAIN moment SET DEFAULT "+value,
		m.schema.toldAt(value),
		m.schema.toldStamp(value),
		"CREATE OR REPLACE TRIGGER told_stamp BEFORE "+m.of("INSERT", "UPDATE", "INSERT OR UPDATE")+" ON told FOR EACH ROW EXECUTE FUNCTION told_stamp()",
		"DROP TRIGGER IF EXISTS told_stamp ON told",
		"ALTER TABLE told "+m.of("DISABLE", "ENABLE")+" TRIGGER USER",
		"CREATE OR REPLACE RULE also AS ON "+m.of("INSERT", "UPDATE", "DELETE")+" TO told DO ALSO INSERT INTO audit VALUES ('rule', 1, 1, "+value+")",
		"DROP RULE IF EXISTS also ON told",
		"CREATE OR REPLACE VIEW telling AS SELECT k, n, "+m.of("at", "told_at() AS at")+" FROM told",
		"ALTER TABLE told RENAME TO told3; ALTER TABLE told2 RENAME TO told; ALTER TABLE told3 RENAME TO told2",
		"SET LOCAL search_path = aside, public",
	)
}
