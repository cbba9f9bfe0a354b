package scenario

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestCacheKeepsSessionsApart has pairs of sessions that are told otherwise by the same
// text.
func TestCacheKeepsSessionsApart(t *testing.T) {
	t.Parallel()
	s := cacheStage(t)
	admin := s.proxy.Connect(database)
	run(t, admin, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (10)", "CREATE SCHEMA app", "CREATE TABLE app.t (v int)",
		"INSERT INTO app.t VALUES (20)", "CREATE ROLE reader LOGIN", "CREATE ROLE nobody LOGIN", "GRANT SELECT ON t TO reader",
		"CREATE TABLE z (at timestamptz, d date, f float8, b bytea)",
		"INSERT INTO z VALUES ('2026-01-02 03:04+00', '2026-01-02', 0.1::float8 + 0.2, 'ab')")
	tests := []struct{ name, read, first, second string }{
		{"search_path", "SELECT v FROM t", "SET search_path = public", "SET search_path = app"},
		{"TimeZone", "SELECT at FROM z", "SET TimeZone = 'UTC'", "SET TimeZone = 'Asia/Tokyo'"},
		{"DateStyle", "SELECT d FROM z", "SET DateStyle = 'ISO'", "SET DateStyle = 'German'"},
		{"extra_float_digits", "SELECT f FROM z", "SET extra_float_digits = 1", "SET extra_float_digits = 0"},
		{"bytea_output", "SELECT b FROM z", "SET bytea_output = 'hex'", "SET bytea_output = 'escape'"},
		{"role", "SELECT current_user FROM t", "SET ROLE postgres", "SET ROLE reader"},
		{"session authorization", "SELECT session_user FROM t", "SET SESSION AUTHORIZATION postgres", "SET SESSION AUTHORIZATION reader"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			a, b := s.proxy.Connect(database), s.proxy.Connect(database)
			run(t, a, tt.first)
			run(t, b, tt.second)
			wantA, wantB := one(t, a, tt.read), one(t, b, tt.read)
			if wantA == wantB {
				t.Fatalf("both are told %q", wantA)
			}
			s.wantKept(a, tt.read, wantA)
			s.wantKept(b, tt.read, wantB)
			s.wantKept(a, tt.read, wantA)
			run(t, a, "BEGIN", strings.Replace(tt.second, "SET ", "SET LOCAL ", 1))
			if got := one(t, a, tt.read); tt.name != "session authorization" && got != wantB {
				t.Errorf("with SET LOCAL it is told %q, want %q", got, wantB)
			}
			run(t, a, "ROLLBACK")
			if got := one(t, a, tt.read); got != wantA {
				t.Errorf("behind SET LOCAL it is told %q, want %q", got, wantA)
			}
		})
	}
	t.Run("privilege", func(t *testing.T) {
		s := s.in(t)
		s.wantKept(s.proxy.Connect(database), "SELECT v FROM t", "10")
		for _, user := range []string{"reader", "nobody"} {
			conn, err := pgx.Connect(bounded(t), s.proxy.DSN(database, user))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(bounded(t))
			_, err = conn.PgConn().Exec(bounded(t), "SELECT v FROM t").ReadAll()
			if (err == nil) != (user == "reader") {
				t.Errorf("%s: %v", user, err)
			}
			if user == "reader" {
				s.wantKept(conn, "SELECT v FROM t", "10")
				run(t, admin, "REVOKE SELECT ON t FROM reader")
				if _, err := conn.PgConn().Exec(bounded(t), "SELECT v FROM t").ReadAll(); err == nil {
					t.Error("a role is answered from memory that may not read any more")
				}
			}
		}
	})
}

// never are reads that must not be kept.
var never = []struct{ name, read string }{
	{"the time", "SELECT now() IS NOT NULL FROM t"},
	{"the day", "SELECT v FROM t WHERE CURRENT_DATE > '2020-01-01'"},
	{"a moment in a string", "SELECT count(*) FROM z WHERE d < 'today'"},
	{"a moment that is cast", "SELECT v FROM t WHERE 'now'::timestamptz > '2020-01-01'"},
	{"chance", "SELECT random() < 2 FROM t"},
	{"a volatile function", "SELECT wild() FROM t"},
	{"a stable function", "SELECT calm() FROM t"},
	{"a setting", "SELECT current_setting('my.own', true) IS NULL FROM t"},
	{"a lock", "SELECT v FROM t FOR UPDATE"},
	{"row security", "SELECT count(*) FROM guarded"},
	{"the catalogue", "SELECT count(*) > 0 FROM pg_class"},
	{"the catalogue's views", "SELECT count(*) > 0 FROM information_schema.tables"},
	{"a view", "SELECT v FROM some_view"},
	{"a materialized view", "SELECT v FROM some_mat"},
	{"an unlogged table", "SELECT count(*) FROM loose"},
	{"a sequence", "SELECT is_called FROM seq"},
	{"a sample", "SELECT count(*) FROM t TABLESAMPLE SYSTEM (100)"},
	{"no table", "SELECT 1"},
	{"unsafe by the list", "SELECT count(*) FROM unsafe"},
	{"unsafe by the list, with its schema", "SELECT count(*) FROM public.unsafe"},
	{"by its comment", "/*NO QUERY CACHE*/ SELECT v FROM t"},
	{"several statements", "SELECT 1; SELECT v FROM t"},
	{"a table by number", "SELECT tableoid > 0 FROM t"},
	{"a table in a text", "SELECT table_to_xml('t', true, false, '') IS NOT NULL FROM t"},
}

