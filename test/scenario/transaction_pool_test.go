package scenario

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// newPooledStage is a stage whose frontends share a few sets of connections.
func newPooledStage(t testing.TB, sets int, lines ...string) *stage {
	t.Helper()
	lines = append([]string{"pool_mode = transaction", fmt.Sprintf("default_pool_size = %d", sets)}, lines...)
	return newStage(t, proxy.WithConfig(lines...))
}

// pair is two frontends that share one set of connections.
func pair(t testing.TB, lines ...string) (s *stage, a, b *pgx.Conn) {
	t.Helper()
	s = newPooledStage(t, 1, append([]string{"query_wait_timeout = 2"}, lines...)...)
	return s, s.connect(), s.connect()
}

// wantBackends fails the test if a node has more than limit connections.
func (s *stage) wantBackends(limit int) {
	s.t.Helper()
	for id, pids := range s.backends() {
		if len(pids) > limit {
			s.t.Errorf("node %d has %d connections, want %d at most", id, len(pids), limit)
		}
	}
}

// pins are why sessions keep their connections, as SHOW POOL_PROCESSES has it.
func (s *stage) pins() []string {
	var pins []string
	for _, row := range s.proxy.Query("SHOW POOL_PROCESSES") {
		if _, pin, pinned := strings.Cut(row[7], "keeps its connections: "); pinned {
			pins = append(pins, pin)
		}
	}
	return pins
}

// wantPinned fails the test unless one session comes to keep its connections for a reason, or
// none for "".
func (s *stage) wantPinned(why string) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("a session is pinned by %q", why), func() bool {
		pins := s.pins()
		if why == "" {
			return len(pins) == 0
		}
		return len(pins) == 1 && strings.Contains(pins[0], why)
	})
}

func TestManyFrontendsShareFewConnections(t *testing.T) {
	const frontends, sets, rounds = 40, 3, 10
	s := newPooledStage(t, sets)
	s.exec(s.connect(), "CREATE TABLE tally (id int PRIMARY KEY, n int); INSERT INTO tally SELECT g, 0 FROM generate_series(1, 40) g")
	var all sync.WaitGroup
	for n := range frontends {
		conn := s.connect()
		all.Go(func() {
			for range rounds {
				if _, err := rowsOf(conn, fmt.Sprintf("UPDATE tally SET n = n + 1 WHERE id = %d", n+1)); err != nil {
					t.Error(err)
				}
				if rows, err := rowsOf(conn, fmt.Sprintf("BEGIN; SELECT %d; COMMIT", n)); err != nil {
					t.Error(rows, err)
				}
				var got int
				if err := conn.QueryRow(context.Background(), "SELECT $1::int + $2", n, 1).Scan(&got); err != nil || got != n+1 {
					t.Errorf("%d: %v", got, err)
				}
			}
		})
	}
	s.wantBackends(sets)
	all.Wait()
	s.wantBackends(sets)
	s.want(s.connect(), "SELECT DISTINCT n FROM tally", strconv.Itoa(rounds))
	s.wantEqual()
}

func TestTransactionKeepsItsConnections(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "CREATE TABLE t (x int)")
	s.exec(a, "BEGIN")
	s.exec(a, "INSERT INTO t VALUES (1)")
	waits := startQuery(b, "SELECT count(*) FROM t")
	await(t, "the other one waits in the queue", func() bool {
		return slices.ContainsFunc(s.proxy.Query("SHOW POOL_PROCESSES"), func(row []string) bool { return row[7] == "Wait for a loan" })
	})
	s.exec(a, "COMMIT")
	if rows := waits.must(t); !slices.Equal(rows, []string{"1"}) {
		t.Errorf("rows %q", rows)
	}
}

func TestWaitForConnectionsIsBounded(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "BEGIN; SELECT 1")
	s.wantCode(b, "SELECT 1", "53300")
	if _, err := b.Prepare(bounded(t), "p", "SELECT 1"); codeOf(err) != "53300" {
		t.Errorf("Prepare: %v", err)
	}
	s.proxy.WaitLog("no connection became free")
	s.exec(a, "COMMIT")
	s.want(b, "SELECT 1", "1")
}

