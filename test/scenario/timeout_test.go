package scenario

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// passed waits until a statement has been under way for longer than a timeout of the
// session's, and fails the test if it has ended.
func (b *background) passed(t testing.TB, limit time.Duration) {
	t.Helper()
	select {
	case <-b.done:
		t.Errorf("ended by itself: %v", b.err)
	case <-time.After(2 * limit):
	}
}

// TestTimeoutsAreMains: a timeout ends a statement that waits on main, and none that main has
// done and another node waits with.
func TestTimeoutsAreMains(t *testing.T) {
	const limit = 400 * time.Millisecond
	for _, timeout := range []struct{ name, code string }{{"lock_timeout", "55P03"}, {"statement_timeout", "57014"}} {
		t.Run(timeout.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			s.exec(conn, "SET "+timeout.name+" = '400ms'")
			run := func(sql string) func() ([]string, error) {
				return func() ([]string, error) { return rowsOf(conn, sql) }
			}
			extended := func() ([]string, error) {
				_, err := conn.Exec(bounded(t), "UPDATE item SET text = $1 WHERE id = 1", pgx.QueryExecModeExec, "extended")
				return nil, err
			}
			for _, write := range []func() ([]string, error){
				run("UPDATE item SET text = 'implicit' WHERE id = 1"),
				run("BEGIN; UPDATE item SET text = 'block' WHERE id = 1; COMMIT"),
				run("BEGIN; SET LOCAL " + timeout.name + " = '300ms'; UPDATE item SET text = 'local' WHERE id = 1; COMMIT"),
				run("BEGIN; SAVEPOINT a; INSERT INTO item VALUES (11, 'x'); ROLLBACK TO a; UPDATE item SET text = 'savepoint' WHERE id = 1; COMMIT"),
				extended,
			} {
				g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes[2])
				running := start(write)
				awaitWaiter(t, s.nodes[2])
				running.passed(t, limit)
				g.open()
				running.must(t)

				g = hold(t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes[0])
				if _, err := start(write).wait(t); codeOf(err) != timeout.code {
					t.Errorf("main waits: %v, want SQLSTATE %s", err, timeout.code)
				}
				g.open()
				if conn.PgConn().TxStatus() != 'I' {
					s.exec(conn, "ROLLBACK")
				}
			}
			s.want(conn, "SHOW "+timeout.name, "400ms")
			s.wantAllUp()
			s.wantSameSlots(s.nodes...)
			s.wantEqual()
		})
	}
}

// TestTimeoutsAreMainsOutsideOfBlocks: a node that gave up what main has done, and what cannot be
// rolled back, would have to be fenced.
func TestTimeoutsAreMainsOutsideOfBlocks(t *testing.T) {
	s := newStageIn(t, "native_replication")
	conn := s.connect()
	s.exec(conn, itemTable)
	s.exec(conn, "SET lock_timeout = '300ms'")
	g := hold(t, "LOCK TABLE item IN EXCLUSIVE MODE", s.nodes[1:]...)
	index := startQuery(conn, "CREATE INDEX CONCURRENTLY i ON item (text)")
	awaitWaiter(t, s.nodes[1:]...)
	index.passed(t, 300*time.Millisecond)
	cancel(t, conn) // main has done it
	g.open()
	index.must(t)
	for _, comment := range []string{"", "/*NO LOAD BALANCE*/ "} {
		s.want(conn, comment+"SELECT current_setting('lock_timeout')", "300ms")
	}
	s.wantAllUp()
	s.wantEqual()
}

// TestErrorOfTheMomentOnAnotherNode rolls the transaction back on all nodes: a deadlock or a
// cancel there tells nothing about the node's data.
func TestErrorOfTheMomentOnAnotherNode(t *testing.T) {
	s := newStageIn(t, "native_replication", "parallel_dispatch = off") // it is run again by main's order with that
	conn := s.connect()
	s.exec(conn, itemTable)
	g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes[1])
	write := startQuery(conn, "UPDATE item SET text = 'never' WHERE id = 1")
	awaitWaiter(t, s.nodes[1])
	direct(s.nodes[1], "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
	if _, err := write.wait(t); codeOf(err) != "40001" {
		t.Errorf("cancelled there: %v, want SQLSTATE 40001", err)
	}
	g.open()

	// A deadlock there, with a transaction that pgchorus knows nothing of.
	g = hold(t, "SET deadlock_timeout = '1min'; UPDATE item SET text = 'held' WHERE id = 1", s.nodes[1])
	s.exec(conn, "BEGIN; UPDATE item SET text = 'never' WHERE id = 2")
	other := startQuery(g.holds[1], "UPDATE item SET text = 'held' WHERE id = 2")
	awaitWaiter(t, s.nodes[1])
	s.exec(conn, "UPDATE item SET text = 'never' WHERE id = 1") // main has done it
	s.wantCode(conn, "COMMIT", "40P01")
	_, _ = other.wait(t)
	g.open()
	s.want(conn, "SELECT count(*) FROM item WHERE text <> 'old'", "0")
	s.wantAllUp()
	pgtest.WantEqual(t, s.nodes...)
}
