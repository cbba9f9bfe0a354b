package catalog

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// TestRedefined: what changes the catalogue is seen within its transaction, whoever does it.
func TestRedefined(t *testing.T) {
	node := pgtest.Start(t, 1)[0]
	node.Exec(`CREATE TABLE t (i int PRIMARY KEY, s text); CREATE TABLE log (i int); CREATE TYPE mood AS ENUM ('good'); CREATE SCHEMA room;
		CREATE FUNCTION run(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; EXCEPTION WHEN division_by_zero THEN NULL; END';
		CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		CREATE TRIGGER f BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE SEQUENCE s`)
	tests := []struct {
		sql  string
		want string
	}{
		{"INSERT INTO log VALUES (1); UPDATE log SET i = 2; DELETE FROM log; TRUNCATE log", "t"}, // a new file of the table
		{"INSERT INTO log VALUES (1); UPDATE log SET i = 2; DELETE FROM log", "f"},
		{"SELECT count(*) FROM pg_class; SELECT nextval('s'); SET LOCAL work_mem = '1MB'; SELECT lo_create(0)", "f"},
		{"ALTER TABLE t ALTER s SET DEFAULT now()", "t"},
		{"ALTER TABLE t DISABLE TRIGGER f", "t"},
		{"ALTER TABLE t ADD CHECK (i > 0)", "t"},
		{"ALTER TABLE t ENABLE ROW LEVEL SECURITY", "t"},
		{"CREATE POLICY p ON t", "t"},
		{"CREATE RULE r AS ON DELETE TO t DO ALSO NOTIFY x", "t"},
		{"CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'", "t"},
		{"ALTER FUNCTION f() IMMUTABLE", "t"},
		{"ALTER TYPE mood ADD VALUE 'bad'", "t"},
		{"ALTER SCHEMA room RENAME TO hall", "t"},
		{"ALTER SEQUENCE s INCREMENT 2", "t"},
		{"GRANT SELECT ON t TO public", "t"},
		{"CREATE INDEX ON t (s)", "t"},
		{"ALTER ROLE CURRENT_USER SET search_path = room", "t"},
		{"DROP TABLE log", "t"},
	}
	for _, tt := range tests {
		for _, sql := range []string{tt.sql, "SELECT run('" + strings.ReplaceAll(tt.sql, "'", "''") + "')", "SAVEPOINT a; " + tt.sql + "; RELEASE a"} {
			conn := node.Connect() // what it has counted before is nobody's
			if got := askRedefined(t, conn, sql); got != tt.want {
				t.Errorf("%s: %q, want %q", sql, got, tt.want)
			}
			if err := conn.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
	conn := node.Connect()
	if got := askRedefined(t, conn, "SET LOCAL track_counts = off; ALTER TABLE t ALTER s SET DEFAULT now()"); got != "t" {
		t.Errorf("without track_counts: %q", got)
	}
}

// askRedefined is what the node says behind a statement, in its transaction, which is rolled back.
func askRedefined(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	ctx := context.Background()
	run := func(sql string) string {
		results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if rows := results[len(results)-1].Rows; len(rows) == 1 {
			return string(rows[0][0])
		}
		return ""
	}
	run("BEGIN; " + sql)
	defer run("ROLLBACK")
	return run("SAVEPOINT question; " + RedefinedSQL())
}
