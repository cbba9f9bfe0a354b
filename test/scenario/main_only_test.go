package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// advisoryLocks counts the advisory locks on each node.
func (s *stage) advisoryLocks() string {
	var counts []string
	for _, node := range s.nodes {
		counts = append(counts, strings.Join(direct(node, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), ""))
	}
	return strings.Join(counts, " ")
}

// TestAdvisoryLocksAreOnMain: one node orders the sessions; on several they would only add
// deadlocks.
func TestAdvisoryLocksAreOnMain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		one, two := s.connect(), s.connect()
		for _, sql := range []string{"SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_lock(2, 3)"} {
			if err := runBy(t, one, mode, sql); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.advisoryLocks(); got != "2 0 0" {
			t.Errorf("locks on the nodes: %s", got)
		}
		s.want(two, "SELECT pg_try_advisory_lock(1)", "f")
		s.want(one, "SELECT pg_advisory_unlock(1)", "t")
		s.want(two, "SELECT pg_try_advisory_lock(1)", "t")
		s.want(two, "SELECT pg_advisory_unlock_all()", "")
		s.want(one, "SELECT pg_advisory_unlock_all()", "")
		if got := s.advisoryLocks(); got != "0 0 0" {
			t.Errorf("locks left on the nodes: %s", got)
		}
	})
}

// TestAdvisoryLockOfATransaction goes with it, and the transaction writes on all nodes.
func TestAdvisoryLockOfATransaction(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE done (id int)")
	s.exec(conn, "BEGIN; SELECT pg_advisory_xact_lock(7); INSERT INTO done VALUES (1)")
	if got := s.advisoryLocks(); got != "1 0 0" {
		t.Errorf("locks on the nodes: %s", got)
	}
	s.exec(conn, "COMMIT")
	s.exec(conn, "SELECT pg_advisory_xact_lock(7); INSERT INTO done VALUES (2)")
	s.exec(conn, "BEGIN; SELECT pg_advisory_xact_lock(7); ROLLBACK")
	if got := s.advisoryLocks(); got != "0 0 0" {
		t.Errorf("locks left on the nodes: %s", got)
	}
	s.want(conn, "SELECT count(*) FROM done", "2")
	s.wantEqual()
}

// TestAdvisoryLocksAreLostWithMain: to go on as if they were held would let two sessions
// hold one lock.
func TestAdvisoryLocksAreLostWithMain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	holder, transaction, bystander := s.connect(), s.connect(), s.connect()
	s.exec(bystander, "CREATE TABLE done (id int)")
	s.exec(holder, "SELECT pg_advisory_lock(1)")
	s.exec(transaction, "BEGIN; SELECT pg_advisory_xact_lock(2); INSERT INTO done VALUES (1)")
	s.nodes[0].Kill()
	s.exec(bystander, "INSERT INTO done VALUES (3)")
	s.wantCode(holder, "INSERT INTO done VALUES (4)", "57P01")
	if _, err := rowsOf(transaction, "INSERT INTO done VALUES (2); COMMIT"); err == nil {
		t.Error("a transaction whose lock was lost was committed")
	}
	s.want(s.connect(), "SELECT id FROM done", "3")
}

// TestNotificationIsHeardOnce, whatever sends it.
func TestNotificationIsHeardOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	listener, sender := s.connect(), s.connect()
	s.exec(listener, "LISTEN news")
	s.exec(sender, "CREATE TABLE told (id int)")
	for i, sql := range []string{
		"NOTIFY news, '%d'", "SELECT pg_notify('news', '%d')", "BEGIN; NOTIFY news, '%d'; INSERT INTO told VALUES (1); COMMIT",
		"INSERT INTO told VALUES (2); NOTIFY news, '%d'", "DO 'BEGIN PERFORM pg_notify(''news'', ''%d''); END'",
	} {
		s.exec(sender, fmt.Sprintf(sql, i))
		n, err := listener.WaitForNotification(bounded(t))
		if err != nil || n.Payload != fmt.Sprint(i) {
			t.Errorf("%s: heard %v, %v", sql, n, err)
		}
	}
	s.wantEqual()
}

// TestNotificationOfATransactionOutlivesMain: every node has it.
func TestNotificationOfATransactionOutlivesMain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	listener, sender := s.connect(), s.connect()
	s.exec(listener, "LISTEN news")
	s.exec(sender, "CREATE TABLE told (id int)")
	s.exec(sender, "BEGIN; NOTIFY news, 'kept'; INSERT INTO told VALUES (1)")
	s.nodes[0].Kill()
	s.exec(sender, "COMMIT")
	s.want(listener, "SELECT count(*) FROM told", "1")
	if n, err := listener.WaitForNotification(bounded(t)); err != nil || n.Payload != "kept" {
		t.Errorf("heard %v, %v", n, err)
	}
}

