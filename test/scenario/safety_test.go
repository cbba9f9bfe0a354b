package scenario

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// bothProtocols runs a test by simple and by extended query.
func bothProtocols(t *testing.T, run func(t *testing.T, mode pgx.QueryExecMode)) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(mode.String(), func(t *testing.T) { run(t, mode) })
	}
}

// runBy runs sql by one protocol.
func runBy(t testing.TB, conn *pgx.Conn, mode pgx.QueryExecMode, sql string) error {
	_, err := conn.Exec(bounded(t), sql, mode)
	return err
}

// onNodes runs sql on each node itself.
func (s *stage) onNodes(sql string) {
	s.t.Helper()
	for _, node := range s.nodes {
		if _, err := node.ConnectTo(database).PgConn().Exec(bounded(s.t), sql).ReadAll(); err != nil {
			s.t.Fatalf("node %d: %v", node.ID, err)
		}
	}
}

const safetySchema = `
CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw; CREATE EXTENSION file_fdw;
CREATE TABLE item (id int PRIMARY KEY, text text);
CREATE TABLE plain (id int PRIMARY KEY, x text);
CREATE FUNCTION secret() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION around() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN secret(); END';
CREATE VIEW shows AS SELECT secret() AS s;
CREATE TABLE by_default (id int PRIMARY KEY, s int DEFAULT secret());
CREATE TABLE by_trigger (id int PRIMARY KEY);
CREATE FUNCTION triggered() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM secret(); RETURN NEW; END';
CREATE TRIGGER triggered BEFORE INSERT ON by_trigger FOR EACH ROW EXECUTE FUNCTION triggered();
CREATE TABLE by_policy (id int PRIMARY KEY);
ALTER TABLE by_policy ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON by_policy USING (secret() = 1);
CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'app');
CREATE FOREIGN TABLE far (id int) SERVER here;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
`

// TestRefusedStatements runs what is never allowed, or not by default, and looks at the
// error that the frontend is shown.
func TestRefusedStatements(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("function_deny_list = 'secret,app[.]hidden'"))
	s.onNodes(safetySchema) // the proxy would refuse the default and the view
	tests := []struct {
		sql      string
		message  string
		position int32
	}{
		{"SELECT secret()", "calls secret(), which function_deny_list forbids", 8},
		{"SELECT 'é', public.secret()", "calls public.secret(), which function_deny_list forbids", 20},
		{"INSERT INTO plain VALUES (secret())", "calls secret(), which function_deny_list forbids", 27},
		{"SELECT around()", "around() calls secret(), which function_deny_list forbids", 8},
		{"SELECT * FROM shows", "shows calls secret(), which function_deny_list forbids", 15},
		{"INSERT INTO by_default (id) VALUES (1)", "by_default calls secret(), which function_deny_list forbids", 13},
		{"INSERT INTO by_trigger VALUES (1)", "by_trigger calls secret(), which function_deny_list forbids", 13},
		{"SELECT * FROM by_policy", "by_policy calls secret(), which function_deny_list forbids", 15},
		{"DO 'BEGIN PERFORM secret(); END'", "do calls secret(), which function_deny_list forbids", 1},
		{"ALTER SYSTEM SET work_mem = '5MB'", "ALTER SYSTEM changes the configuration of a node", 7},
		{"SELECT pg_reload_conf()", "calls pg_reload_conf(), and function_policy denies class admin", 8},
		{"CREATE SUBSCRIPTION s CONNECTION 'dbname=app' PUBLICATION p", "a subscription brings changes to each node past the others", 8},
		{"COPY plain FROM '/etc/hostname'", "COPY from a file or program of the server, and function_policy denies class filesystem", 1},
		{"COPY plain TO PROGRAM 'cat'", "COPY to a file or program of the server, and function_policy denies class filesystem", 1},
		{"SELECT lo_import('/etc/hostname')", "calls lo_import(), and function_policy denies class filesystem", 8},
		{"INSERT INTO plain VALUES (1, pg_read_file('/etc/hostname'))", "stores what pg_read_file() reads in files of the node", 30},
		{"SELECT dblink_exec('dbname=app', 'DELETE FROM plain')", "dblink_exec() calls dblink_exec(), and function_policy denies class dblink", 8},
		{"INSERT INTO far VALUES (1)", "writes to a foreign table, and function_policy denies class dblink", 13},
		{"SELECT pg_create_logical_replication_slot('s', 'pgoutput')", "calls pg_create_logical_replication_slot(), and function_policy denies class replication", 8},
	}
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		conn := s.in(t).connect()
		for _, tt := range tests {
			err := runBy(t, conn, mode, tt.sql)
			var shown *pgconn.PgError
			if !errors.As(err, &shown) || shown.Code != "0A000" || !strings.Contains(shown.Message, tt.message) || shown.Position != tt.position || shown.Hint == "" {
				t.Errorf("%s: %+v\nwant %s at %d", tt.sql, err, tt.message, tt.position)
			}
		}
	})
	s.wantEqual()
}

// TestRefusalAbortsTheBlock: it is an error as any other.
func TestRefusalAbortsTheBlock(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("function_deny_list = 'pg_sleep'"))
	conn := s.connect()
	s.exec(conn, "CREATE TABLE kept (id int)")
	s.exec(conn, "BEGIN; INSERT INTO kept VALUES (1)")
	s.wantCode(conn, "SELECT pg_sleep(0)", "0A000")
	s.wantCode(conn, "SELECT 1", "25P02")
	s.exec(conn, "ROLLBACK")
	s.wantCode(conn, "INSERT INTO kept VALUES (2); SELECT pg_sleep(0)", "0A000")
	s.wantCode(conn, "SELECT 1; SELECT pg_sleep(0)", "0A000")
	s.want(conn, "SELECT count(*) FROM kept", "0")
	s.wantEqual()
}

// TestDenyListHoldsInEveryMode: where PostgreSQL replicates, nothing but the deny list
// applies.
func TestDenyListHoldsInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.ClusteringMode{config.StreamingReplication, config.Raw, config.SnapshotIsolation} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStageIn(t, mode, "function_deny_list = 'pg_sleep'")
			conn := s.connect()
			s.wantCode(conn, "SELECT pg_sleep(0)", "0A000")
			s.exec(conn, "SELECT 1")
			if mode != config.SnapshotIsolation {
				s.exec(conn, "SELECT pg_reload_conf()")
			} else {
				s.wantCode(conn, "SELECT pg_reload_conf()", "0A000")
			}
		})
	}
}
