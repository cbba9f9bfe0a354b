package scenario

import (
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// impliedSchema has functions whose calls no statement names: each writes what the node alone knows, or returns it.
const impliedSchema = `
CREATE TABLE log (what text, at timestamptz, r float8);
CREATE FUNCTION wrote(text) RETURNS int LANGUAGE sql AS 'INSERT INTO log (what, at, r) VALUES ($1, clock_timestamp(), random()) RETURNING 1';
CREATE TABLE t (id int PRIMARY KEY, f float8); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
CREATE TYPE odd AS (a int); CREATE TYPE even AS (a int); CREATE TYPE third AS (a int);
CREATE TABLE odds (id int PRIMARY KEY, o odd, e even);
CREATE FUNCTION op_writes(int, int) RETURNS int LANGUAGE sql AS 'SELECT wrote(''operator'')';
CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = op_writes);
CREATE FUNCTION op_chance(int, int) RETURNS float8 LANGUAGE sql AS 'SELECT random() * $1 * $2';
CREATE OPERATOR %%% (LEFTARG = int, RIGHTARG = int, FUNCTION = op_chance);
CREATE FUNCTION op_pure(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1 + $2; END';
CREATE OPERATOR @+@ (LEFTARG = int, RIGHTARG = int, FUNCTION = op_pure);
CREATE FUNCTION to_odd(int) RETURNS odd LANGUAGE plpgsql AS 'BEGIN PERFORM wrote(''cast''); RETURN ROW($1)::odd; END';
CREATE CAST (int AS odd) WITH FUNCTION to_odd(int);
CREATE FUNCTION to_even(int) RETURNS even LANGUAGE plpgsql AS 'BEGIN RETURN ROW(random() * 1000000)::even; END';
CREATE CAST (int AS even) WITH FUNCTION to_even(int) AS ASSIGNMENT;
CREATE FUNCTION by_operator(int) RETURNS int LANGUAGE sql AS 'SELECT $1 ### 2';
CREATE FUNCTION deep2() RETURNS int STABLE LANGUAGE sql AS 'SELECT wrote(''deep'')'; CREATE FUNCTION deep1() RETURNS int STABLE LANGUAGE sql AS 'SELECT deep2()';
CREATE VIEW deep AS SELECT id, deep1() AS w FROM t; CREATE VIEW deeper AS SELECT id, w FROM deep; CREATE VIEW writes AS SELECT wrote('view') AS w;
CREATE VIEW operates AS SELECT id ### 1 AS w FROM t;
`

// TestCodeThatNoTextNames: the functions behind operators, casts and views are looked at like those that a statement
// names, on one node they do not run, and what they make is main's.
func TestCodeThatNoTextNames(t *testing.T) {
	for _, lines := range [][]string{{"pool_mode = session"}, {"pool_mode = transaction"}, {"backend_clustering_mode = snapshot_isolation"}, {"memory_cache_enabled = on"}} {
		t.Run(lines[0], func(t *testing.T) {
			t.Parallel()
			playUnnamedCode(t, newStage(t, proxy.WithConfig(lines...)))
		})
	}
}

func playUnnamedCode(t *testing.T, s *stage) {
	s.onNodes(impliedSchema)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		for _, sql := range []string{
			"SELECT 1 ### 2", "SELECT id FROM t WHERE id = 1 AND id ### 1 = 1", "SELECT 7::odd", "SELECT CAST(id AS odd) FROM t WHERE id = 1",
			"SELECT by_operator(1)", "TABLE writes", "SELECT w FROM deeper WHERE id = 2", "TABLE operates", "EXPLAIN ANALYZE SELECT 1 ### 2",
			"INSERT INTO t SELECT 10 + id, w FROM deep", "INSERT INTO t VALUES (30, 3 %%% 4), (31, 5)", "UPDATE t SET f = 1 %%% 2 WHERE id = 1",
			"INSERT INTO odds (id, e) VALUES (1, 5)", "INSERT INTO odds (id, o) VALUES (2, 6::odd)", "UPDATE odds SET e = 7 WHERE id = 2",
			"DO 'DECLARE x float8; BEGIN x := 1 %%% 2; INSERT INTO t VALUES (40, x); END'",
			"BEGIN", "SELECT 1 ### 2", "UPDATE t SET f = 2 %%% 3 WHERE id = 2", "CREATE FUNCTION own(int, int) RETURNS int LANGUAGE sql AS 'SELECT wrote(''own'')'",
			"CREATE OPERATOR ||> (LEFTARG = int, RIGHTARG = int, FUNCTION = own)", "SELECT 1 ||> 2", "SELECT 2 ||> 2", "CREATE VIEW owns AS SELECT deep1() AS w", "TABLE owns",
			"COMMIT", "DELETE FROM t WHERE id >= 10", "TRUNCATE odds", "DROP VIEW owns", "DROP OPERATOR ||> (int, int)", "DROP FUNCTION own",
		} {
			if err := runBy(t, conn, mode, sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		if _, err := conn.PgConn().CopyTo(bounded(t), io.Discard, "COPY (SELECT 1 ### 2) TO STDOUT"); err != nil {
			t.Fatal(err)
		}
		s.wantEqual()
		for _, what := range []string{"operator", "cast", "view", "deep", "own"} {
			s.want(conn, "SELECT count(*) > 0 FROM log WHERE what = '"+what+"'", "t")
		}
	})
	conn := s.connect()
	for _, sql := range []string{"SELECT 1 @+@ 2", "SELECT 1 %%% 2", "SELECT 1 + 2"} {
		if rows, err := rowsOf(conn, "PGPOOL SHOW ROUTE FOR "+sql); err != nil || strings.Contains(strings.Join(rows, "\n"), "|write") {
			t.Errorf("%s is no read: %q, %v", sql, rows, err)
		}
	}
	if rows, err := rowsOf(conn, "PGPOOL SHOW ROUTE FOR SELECT 1 ### 2"); err != nil || !strings.Contains(strings.Join(rows, "\n"), "op_writes") {
		t.Errorf("the function is not told: %q, %v", rows, err)
	}
}

// TestCodeBehindAnyText: casts AS IMPLICIT and comparisons stand in no text at all.
func TestCodeBehindAnyText(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(impliedSchema + `
CREATE FUNCTION to_third(int) RETURNS third LANGUAGE plpgsql AS 'BEGIN PERFORM wrote(''implicit''); RETURN ROW($1)::third; END';
CREATE CAST (int AS third) WITH FUNCTION to_third(int) AS IMPLICIT;
CREATE FUNCTION of_third(third) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT ($1).a';
CREATE FUNCTION same(odd, odd) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM wrote(''equal''); RETURN ($1).a = ($2).a; END';
CREATE OPERATOR = (LEFTARG = odd, RIGHTARG = odd, FUNCTION = same)`)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		for _, sql := range []string{"SELECT of_third(4)", "SELECT NULLIF(ROW(1)::odd, ROW(2)::odd)", "SELECT CASE ROW(1)::odd WHEN ROW(1)::odd THEN 1 END"} {
			if err := runBy(t, conn, mode, sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		s.wantEqual()
		s.want(conn, "SELECT count(DISTINCT what) FROM log", "2")
	})
}

// TestStrictRefusesCodeThatNoTextNames, and an operator that is made past pgchorus is noticed with DDL that is not.
func TestStrictRefusesCodeThatNoTextNames(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("replication_safety = strict"))
	s.onNodes(impliedSchema)
	conn := s.connect()
	for _, sql := range []string{"SELECT 1 ### 2", "TABLE writes", "SELECT 7::odd"} {
		if _, err := rowsOf(conn, sql); codeOf(err) != "0A000" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	s.onNodes("CREATE FUNCTION late(int, int) RETURNS int LANGUAGE sql AS 'SELECT wrote(''late'')'; CREATE OPERATOR ||> (LEFTARG = int, RIGHTARG = int, FUNCTION = late)")
	s.exec(conn, "CREATE FUNCTION unrelated() RETURNS int LANGUAGE sql AS 'SELECT 1'")
	if _, err := rowsOf(conn, "SELECT 1 ||> 2"); codeOf(err) != "0A000" {
		t.Errorf("an operator that was made past pgchorus: %v", err)
	}
	s.wantEqual()
}
