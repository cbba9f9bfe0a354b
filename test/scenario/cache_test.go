package scenario

import (
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// cacheStage is a stage with the query cache on.
func cacheStage(t *testing.T, lines ...string) *stage {
	t.Helper()
	return newStage(t, proxy.WithConfig(append([]string{"memory_cache_enabled = on"}, lines...)...))
}

// hits is how many reads were answered from memory so far.
func (s *stage) hits() int {
	s.t.Helper()
	n, err := strconv.Atoi(s.proxy.Query("SHOW POOL_CACHE")[0][0])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// one runs a statement by simple query and returns the one value that it brings; what it
// brings otherwise fails the test.
func one(t testing.TB, conn *pgx.Conn, sql string) string {
	t.Helper()
	results, err := conn.PgConn().Exec(bounded(t), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	rows := results[len(results)-1].Rows
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: %d rows", sql, len(rows))
	}
	return string(rows[0][0])
}

func run(t testing.TB, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(bounded(t), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// wantKept reads until an answer comes from memory: an entry is kept a moment after its
// answer was given.
func (s *stage) wantKept(conn *pgx.Conn, sql, want string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		before := s.hits()
		if got := one(s.t, conn, sql); got != want {
			s.t.Fatalf("%s = %q, want %q", sql, got, want)
		}
		if s.hits() > before {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s is never answered from memory", sql)
		}
	}
}

// wantAsked reads once, which has to ask a node.
func (s *stage) wantAsked(conn *pgx.Conn, sql, want string) {
	s.t.Helper()
	before := s.hits()
	if got := one(s.t, conn, sql); got != want {
		s.t.Fatalf("%s = %q, want %q", sql, got, want)
	}
	if s.hits() != before {
		s.t.Fatalf("%s was answered from memory", sql)
	}
}

func TestCacheFollowsWrites(t *testing.T) {
	t.Parallel()
	s := cacheStage(t)
	a, b := s.proxy.Connect(database), s.proxy.Connect(database)
	run(t, a, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 10)")
	const read = "SELECT v FROM t WHERE id = 1"
	s.wantKept(a, read, "10")
	s.wantKept(b, read, "10")

	run(t, a, "UPDATE t SET v = 11 WHERE id = 1")
	s.wantAsked(b, read, "11")
	s.wantKept(a, read, "11")

	run(t, a, "BEGIN", "UPDATE t SET v = 12 WHERE id = 1")
	s.wantAsked(a, read, "12") // its own write
	s.wantKept(b, read, "11")
	run(t, a, "ROLLBACK")
	s.wantKept(a, read, "11")

	run(t, a, "BEGIN", "UPDATE t SET v = 13 WHERE id = 1", "COMMIT")
	s.wantAsked(b, read, "13")
}

// effect is a statement that changes what a read shows, by a way that the statement does
// not name.
type effect struct {
	name  string
	setup string
	read  string
	want  string
	// run are the statements; outside: they are not run in a block too.
	run     []string
	outside bool
	after   string
	// mine: only the session that has run it sees another answer.
	mine bool
}

var effects = []effect{
	{"a view", "CREATE VIEW v_view AS SELECT v FROM t WHERE id = 1", "SELECT v FROM v_view", "10", []string{"UPDATE t SET v = 11"}, false, "11", false},
	{"a view that is written to", "CREATE VIEW v_up AS SELECT id, v FROM t", "SELECT v FROM t WHERE id = 1", "10", []string{"UPDATE v_up SET v = 11"}, false, "11", false},
	{"a view of a view", "CREATE VIEW v_a AS SELECT id, v FROM t; CREATE VIEW v_b AS SELECT v FROM v_a WHERE id = 1", "SELECT v FROM v_b", "10", []string{"UPDATE t SET v = 11"}, false, "11", false},
	{"a partition, read by the whole", "CREATE TABLE p (k int, v int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1, 10)",
		"SELECT v FROM p", "10", []string{"UPDATE p1 SET v = 11"}, false, "11", false},
	{"a partition, written by the whole", "CREATE TABLE p (k int, v int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1, 10)",
		"SELECT v FROM p1", "10", []string{"UPDATE p SET v = 11"}, false, "11", false},
	{"a child, read by its parent", "CREATE TABLE c () INHERITS (t); INSERT INTO c VALUES (9, 1)", "SELECT sum(v) FROM t", "11", []string{"UPDATE c SET v = 2"}, false, "12", false},
	{"a partition that is attached", "CREATE TABLE p (k int, v int) PARTITION BY LIST (k); CREATE TABLE q (k int, v int); INSERT INTO q VALUES (1, 10)",
		"SELECT count(*) FROM p", "0", []string{"ALTER TABLE p ATTACH PARTITION q FOR VALUES IN (1)"}, false, "1", false},
	{"a foreign key that cascades", "CREATE TABLE k (id int REFERENCES t ON DELETE CASCADE); INSERT INTO k VALUES (1)", "SELECT count(*) FROM k", "1", []string{"DELETE FROM t"}, false, "0", false},
	{"a foreign key that cascades twice", "CREATE TABLE k (id int PRIMARY KEY REFERENCES t ON DELETE CASCADE); CREATE TABLE l (id int REFERENCES k ON DELETE CASCADE); INSERT INTO k VALUES (1); INSERT INTO l VALUES (1)",
		"SELECT count(*) FROM l", "1", []string{"DELETE FROM t"}, false, "0", false},
	{"a trigger", "CREATE TABLE log (n int); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (1); RETURN NEW; END'; CREATE TRIGGER note AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note()",
		"SELECT count(*) FROM log", "0", []string{"UPDATE t SET v = 11"}, false, "1", false},
	{"a rule", "CREATE TABLE log (n int); CREATE RULE note AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES (1)", "SELECT count(*) FROM log", "0", []string{"UPDATE t SET v = 11"}, false, "1", false},
	{"a function", "CREATE FUNCTION bump() RETURNS int LANGUAGE sql VOLATILE AS 'UPDATE t SET v = 11 RETURNING v'", "SELECT v FROM t", "10", []string{"SELECT bump()"}, false, "11", false},
	{"a procedure", "CREATE PROCEDURE bump() LANGUAGE sql AS 'UPDATE t SET v = 11'", "SELECT v FROM t", "10", []string{"CALL bump()"}, false, "11", false},
	{"a procedure that commits", "CREATE PROCEDURE bump() LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = 11; COMMIT; END'", "SELECT v FROM t", "10", []string{"CALL bump()"}, true, "11", false},
	{"DO", "", "SELECT v FROM t", "10", []string{"DO 'BEGIN UPDATE t SET v = 11; END'"}, false, "11", false},
	{"TRUNCATE", "", "SELECT count(*) FROM t", "1", []string{"TRUNCATE t"}, false, "0", false},
	{"TRUNCATE of another that cascades", "CREATE TABLE k (id int REFERENCES t); INSERT INTO k VALUES (1)", "SELECT count(*) FROM k", "1", []string{"TRUNCATE t CASCADE"}, false, "0", false},
	{"MERGE", "", "SELECT v FROM t", "10", []string{"MERGE INTO t USING (VALUES (1)) AS s (i) ON t.id = s.i WHEN MATCHED THEN UPDATE SET v = 11"}, false, "11", false},
	{"a WITH query that writes", "", "SELECT v FROM t", "10", []string{"WITH u AS (UPDATE t SET v = 11 RETURNING v) SELECT * FROM u"}, false, "11", false},
	{"a WITH query that writes, further down", "", "SELECT v FROM t", "10", []string{"WITH u AS (UPDATE t SET v = 11 RETURNING v) SELECT count(*) FROM (SELECT * FROM u) AS s"}, false, "11", false},
	{"EXECUTE", "", "SELECT v FROM t", "10", []string{"PREPARE bump AS UPDATE t SET v = 11", "EXECUTE bump", "DEALLOCATE bump"}, false, "11", false},
	{"EXPLAIN ANALYZE", "", "SELECT v FROM t", "10", []string{"EXPLAIN ANALYZE UPDATE t SET v = 11"}, false, "11", false},
	{"several statements", "", "SELECT v FROM t", "10", []string{"SELECT 1; UPDATE t SET v = 11; SELECT 2"}, false, "11", false},
	{"ALTER TABLE", "", "SELECT v FROM t", "10", []string{"ALTER TABLE t ALTER v TYPE text USING 'x' || v"}, false, "x10", false},
	{"another table by that name", "CREATE TABLE u (id int, v int); INSERT INTO u VALUES (1, 11)", "SELECT v FROM t", "10",
		[]string{"ALTER TABLE t RENAME TO was; ALTER TABLE u RENAME TO t"}, false, "11", false},
	{"a table in front in the search_path", "CREATE SCHEMA app", "SELECT v FROM t", "10", []string{"CREATE TABLE app.t (v int)", "INSERT INTO app.t VALUES (11)", "SET search_path = app, public"}, true, "11", true},
	{"a materialized view", "CREATE MATERIALIZED VIEW m AS SELECT v FROM t; UPDATE t SET v = 11", "SELECT v FROM m", "10", []string{"REFRESH MATERIALIZED VIEW m"}, false, "11", false},
	{"a transaction that was prepared", "", "SELECT v FROM t", "10", []string{"BEGIN; UPDATE t SET v = 11; PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'"}, true, "11", false},
	{"a temporary table by that name", "", "SELECT v FROM t", "10", []string{"CREATE TEMPORARY TABLE t (v int)", "INSERT INTO t VALUES (11)"}, true, "11", true},
	{"a temporary table that a function makes", "CREATE FUNCTION hide() RETURNS void LANGUAGE plpgsql AS 'BEGIN CREATE TEMPORARY TABLE t AS SELECT 11 AS v; END'",
		"SELECT v FROM t", "10", []string{"SELECT hide()"}, true, "11", true},
	{"the time zone", "CREATE TABLE z (at timestamptz); INSERT INTO z VALUES ('2026-01-01 00:00+00')", "SELECT at FROM z", "2026-01-01 00:00:00+00", []string{"SET TimeZone = 'Asia/Tokyo'"}, true, "2026-01-01 09:00:00+09", true},
	{"the time zone, by a function", "CREATE TABLE z (at timestamptz); INSERT INTO z VALUES ('2026-01-01 00:00+00')", "SELECT at FROM z", "2026-01-01 00:00:00+00", []string{"SELECT set_config('TimeZone', 'Asia/Tokyo', false)"}, true, "2026-01-01 09:00:00+09", true},
}

// TestCacheKnowsEffects changes what a read shows, in a transaction of its own and in a
// block, and reads again in the session that has done it and in another one.
func TestCacheKnowsEffects(t *testing.T) {
	t.Parallel()
	s := cacheStage(t, "cache_safe_memqcache_table_list = 'v_.*,m'")
	s.proxy.Exec("ALTER DATABASE " + database + " SET TimeZone = 'UTC'")
	for _, e := range effects {
		for _, block := range []bool{false, true} {
			if block && e.outside {
				continue
			}
			name := e.name
			if block {
				name += ", in a block"
			}
			t.Run(name, func(t *testing.T) { s.in(t).effect(&e, block) })
		}
	}
}

func (s *stage) effect(e *effect, block bool) {
	fresh := s.proxy.Connect(database)
	run(s.t, fresh, "DROP SCHEMA IF EXISTS app CASCADE", "DROP SCHEMA public CASCADE", "CREATE SCHEMA public",
		"CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 10)")
	if e.setup != "" {
		run(s.t, fresh, e.setup)
	}
	a, b := s.proxy.Connect(database), s.proxy.Connect(database)
	s.wantKept(a, e.read, e.want)
	s.wantKept(b, e.read, e.want)
	if block {
		run(s.t, a, "BEGIN")
	}
	run(s.t, a, e.run...)
	s.wantAsked(a, e.read, e.after)
	if block {
		s.wantKept(b, e.read, e.want)
		run(s.t, a, "ROLLBACK")
		s.wantKept(b, e.read, e.want)
		run(s.t, a, "BEGIN")
		run(s.t, a, e.run...)
		run(s.t, a, "COMMIT")
	}
	want := e.after
	if e.mine {
		want = e.want
	}
	if got := one(s.t, b, e.read); got != want {
		s.t.Errorf("the other session reads %q, want %q", got, want)
	}
}

// TestCacheIsSharedByProtocols: an answer in text is the same bytes in both.
func TestCacheIsSharedByProtocols(t *testing.T) {
	t.Parallel()
	s := cacheStage(t)
	a, b := s.proxy.Connect(database), s.proxy.Connect(database)
	run(t, a, "CREATE TABLE t (id int PRIMARY KEY, v int, at timestamptz)", "INSERT INTO t VALUES (1, 10, now()), (2, 20, now())")
	s.wantKept(a, "SELECT v FROM t WHERE id = 1", "10")
	before := s.hits()
	for range 3 {
		got := extended(t, b, "SELECT v FROM t WHERE id = 1")
		if got != "10" {
			t.Fatalf("v = %q, want 10", got)
		}
	}
	if got := s.hits() - before; got != 3 {
		t.Errorf("%d of 3 were answered from memory", got)
	}
	for _, id := range []string{"1", "2", "1", "2"} {
		want := map[string]string{"1": "10", "2": "20"}[id]
		if got := extended(t, b, "SELECT v FROM t WHERE id = $1", id); got != want {
			t.Fatalf("v of %s = %q, want %q", id, got, want)
		}
	}
	run(t, a, "UPDATE t SET v = v + 1")
	for _, id := range []string{"1", "2"} {
		want := map[string]string{"1": "11", "2": "21"}[id]
		if got := extended(t, b, "SELECT v FROM t WHERE id = $1", id); got != want {
			t.Fatalf("v of %s = %q, want %q", id, got, want)
		}
	}
	before = s.hits()
	for range 20 {
		if got := extended(t, b, "SELECT count(*) FROM t WHERE at > $1", "today"); got == "" {
			t.Fatal("no answer")
		}
	}
	if s.hits() != before {
		t.Error("what a parameter means today was kept")
	}
}

// extended runs a statement by the extended protocol, with everything in text.
func extended(t testing.TB, conn *pgx.Conn, sql string, params ...string) string {
	t.Helper()
	var values [][]byte
	for _, p := range params {
		values = append(values, []byte(p))
	}
	result := conn.PgConn().ExecParams(bounded(t), sql, values, nil, nil, nil).Read()
	if result.Err != nil || len(result.Rows) != 1 {
		t.Fatalf("%s: %d rows, %v", sql, len(result.Rows), result.Err)
	}
	return string(result.Rows[0][0])
}

// TestCacheServesPrepared: a statement is prepared once and executed with pgx's own
// formats; a hit needs neither node nor Parse.
func TestCacheServesPrepared(t *testing.T) {
	t.Parallel()
	s := cacheStage(t)
	a, b := s.proxy.Connect(database), s.proxy.Connect(database)
	run(t, a, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 9) AS i")
	ask := func(conn *pgx.Conn, id int) (v int) {
		t.Helper()
		if err := conn.QueryRow(bounded(t), "SELECT v FROM t WHERE id = $1", id).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for round := range 3 {
		before := s.hits()
		for try := 0; s.hits() < before+10; try++ {
			for _, conn := range []*pgx.Conn{a, b} {
				for id := 1; id <= 9; id++ {
					if got := ask(conn, id); got != id*10+round {
						t.Fatalf("v of %d = %d in round %d", id, got, round)
					}
				}
			}
			if try > 100 {
				t.Fatal("nothing is answered from memory")
			}
		}
		if _, err := a.Exec(bounded(t), "UPDATE t SET v = v + $1", 1); err != nil {
			t.Fatal(err)
		}
	}
	// after hits only, the statement is still good for nodes
	run(t, b, "BEGIN")
	if got := ask(b, 3); got != 33 {
		t.Errorf("v of 3 = %d, want 33", got)
	}
	run(t, b, "COMMIT")
}