func TestCacheKeepsOutWhatMayDiffer(t *testing.T) {
	t.Parallel()
	s := cacheStage(t, "cache_unsafe_memqcache_table_list = 'unsafe'")
	conn := s.proxy.Connect(database)
	run(t, conn, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (10)", "CREATE TABLE z (d date)", "CREATE TABLE unsafe (v int)",
		"CREATE FUNCTION wild() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1'", "CREATE FUNCTION calm() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'",
		"CREATE TABLE guarded (v int)", "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY", "CREATE VIEW some_view AS SELECT v FROM t",
		"CREATE MATERIALIZED VIEW some_mat AS SELECT v FROM t", "CREATE UNLOGGED TABLE loose (v int)", "CREATE SEQUENCE seq")
	for _, tt := range never {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			before := s.hits()
			want := one(t, conn, tt.read)
			for range 5 {
				if got := one(t, conn, tt.read); got != want {
					t.Errorf("%q, then %q", want, got)
				}
			}
			if got := s.hits(); got != before {
				t.Errorf("%d were answered from memory", got-before)
			}
		})
	}
	t.Run("a view, forced", func(t *testing.T) {
		s.in(t).wantKept(conn, "/*FORCE QUERY CACHE*/ SELECT v FROM some_view", "10")
	})
	t.Run("a stable function, forced", func(t *testing.T) {
		s.in(t).wantKept(conn, "/*FORCE QUERY CACHE*/ SELECT calm() FROM t", "1")
	})
	t.Run("in a block that keeps its snapshot", func(t *testing.T) {
		s := s.in(t)
		other := s.proxy.Connect(database)
		s.wantKept(conn, "SELECT v FROM t", "10")
		run(t, other, "BEGIN ISOLATION LEVEL REPEATABLE READ")
		if got := one(t, other, "SELECT v FROM t"); got != "10" {
			t.Fatalf("v = %s", got)
		}
		run(t, conn, "UPDATE t SET v = 11")
		s.wantKept(conn, "SELECT v FROM t", "11")
		if got := one(t, other, "SELECT v FROM t"); got != "10" {
			t.Errorf("v = %s in the snapshot, want 10", got)
		}
		run(t, other, "COMMIT")
	})
}

func TestCacheCommands(t *testing.T) {
	t.Parallel()
	s := cacheStage(t)
	var mu sync.Mutex
	var notices []string
	cfg, err := pgx.ParseConfig(s.proxy.DSN(database, s.proxy.User))
	if err != nil {
		t.Fatal(err)
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		mu.Lock()
		defer mu.Unlock()
		notices = append(notices, n.Message)
	}
	conn, err := pgx.ConnectConfig(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(bounded(t))
	run(t, conn, "CREATE TABLE t (v text)", "INSERT INTO t VALUES ('it''s')")
	const read = "SELECT v FROM t WHERE v = 'it''s'"
	s.wantKept(conn, read, "it's")
	run(t, conn, "PGPOOL SET CACHE DELETE 'SELECT v FROM t WHERE v = ''it''''s'''")
	s.wantAsked(conn, read, "it's")
	run(t, conn, "PGPOOL SET CACHE DELETE 'SELECT v FROM t'")
	want := []string{`query cache deleted. query: "` + read + `"`, `query cache does not exist for query: "SELECT v FROM t"`}
	mu.Lock()
	if !slices.Equal(notices, want) {
		t.Errorf("notices are %q, want %q", notices, want)
	}
	mu.Unlock()
	s.wantKept(conn, read, "it's")
	for _, node := range s.nodes {
		c := node.ConnectTo(database) // past pgchorus
		run(t, c, "UPDATE t SET v = 'gone'")
	}
	s.wantKept(conn, read, "it's")
	if _, err := s.proxy.Command("cache", "clear"); err != nil {
		t.Fatal(err)
	}
	if result := conn.PgConn().ExecParams(bounded(t), read, nil, nil, nil, nil).Read(); result.Err != nil || len(result.Rows) != 0 {
		t.Errorf("%d rows behind cache clear, %v", len(result.Rows), result.Err)
	}
}
