package scenario

import (
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/test/proxy"
)

const sideEffectSchema = `
CREATE TABLE item (id int PRIMARY KEY, v int, at timestamptz);
CREATE TABLE log (what text, at timestamptz);
CREATE TABLE counted (id int PRIMARY KEY); CREATE TABLE total (n int); INSERT INTO total VALUES (0);
CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz);
CREATE TABLE audited (id int PRIMARY KEY);
CREATE TABLE checked (id int PRIMARY KEY, due timestamptz CHECK (due > now()));
CREATE TABLE ruled (id int PRIMARY KEY);
CREATE RULE r AS ON INSERT TO ruled DO ALSO INSERT INTO log VALUES ('rule', clock_timestamp());
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := clock_timestamp(); RETURN NEW; END';
CREATE TRIGGER stamp BEFORE INSERT ON stamped FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (''audit'', clock_timestamp()); RETURN NULL; END';
CREATE TRIGGER audit AFTER INSERT ON audited FOR EACH ROW EXECUTE FUNCTION audit();
CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE total SET n = n + 1; RETURN NULL; END';
CREATE TRIGGER counts AFTER INSERT ON counted FOR EACH ROW EXECUTE FUNCTION counts();
CREATE FUNCTION lucky() RETURNS void LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (random()::text); END';
CREATE FUNCTION careful() RETURNS void LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (''x''); EXCEPTION WHEN OTHERS THEN NULL; END';
CREATE FUNCTION sober(int) RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE total SET n = n + $1; END';
CREATE PROCEDURE dynamic() LANGUAGE plpgsql AS 'BEGIN EXECUTE ''UPDATE total SET n = 1''; END';
CREATE FUNCTION liar() RETURNS timestamptz LANGUAGE sql IMMUTABLE AS 'SELECT clock_timestamp()';
`

// sideEffects are statements that set off code, with what is said of them.
var sideEffects = []struct{ sql, reason string }{
	{"INSERT INTO audited VALUES (1)", "trigger audit of audited calls clock_timestamp()"},
	{"INSERT INTO checked VALUES (1, '2099-01-01')", "constraint checked_due_check of checked calls now()"},
	{"INSERT INTO ruled VALUES (1)", "rule r of ruled calls clock_timestamp()"},
	{"SELECT lucky()", "function lucky() calls random()"},
	{"SELECT careful()", "function careful() catches errors (EXCEPTION)"},
	{"CALL dynamic()", "function dynamic() runs SQL that it puts together (EXECUTE)"},
	{"DO 'BEGIN INSERT INTO log VALUES (random()::text); END'", "DO calls random()"},
}

// harmless are statements that set off code of which nothing can differ.
var harmless = []string{
	"INSERT INTO counted VALUES (1)", "SELECT sober(2)", "DO 'BEGIN UPDATE total SET n = n + 1; END'", "INSERT INTO item VALUES (1, 2, now())",
}

// TestSideEffectsAreRefusedWhenStrict, in both protocols, and nothing else is.
func TestSideEffectsAreRefusedWhenStrict(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("replication_safety = strict"))
	s.onNodes(sideEffectSchema)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		for _, tt := range sideEffects {
			err := runBy(t, conn, mode, tt.sql)
			if codeOf(err) != "0A000" || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("%s: %v, want %s", tt.sql, err, tt.reason)
			}
		}
		for _, sql := range harmless {
			if err := runBy(t, conn, mode, sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		s.exec(conn, "TRUNCATE counted, item")
		s.wantEqual()
	})
}

// TestSideEffectsAreToldOnce: by default they run, and the log says what may differ.
func TestSideEffectsAreToldOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(sideEffectSchema)
	conn := s.connect()
	for _, tt := range sideEffects {
		s.exec(conn, tt.sql)
		s.proxy.WaitLog(tt.reason)
		if rows, err := rowsOf(conn, "PGPOOL SHOW ROUTE FOR "+tt.sql); err != nil || !strings.Contains(strings.Join(rows, "\n"), tt.reason) {
			t.Errorf("%s is shown as %q, %v", tt.sql, rows, err)
		}
	}
	s.exec(conn, "SELECT lucky(); SELECT lucky()")
	s.exec(s.connect(), "SELECT lucky()")
	if n := strings.Count(s.proxy.Log(), "function lucky() calls random()"); n != 1 {
		t.Errorf("told %d times", n)
	}
	for _, sql := range harmless {
		s.exec(conn, sql)
	}
	if log := s.proxy.Log(); strings.Contains(log, "counted") || strings.Contains(log, "sober") {
		t.Errorf("told of what cannot differ:\n%s", log)
	}
	s.exec(conn, "CREATE OR REPLACE FUNCTION sober(int) RETURNS void LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (now()::text); END'")
	s.exec(conn, "SELECT sober(2)")
	s.proxy.WaitLog("function sober() calls now()")
}

// TestStableFunctionThatWrites: PostgreSQL lets it call one that is VOLATILE. What it does counts, not its label.
func TestStableFunctionThatWrites(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(`CREATE TABLE a (id serial PRIMARY KEY, v text); CREATE FUNCTION w() RETURNS int LANGUAGE sql AS 'INSERT INTO a (v) VALUES (1) RETURNING id';
CREATE FUNCTION s() RETURNS int STABLE LANGUAGE sql AS 'SELECT w()'; CREATE FUNCTION p() RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM s(); RETURN 1; END';
CREATE VIEW shown AS SELECT s() AS id; CREATE VIEW below AS SELECT * FROM shown`)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		for _, sql := range []string{"SELECT s()", "SELECT p() WHERE now() IS NOT NULL", "EXPLAIN ANALYZE SELECT s()", "SELECT count(*) FROM a WHERE s() > 0", "SELECT * FROM shown", "TABLE below", "BEGIN", "SELECT s()", "COMMIT"} {
			for range 3 {
				if err := runBy(t, conn, mode, sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
		}
		if _, err := conn.PgConn().CopyTo(bounded(t), io.Discard, "COPY (SELECT s()) TO STDOUT"); err != nil {
			t.Fatal(err)
		}
		s.wantEqual()
		s.want(conn, "SELECT count(*) > 10 FROM a", "t")
	})
}