// TestSignalByTheSessionsOwnNumber: the number that a frontend was given at log-in, and
// that of a backend as pg_stat_activity shows it.
func TestSignalByTheSessionsOwnNumber(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	admin := s.connect()
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		sleeper := s.connect()
		query := startQuery(sleeper, "SELECT pg_sleep(20)")
		s.awaitSleep()
		s.signal(t, admin, mode, "SELECT pg_cancel_backend(%d)", sleeper.PgConn().PID())
		if _, err := query.wait(t); codeOf(err) != "57014" {
			t.Errorf("cancelled: %v", err)
		}
		s.exec(sleeper, "SELECT 1")
		s.signal(t, admin, mode, "SELECT pg_terminate_backend(%d)", sleeper.PgConn().PID())
		await(t, "end of the session", func() bool {
			_, err := rowsOf(sleeper, "SELECT 1")
			return err != nil
		})
		s.wantAllUp()
	})
}

// TestSignalByParameter: as drivers send it.
func TestSignalByParameter(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	admin, victim := s.connect(), s.connect()
	var done bool
	if err := admin.QueryRow(bounded(t), "SELECT pg_terminate_backend($1)", int32(victim.PgConn().PID())).Scan(&done); err != nil || !done {
		t.Fatalf("%v, %v", done, err)
	}
	await(t, "end of the session", func() bool {
		_, err := rowsOf(victim, "SELECT 1")
		return err != nil
	})
	s.wantAllUp()
}

// TestSignalByQuery runs on the main node alone: the numbers that it finds there mean
// other processes elsewhere.
func TestSignalByQuery(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	admin, victim := s.connect(), s.connect("application_name=victim")
	s.exec(victim, "CREATE TABLE kept (id int)")
	others := []int{s.backendOf(s.nodes[1], "victim"), s.backendOf(s.nodes[2], "victim")}
	s.want(admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'", "t")
	s.wantAllUp()
	if now := []int{s.backendOf(s.nodes[1], "victim"), s.backendOf(s.nodes[2], "victim")}; !slices.Equal(now, others) {
		t.Errorf("backends of the other nodes were %v and are %v", others, now)
	}
	s.wantEqual()
}

func (s *stage) signal(t testing.TB, conn *pgx.Conn, mode pgx.QueryExecMode, sql string, pid uint32) {
	t.Helper()
	var done bool
	if err := conn.QueryRow(bounded(t), fmt.Sprintf(sql, pid), mode).Scan(&done); err != nil || !done {
		t.Fatalf("%s: %v, %v", sql, done, err)
	}
}

// awaitSleep waits until a backend of some node sleeps.
func (s *stage) awaitSleep() {
	s.t.Helper()
	await(s.t, "sleep", func() bool {
		for _, node := range s.nodes {
			rows := direct(node, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
			if len(rows) == 1 && rows[0] != "0" {
				return true
			}
		}
		return false
	})
}

// TestForeignTableIsWrittenOnce, if the operator allows it.
func TestForeignTableIsWrittenOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("function_policy = 'dblink:main'"))
	s.exec(s.connect(), "CREATE EXTENSION postgres_fdw")
	outside := s.nodes[2] // stands for a server outside of the cluster, in another database
	outside.Exec("CREATE DATABASE outside")
	if _, err := outside.ConnectTo("outside").Exec(bounded(t), "CREATE TABLE far (id int)"); err != nil {
		t.Fatal(err)
	}
	s.onNodes(fmt.Sprintf(`CREATE SERVER o FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%d', dbname 'outside');
		CREATE USER MAPPING FOR postgres SERVER o OPTIONS (user 'postgres'); CREATE FOREIGN TABLE far (id int) SERVER o`, outside.Host, outside.Port))
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		if err := runBy(t, s.in(t).connect(), mode, "INSERT INTO far VALUES (1)"); err != nil {
			t.Fatal(err)
		}
	})
	rows, err := outside.ConnectTo("outside").Query(bounded(t), "SELECT count(*) FROM far")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	var n int
	if err := rows.Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows, want 2: one for each statement (%v)", n, err)
	}
	rows.Close()
}