// TestAnswerFromMemoryNeedsNoConnection: the only set is another session's. One in its own
// block may need it.
func TestAnswerFromMemoryNeedsNoConnection(t *testing.T) {
	s, a, b := pair(t, "memory_cache_enabled = on")
	run(t, a, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (v int)")
	const read = "SELECT v FROM t"
	s.wantKept(b, read, "1")
	run(t, a, "BEGIN", "INSERT INTO u VALUES (1)")
	for range 10 {
		s.wantKept(b, read, "1")
	}
	s.wantCode(b, "SELECT count(*) FROM u", "53300")
	run(t, a, "COMMIT")
	s.wantEqual()
}

// TestClientThatOnlyHitsNeedsNoConnection: not for its log-in either, once another has been told what it is told, and
// not by extended query.
func TestClientThatOnlyHitsNeedsNoConnection(t *testing.T) {
	s, a, b := pair(t, "memory_cache_enabled = on")
	run(t, a, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)", "CREATE TABLE u (v int)")
	const read, of = "SELECT v FROM t", "SELECT v FROM t WHERE v = $1"
	hit := func(conn *pgx.Conn) {
		t.Helper()
		s.want(conn, read, "1")
		for range 2 {
			var v int
			if err := conn.QueryRow(bounded(t), of, pgx.QueryExecModeExec, 1).Scan(&v); err != nil || v != 1 {
				t.Errorf("%d, %v", v, err)
			}
		}
	}
	hit(b)
	hit(b)
	run(t, a, "BEGIN", "INSERT INTO u VALUES (1)")
	for range 3 {
		c := s.connect()
		if got := c.PgConn().ParameterStatus("server_version"); got == "" || got != b.PgConn().ParameterStatus("server_version") {
			t.Errorf("server_version is %q", got)
		}
		hit(c)
		s.wantCode(c, "SELECT count(*) FROM u", "53300")
		hit(c)
		c.Close(bounded(t))
	}
	c := s.connect()
	hit(c)
	run(t, a, "COMMIT")
	s.want(c, "SELECT count(*) FROM u", "1")
	run(t, c, "SET search_path = pg_catalog", "DISCARD ALL", "INSERT INTO t VALUES (2)")
	s.want(b, "SELECT count(*) FROM t", "2")
	s.wantEqual()
}

func TestCancelEndsTheWaitForConnections(t *testing.T) {
	s, a, b := pair(t, "query_wait_timeout = 0")
	s.exec(a, "BEGIN; SELECT 1")
	waits := startQuery(b, "SELECT 1")
	await(t, "it waits", func() bool {
		if err := b.PgConn().CancelRequest(bounded(t)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-waits.done:
			return true
		case <-time.After(20 * pollInterval):
			return false
		}
	})
	if _, err := waits.wait(t); codeOf(err) != "57014" {
		t.Errorf("%v, want SQLSTATE 57014", err)
	}
	s.exec(a, "COMMIT")
	s.want(b, "SELECT 1", "1")
}

func TestNothingOfASessionIsFoundByTheNext(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "CREATE SCHEMA mine; CREATE TABLE mine.t AS SELECT 'mine' AS x; CREATE TABLE public.t AS SELECT 'public' AS x; CREATE ROLE other")
	for _, c := range []struct{ set, show, mine, theirs string }{
		{"SET work_mem = '9MB'", "SHOW work_mem", "9MB", "4MB"},
		{"SET search_path = mine, public", "SELECT x FROM t", "mine", "public"},
		{"SELECT set_config('search_path', '', false)", "SHOW search_path", "", `"$user", public`},
		{"SET TIME ZONE 'Asia/Tokyo'", "SHOW timezone", "Asia/Tokyo", ""},
		{"SET datestyle = 'SQL, DMY'; SET datestyle = 'ISO'", "SHOW datestyle", "ISO, DMY", "ISO, MDY"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SHOW transaction_isolation", "repeatable read", "read committed"},
		{"SET my.own = 'x'", "SELECT current_setting('my.own', true)", "x", ""},
		{"BEGIN; SET work_mem = '9MB'; COMMIT", "SHOW work_mem", "9MB", "4MB"},
		{"BEGIN; SET work_mem = '9MB'; ROLLBACK", "SHOW work_mem", "4MB", "4MB"},
		{"BEGIN; SET LOCAL work_mem = '9MB'; COMMIT", "SHOW work_mem", "4MB", "4MB"},
		{"DO $$ BEGIN PERFORM set_config('work_mem', '9MB', false); END $$", "SHOW work_mem", "9MB", "4MB"},
	} {
		t.Run(c.set, func(t *testing.T) {
			s := s.in(t)
			a, b := s.connect(), s.connect()
			before, err := rowsOf(b, c.show)
			if err != nil {
				t.Fatal(err)
			}
			s.exec(a, c.set)
			s.want(a, c.show, c.mine)
			if len(s.pins()) == 0 {
				after, err := rowsOf(b, c.show)
				if err != nil {
					t.Fatal(err)
				}
				if c.theirs != "" {
					before = []string{c.theirs}
				}
				if c.set != "SET my.own = 'x'" && !slices.Equal(before, after) || slices.Equal(after, []string{c.mine}) && c.mine != c.theirs {
					t.Errorf("the other session has %q, before %q", after, before)
				}
				s.exec(b, "BEGIN; INSERT INTO public.t SELECT 'x' WHERE false; COMMIT")
				s.want(a, c.show, c.mine)
			}
			hangUp(a)
			hangUp(b)
		})
	}
	_, _ = a, b
}

func TestNamesOfPreparedStatementsAreEachFrontendsOwn(t *testing.T) {
	s, a, b := pair(t)
	ctx := bounded(t)
	for n, conn := range []*pgx.Conn{a, b} {
		if _, err := conn.Prepare(ctx, "p", fmt.Sprintf("SELECT %d + $1::int", n)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		for n, conn := range []*pgx.Conn{a, b} {
			var got int
			if err := conn.QueryRow(ctx, "p", 10).Scan(&got); err != nil || got != 10+n {
				t.Errorf("%d: %v, want %d", got, err, 10+n)
			}
		}
	}
	if _, err := a.PgConn().Prepare(ctx, "p", "SELECT 3", nil); codeOf(err) != "42P05" {
		t.Errorf("the name is taken: %v", err)
	}
	if err := a.Deallocate(ctx, "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.PgConn().ExecPrepared(ctx, "p", nil, nil, nil).Close(); codeOf(err) != "26000" {
		t.Errorf("closed: %v", err)
	}
	var got int
	if err := b.QueryRow(ctx, "p", 10).Scan(&got); err != nil || got != 11 {
		t.Errorf("%d: %v", got, err)
	}
	s.wantBackends(1)
}

func TestStateThatIsTiedToConnectionsPins(t *testing.T) {
	s := newPooledStage(t, 2, "query_wait_timeout = 2")
	s.exec(s.connect(), "CREATE TABLE IF NOT EXISTS t (x int); CREATE ROLE other; "+
		"CREATE FUNCTION hides(int, int) RETURNS text LANGUAGE sql AS $$ SELECT set_config('my.hidden', 'x', false) $$; CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = hides)")
	for _, c := range []struct{ take, why, release string }{
		{"LISTEN news", "LISTEN", "UNLISTEN *"},
		{"CREATE TEMP TABLE mine (x int)", "temporary table", "DROP TABLE mine"},
		{"BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT", "cursor WITH HOLD", "CLOSE c"},
		{"SELECT pg_advisory_lock(7)", "advisory lock", "SELECT pg_advisory_unlock(7)"},
		{"PREPARE p AS SELECT 1", "PREPARE", "DEALLOCATE ALL"},
		{"SET ROLE other", "SET ROLE", "RESET ROLE"},
		{"SET SESSION AUTHORIZATION other", "SET SESSION AUTHORIZATION", "RESET SESSION AUTHORIZATION"},
		{"SELECT setseed(0.5)", "setseed", "DISCARD ALL"},
		{"DO $$ BEGIN PERFORM set_config('my.hidden', 'x', false); END $$", "code that may have set something", "DISCARD ALL"},
		{"SELECT 1 ### 2", "code that may have set something", "DISCARD ALL"},
	} {
		t.Run(c.take, func(t *testing.T) {
			s := s.in(t)
			conn := s.connect()
			s.exec(conn, c.take)
			s.wantPinned(c.why)
			s.exec(conn, c.release)
			s.wantPinned("")
			hangUp(conn)
		})
	}
}

func TestPgbenchOverFewConnections(t *testing.T) {
	const clients, sets, transactions = 64, 8, 10
	for _, mode := range []string{"simple", "extended", "prepared"} {
		t.Run(mode, func(t *testing.T) {
			s := newPooledStage(t, sets)
			s.pgbench("-i", "-q", database).must(t)
			bench := s.pgbench("-n", "-M", mode, "-c", strconv.Itoa(clients), "-t", strconv.Itoa(transactions), database)
			s.wantBackends(sets + 1)
			wantUnfailed(t, bench.must(t)[0])
			s.wantEqual()
			for _, node := range s.nodes {
				if rows := direct(node, "SELECT count(*) FROM pgbench_history"); len(rows) != 1 || rows[0] != strconv.Itoa(clients*transactions) {
					t.Errorf("node %d has %q transactions", node.ID, rows)
				}
			}
		})
	}
}

func TestNodeIsKilledWhileSessionsArePooled(t *testing.T) {
	for _, id := range []int{0, 2} {
		t.Run(fmt.Sprintf("node %d", id), func(t *testing.T) {
			t.Parallel()
			s := newPooledStage(t, 1)
			parked, busy, waiting := s.connect(), s.connect(), s.connect()
			s.exec(parked, "CREATE TABLE t (x int PRIMARY KEY)")
			s.exec(parked, "SET work_mem = '9MB'")
			if _, err := parked.Prepare(bounded(t), "p", "INSERT INTO t VALUES ($1)"); err != nil {
				t.Fatal(err)
			}
			s.exec(busy, "BEGIN; INSERT INTO t VALUES (1)")
			queued := startQuery(waiting, "INSERT INTO t VALUES (2)")
			await(t, "it waits", func() bool { return s.waitForLoan() == 1 })
			s.nodes[id].Kill()
			s.exec(busy, "INSERT INTO t VALUES (3)")
			s.exec(busy, "COMMIT")
			queued.must(t)
			if _, err := parked.Exec(bounded(t), "p", 4); err != nil {
				t.Error(err)
			}
			s.want(parked, "SHOW work_mem", "9MB")
			s.want(waiting, "SELECT string_agg(x::text, ',' ORDER BY x) FROM t", "1,2,3,4")
			rest := without(s.nodes, id)
			pgtest.WantEqual(t, rest...)
		})
	}
}

// waitForLoan is how many sessions wait in the queue.
func (s *stage) waitForLoan() int {
	n := 0
	for _, row := range s.proxy.Query("SHOW POOL_PROCESSES") {
		if row[7] == "Wait for a loan" {
			n++
		}
	}
	return n
}

func TestConnectionThatBrokeInThePoolIsNoticedByNobody(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "CREATE TABLE t (x int)")
	for n, node := range s.nodes {
		s.exec(a, "SELECT 1")
		await(t, "all are parked", func() bool { return s.waitForLoan() == 0 })
		direct(node, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
		await(t, "it has gone", func() bool { return len(s.backends()[n]) == 0 })
		s.exec(b, "INSERT INTO t VALUES (1)")
	}
	s.want(a, "SELECT count(*) FROM t", "3")
	s.wantEqual()
}

func TestCurrvalIsNeverAnothersInThePool(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "CREATE SEQUENCE q; CREATE TABLE t (id serial, x int); CREATE FUNCTION draw() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('q') $$")
	s.want(a, "SELECT draw()", "1")
	s.wantCode(b, "SELECT currval('q')", "55000")
	s.wantCode(b, "SELECT lastval()", "55000")
	s.exec(a, "INSERT INTO t (x) VALUES (1)")
	s.exec(b, "INSERT INTO t (x) VALUES (2)")
	s.want(a, "SELECT currval('t_id_seq')", "1")
	s.want(b, "SELECT currval('t_id_seq')", "2")
	s.want(a, "BEGIN; SELECT draw(); SELECT currval('q')", "2")
	s.exec(a, "COMMIT")
	s.wantEqual()
}

func TestDDLBetweenTwoPreparedStatementsOfOneText(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
	if _, err := a.Prepare(bounded(t), "p", "SELECT * FROM t"); err != nil {
		t.Fatal(err)
	}
	s.exec(b, "ALTER TABLE t ADD COLUMN y int DEFAULT 2")
	d, err := b.Prepare(bounded(t), "p", "SELECT * FROM t")
	if err != nil || len(d.Fields) != 2 {
		t.Fatalf("%v, %v", d, err)
	}
	var x, y int
	if err := b.QueryRow(bounded(t), "p").Scan(&x, &y); err != nil || y != 2 {
		t.Errorf("%d: %v", y, err)
	}
}

func TestStatementParsedUnderOtherSettingsKeepsItsMeaning(t *testing.T) {
	s, a, b := pair(t)
	const text = "SELECT extract(month FROM DATE '01/02/2003')::int"
	s.exec(a, "SET datestyle = 'ISO, DMY'")
	for _, c := range []struct {
		conn *pgx.Conn
		want int
	}{{a, 2}, {b, 1}, {a, 2}} {
		if _, err := c.conn.Prepare(bounded(t), "p", text); err != nil {
			t.Fatal(err)
		}
		var got int
		if err := c.conn.QueryRow(bounded(t), "p").Scan(&got); err != nil || got != c.want {
			t.Errorf("month %d: %v, want %d", got, err, c.want)
		}
	}
	s.exec(a, "SET datestyle = 'ISO, MDY'")
	s.wantPinned("parsed under other settings")
	var got int
	if err := a.QueryRow(bounded(t), "p").Scan(&got); err != nil || got != 2 {
		t.Errorf("month %d: %v, want 2 as when it was parsed", got, err)
	}
}

func TestFrontendIsToldTheParametersOfItsOwn(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "SET TIME ZONE 'Asia/Tokyo'")
	s.exec(b, "SELECT 1")
	s.exec(a, "SELECT 1")
	for name, c := range map[string]struct {
		conn *pgx.Conn
		is   bool
	}{"who has set it": {a, true}, "who has not": {b, false}} {
		if got := c.conn.PgConn().ParameterStatus("TimeZone"); (got == "Asia/Tokyo") != c.is {
			t.Errorf("%s was told %q", name, got)
		}
	}
}

