package scenario

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

const stampOnUpdate = `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := clock_timestamp(); RETURN NEW; END';
	CREATE TRIGGER stamp BEFORE UPDATE ON told FOR EACH ROW EXECUTE FUNCTION stamp();`

const noteDeleted = `CREATE TABLE log (id serial PRIMARY KEY, what int, at timestamptz);
	CREATE FUNCTION note_deleted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log (what, at) VALUES (OLD.id, clock_timestamp()); RETURN NULL; END';
	CREATE TRIGGER note_deleted AFTER DELETE ON told FOR EACH ROW EXECUTE FUNCTION note_deleted();`

func referring(action string) string {
	return "ALTER TABLE told ADD FOREIGN KEY (named) REFERENCES named " + action + ";"
}

// noted has a trigger run code for each row of named that is updated or deleted.
func noted(body string) string {
	return "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN " + body + " RETURN NULL; END';" +
		"CREATE TRIGGER note AFTER UPDATE OR DELETE ON named FOR EACH ROW EXECUTE FUNCTION note();"
}

// TestRowsThatMainHasNoMore: what code or a foreign key deletes, or gives another key, is no more than what it leaves to be
// found on main; and each node would put its own time into the rest.
func TestRowsThatMainHasNoMore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, schema, write string }{
		{"another key of the row itself", noted("INSERT INTO told VALUES (NEW.id + 100, NULL, clock_timestamp());"), "UPDATE named SET id = id + 10 WHERE id < 3"},
		{"another key of another row", noted("UPDATE told SET id = id + 10, at = clock_timestamp() WHERE id = NEW.id;"), "UPDATE named SET n = n + 1 WHERE id < 3"},
		{"another key, and a row in its place", noted("UPDATE told SET id = (SELECT max(id) FROM told) + 1, at = clock_timestamp() WHERE id = NEW.id; INSERT INTO told VALUES (NEW.id, NULL, clock_timestamp());"),
			"UPDATE named SET n = n + 1 WHERE id < 3"},
		{"a row that is deleted", noted("DELETE FROM told WHERE id = OLD.id; UPDATE told SET at = clock_timestamp() WHERE id = OLD.id + 1;"), "UPDATE named SET n = n + 1 WHERE id IN (1, 3)"},
		{"a row that is deleted and made again", noted("DELETE FROM told WHERE id = OLD.id; INSERT INTO told VALUES (OLD.id, NULL, clock_timestamp());"), "DELETE FROM named WHERE id < 3"},
		{"a row that is changed for each", noted("UPDATE told SET named = coalesce(named, 0) + 1, at = clock_timestamp() WHERE id = 1;"), "UPDATE named SET n = n + 1"},
		{"rows that are moved", noted("INSERT INTO told VALUES (OLD.id + 100, 1, clock_timestamp());"), "WITH gone AS (DELETE FROM named WHERE id < 3 RETURNING id) INSERT INTO told SELECT id + 50, 2 FROM gone"},
		{"partitions", `CREATE TABLE parts (id int PRIMARY KEY, at timestamptz) PARTITION BY RANGE (id);
			CREATE TABLE low PARTITION OF parts FOR VALUES FROM (0) TO (10); CREATE TABLE high PARTITION OF parts DEFAULT; INSERT INTO parts SELECT i FROM generate_series(1, 5) AS i;` +
			noted("UPDATE parts SET id = id + 100, at = clock_timestamp() WHERE id = NEW.id;"), "UPDATE named SET n = n + 1 WHERE id < 3"},
		{"ON DELETE SET NULL", referring("ON DELETE SET NULL") + stampOnUpdate, "DELETE FROM named WHERE id < 3"},
		{"ON DELETE SET DEFAULT", referring("ON DELETE SET DEFAULT") + stampOnUpdate, "DELETE FROM named WHERE id < 3"},
		{"ON DELETE CASCADE", referring("ON DELETE CASCADE") + noteDeleted, "DELETE FROM named WHERE id < 3"},
		{"below a view", "CREATE VIEW seen AS SELECT * FROM named WHERE id < 10;" + referring("ON DELETE SET NULL") + stampOnUpdate, "DELETE FROM seen WHERE id < 3"},
		{"ON UPDATE CASCADE", referring("ON UPDATE CASCADE") + stampOnUpdate, "UPDATE named SET id = id + 10 WHERE id < 3"},
		{"ON UPDATE SET NULL", referring("ON UPDATE SET NULL") + stampOnUpdate, "UPDATE named SET id = id + 10 WHERE id < 3"},
		{"ON UPDATE CASCADE of a key", "ALTER TABLE told ADD FOREIGN KEY (id) REFERENCES named ON UPDATE CASCADE;" + stampOnUpdate, "UPDATE named SET id = id + 10 WHERE id < 3"},
		{"ON DELETE CASCADE of that", `CREATE TABLE middle (id int PRIMARY KEY REFERENCES named ON DELETE CASCADE); INSERT INTO middle SELECT id FROM named;
			ALTER TABLE told ADD FOREIGN KEY (named) REFERENCES middle ON DELETE SET NULL;` + stampOnUpdate, "DELETE FROM named WHERE id < 3"},
		{"ON DELETE CASCADE behind code", `CREATE TABLE first (id int PRIMARY KEY); INSERT INTO first VALUES (1), (2);
			CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM named WHERE id = OLD.id; RETURN NULL; END';
			CREATE TRIGGER pass AFTER DELETE ON first FOR EACH ROW EXECUTE FUNCTION pass();` + referring("ON DELETE SET NULL") + stampOnUpdate, "DELETE FROM first"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, `CREATE TABLE named (id int PRIMARY KEY, n int); INSERT INTO named SELECT i, i FROM generate_series(1, 5) AS i;
				CREATE TABLE told (id int PRIMARY KEY, named int, at timestamptz); INSERT INTO told SELECT i, i FROM generate_series(1, 5) AS i`)
			s.exec(conn, tt.schema)
			for _, write := range []string{tt.write, "BEGIN; " + strings.ReplaceAll(tt.write, "< 3", "> 3") + "; SAVEPOINT s; " + tt.write + "; COMMIT", "BEGIN; SAVEPOINT s; " + tt.write + "; ROLLBACK TO s; COMMIT"} {
				s.exec(conn, write)
				s.wantEqual()
			}
			if log := s.proxy.Log(); strings.Contains(log, "nodes may compute") {
				t.Error(fmt.Sprint("the operator is told that nodes may differ:\n", log))
			}
		})
	}
}

