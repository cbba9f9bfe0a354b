package pgtest_test

import (
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// everything makes one of each thing that the comparison looks at.
const everything = `
CREATE ROLE reader LOGIN PASSWORD 'secret';
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('sad', 'ok');
CREATE TABLE shop.item (id serial PRIMARY KEY, name text NOT NULL, mood shop.mood DEFAULT 'ok', pgtest text, CHECK (name <> ''));
CREATE INDEX ON shop.item (name);
CREATE VIEW shop.names AS SELECT name FROM shop.item;
CREATE TABLE part (k int) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE MATERIALIZED VIEW shop.counted AS SELECT count(*) FROM part;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON shop.item FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE quiet AS ON DELETE TO shop.item DO INSTEAD NOTHING;
CREATE POLICY mine ON shop.item USING (name = current_user);
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
COMMENT ON TABLE shop.item IS 'things';
GRANT SELECT ON shop.item TO reader;
INSERT INTO part VALUES (1);
INSERT INTO shop.item (name) VALUES ('a'), ('b'), ('c')`

func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 2)
	for _, node := range nodes {
		node.Exec(everything)
		node.Exec("SELECT lo_from_bytea(4711, 'abc')")
	}
	// A different order of rows, sequence positions, OIDs and temporary tables are no differences.
	nodes[1].Exec("CREATE TABLE extra (); DROP TABLE extra; SELECT nextval('shop.item_id_seq');" +
		"UPDATE shop.item SET name = 'x' WHERE id = 1; UPDATE shop.item SET name = 'a' WHERE id = 1")
	nodes[1].Exec("CREATE SCHEMA pgchorus; CREATE TABLE pgchorus.own (x int)")
	pgtest.WantEqual(t, nodes...)

	tests := []struct {
		name string
		do   string
		undo string
		want string // a part of what is said
	}{
		{"row", "UPDATE shop.item SET name = 'z' WHERE id = 2", "UPDATE shop.item SET name = 'b' WHERE id = 2", `table shop.item: only the second has "(2,z,ok,)"`},
		{"row twice", "INSERT INTO part VALUES (1)", "TRUNCATE part; INSERT INTO part VALUES (1)", "table public.part1: 1 and 2 rows"},
		{"null and empty", "UPDATE shop.item SET pgtest = '' WHERE id = 3", "UPDATE shop.item SET pgtest = NULL WHERE id = 3", `only the second has "(3,c,ok,\"\")"`},
		{"row without columns", "INSERT INTO nothing DEFAULT VALUES", "TRUNCATE nothing; INSERT INTO nothing DEFAULT VALUES", "table public.nothing: 1 and 2 rows"},
		{"materialised view", "REFRESH MATERIALIZED VIEW shop.counted", "TRUNCATE part; REFRESH MATERIALIZED VIEW shop.counted; INSERT INTO part VALUES (1)", "table shop.counted: 1 and 1 rows"},
		{"table", "CREATE TABLE more (x int)", "DROP TABLE more", "relation public.more"},
		{"column", "ALTER TABLE shop.item ALTER pgtest TYPE varchar(9)", "ALTER TABLE shop.item ALTER pgtest TYPE text", "character varying(9)"},
		{"index", "CREATE INDEX twin ON shop.item (id)", "DROP INDEX shop.twin", "index shop.twin"},
		{"sequence", "CREATE SEQUENCE s", "DROP SEQUENCE s", "sequence public.s"},
		{"function", "CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 3 * $1'", "CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1'", "function twice(integer)"},
		{"trigger switched off", "ALTER TABLE shop.item DISABLE TRIGGER touched", "ALTER TABLE shop.item ENABLE TRIGGER touched", "trigger touched"},
		{"privilege", "REVOKE SELECT ON shop.item FROM reader", "GRANT SELECT ON shop.item TO reader", "relation shop.item"},
		{"role", "CREATE ROLE writer", "DROP ROLE writer", "role writer"},
		{"large object", "SELECT lo_put(4711, 0, 'x')", "SELECT lo_put(4711, 0, 'a')", "large object 4711"},
		{"prepared transaction", "BEGIN; INSERT INTO part VALUES (1); PREPARE TRANSACTION 'half'", "ROLLBACK PREPARED 'half'", "prepared transaction half"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := nodes[0].In(t), nodes[1].In(t)
			b.Exec(tt.do)
			got, err := pgtest.Differences(t.Context(), a, b)
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(got, "\n"); !strings.Contains(text, tt.want) {
				t.Errorf("after %s: said %q, want %q in it", tt.do, text, tt.want)
			}
			b.Exec(tt.undo)
		})
	}
}

func TestDifferencesInAnotherDatabaseAreFound(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 2)
	for _, node := range nodes {
		node.Exec("CREATE DATABASE second")
	}
	pgtest.WantEqual(t, nodes...)

	conn := nodes[1].ConnectTo("second")
	if _, err := conn.Exec(t.Context(), "CREATE TABLE t (x int)"); err != nil {
		t.Fatal(err)
	}
	got, err := pgtest.Differences(t.Context(), nodes[0], nodes[1])
	if err != nil || len(got) == 0 || !strings.HasPrefix(got[0], "database second: ") {
		t.Errorf("Differences = %q, %v, want one in database second", got, err)
	}
}