func TestSessionThatLeavesInABlockLeavesNothing(t *testing.T) {
	s, a, b := pair(t)
	s.exec(a, "CREATE TABLE t (x int)")
	s.exec(a, "BEGIN")
	s.exec(a, "SET work_mem = '9MB'; CREATE TEMP TABLE mine (x int); INSERT INTO t VALUES (1)")
	hangUp(a)
	s.exec(b, "BEGIN")
	s.exec(b, "INSERT INTO t VALUES (2)")
	if status := b.PgConn().TxStatus(); status != 'T' {
		t.Errorf("status %c in a block", status)
	}
	s.exec(b, "COMMIT")
	s.want(b, "SELECT x FROM t", "2")
	s.want(b, "SHOW work_mem", "4MB")
	s.wantCode(b, "SELECT * FROM mine", "42P01")
	s.wantEqual()
}

func TestNotificationsReachWhoListensInThePool(t *testing.T) {
	s := newPooledStage(t, 2)
	a, b := s.connect(), s.connect()
	for range 2 {
		s.exec(b, "SELECT 1")
		if _, err := a.PgConn().ExecParams(bounded(t), "LISTEN news", nil, nil, nil, nil).Close(); err != nil {
			t.Fatal(err)
		}
		s.exec(b, "NOTIFY news, 'hello'") // while main is asked what LISTEN has left
		n, err := a.WaitForNotification(bounded(t))
		if err != nil || n.Payload != "hello" {
			t.Fatalf("%v: %v", n, err)
		}
		s.wantPinned("LISTEN")
		s.exec(a, "UNLISTEN news")
		s.wantPinned("")
	}
}