// TestQuestionBehindAStatementFails: main cannot tell what the statement's code has written, since it finds there that the
// transaction cannot be serialized with others. That is the statement's error.
func TestQuestionBehindAStatementFails(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn, reader, writer := s.connect(), s.connect(), s.connect()
			s.exec(conn, "CREATE TABLE named (id int PRIMARY KEY, n int); INSERT INTO named VALUES (1, 1); CREATE TABLE told (id int, named int, at timestamptz)")
			s.exec(conn, noted("INSERT INTO told VALUES (NEW.id, 1, clock_timestamp());"))
			s.exec(conn, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1")
			s.exec(writer, "BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO told VALUES (7); COMMIT")
			s.exec(reader, "BEGIN ISOLATION LEVEL SERIALIZABLE")
			s.want(reader, "SELECT n FROM named", "1")
			_, err := conn.Exec(bounded(t), "UPDATE named SET n = 2 WHERE id = 1", mode)
			if codeOf(err) != "40001" || !strings.Contains(err.Error(), "could not serialize") {
				t.Errorf("%v, want SQLSTATE 40001", err)
			}
			s.exec(conn, "ROLLBACK")
			s.exec(reader, "COMMIT")
			s.exec(conn, "UPDATE named SET n = 3 WHERE id = 1")
			s.want(conn, "SELECT n FROM named", "3")
			s.wantEqual()
		})
	}
}
