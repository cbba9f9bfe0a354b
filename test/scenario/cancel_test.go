package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// cancel sends a CancelRequest with the session's key and waits until it was served.
func cancel(t testing.TB, conn *pgx.Conn) {
	t.Helper()
	if err := conn.PgConn().CancelRequest(bounded(t)); err != nil {
		t.Fatalf("cancel: %v", err)
	}
}

// wantCancelled ends a scenario: the statement was told 57014, the session goes on,
// nothing has changed, and the nodes are equal.
func (s *stage) wantCancelled(conn *pgx.Conn, statement *background) {
	s.t.Helper()
	if _, err := statement.wait(s.t); codeOf(err) != "57014" {
		s.t.Errorf("cancelled statement: %v, want SQLSTATE 57014", err)
	}
	s.want(conn, "SELECT count(*) FROM item WHERE text = 'old'", "10")
	s.exec(conn, "UPDATE item SET text = 'after' WHERE id = 10")
	s.wantAllUp()
	pgtest.WantEqual(s.t, s.nodes...)
}

func TestCancelEndsTheStatementWhereverItRuns(t *testing.T) {
	tests := []struct {
		name string
		held []int // nodes on which the row is locked
		sql  string
	}{
		{"read", nil, "SELECT pg_sleep(100) FROM item"},
		{"write that waits on main", []int{0, 1, 2}, "UPDATE item SET text = 'never' WHERE id = 1"},
		{"write that waits on the others", []int{1, 2}, "UPDATE item SET text = 'never' WHERE id = 1"},
		{"write that waits on one other", []int{2}, "UPDATE item SET text = 'never' WHERE id = 1"},
		{"lock", []int{0, 1, 2}, "BEGIN; LOCK TABLE item"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			var held []*pgtest.Node
			for _, id := range tt.held {
				held = append(held, s.nodes[id])
			}
			g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", held...)
			statement := startQuery(conn, tt.sql)
			if len(held) == 0 {
				s.busyNode("pg_sleep")
			} else if tt.held[0] == 0 {
				awaitWaiter(t, s.nodes[0])
			} else {
				awaitWaiter(t, held...)
			}
			cancel(t, conn)
			_, _ = statement.wait(t)
			g.open()
			if conn.PgConn().TxStatus() != 'I' {
				s.exec(conn, "ROLLBACK")
			}
			s.wantCancelled(conn, statement)
		})
	}
}

// A backend that has not begun with the statement when it is signalled ignores that; the others have ended theirs.
func TestCancelReachesANodeThatWasNotThereYet(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	s.exec(conn, "UPDATE item SET text = text WHERE id = 1")
	backends := direct(s.nodes[2], "SELECT pid FROM pg_stat_activity WHERE datname = 'app' AND backend_type = 'client backend' AND pid <> pg_backend_pid()")
	if len(backends) != 1 {
		t.Fatalf("backends of the session on node 2: %v", backends)
	}
	late, err := strconv.Atoi(backends[0])
	if err != nil {
		t.Fatal(err)
	}
	g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes...)
	signal(t, late, syscall.SIGSTOP)
	statement := startQuery(conn, "UPDATE item SET text = 'never' WHERE id = 1")
	awaitWaiter(t, s.nodes[0], s.nodes[1])
	cancel(t, conn)
	for _, node := range s.nodes[:2] {
		await(t, "the statement has ended", func() bool { return waiters(node) == 0 })
	}
	signal(t, late, syscall.SIGCONT)
	_, _ = statement.wait(t)
	g.open()
	s.wantCancelled(conn, statement)
}

func signal(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

func TestCancelOfAStatementInABlockAbortsTheBlockOnly(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	s.exec(conn, "BEGIN; UPDATE item SET text = 'never' WHERE id = 2")
	g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes...)
	statement := startQuery(conn, "UPDATE item SET text = 'never' WHERE id = 1")
	awaitWaiter(t, s.nodes[0])
	cancel(t, conn)
	_, _ = statement.wait(t)
	g.open()
	s.wantCode(conn, "SELECT 1", "25P02")
	s.exec(conn, "ROLLBACK")
	s.wantCancelled(conn, statement)
}

func TestCancelOfCopyFromStdin(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	w, copying := copyFrom(conn)
	if _, err := w.Write([]byte(copyLines(1000, 5000))); err != nil {
		t.Fatal(err)
	}
	for _, node := range s.nodes {
		await(t, "the node copies", func() bool {
			return len(direct(node, "SELECT 1 FROM pg_stat_progress_copy WHERE tuples_processed > 0")) > 0
		})
	}
	cancel(t, conn)
	go func() {
		w.Write([]byte(copyLines(10000, 5000)))
		w.Close()
	}()
	s.wantCancelled(conn, copying)
}

// TestCancelOfAQuestion: what pgchorus asks main about a table in front of a statement waits for who has
// it locked. What ends that ends the statement, which is not run on a guess.
func TestCancelOfAQuestion(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, itemTable+computedTable)
			const write = "INSERT INTO made (id) SELECT max(id) FROM item"
			run := func() ([]string, error) {
				_, err := conn.Exec(bounded(t), write, mode)
				return nil, err
			}
			g := hold(t, "LOCK TABLE made IN ACCESS EXCLUSIVE MODE", s.nodes[0])
			cancelled := start(run)
			awaitWaiter(t, s.nodes[0])
			cancel(t, conn)
			_, _ = cancelled.wait(t)
			s.exec(conn, "SET lock_timeout = 50")
			for _, block := range []bool{false, true} {
				if block {
					s.exec(conn, "BEGIN")
				}
				if _, err := run(); codeOf(err) != "55P03" {
					t.Errorf("in a block: %v: %v, want SQLSTATE 55P03", block, err)
				}
			}
			s.wantCode(conn, "SELECT 1", "25P02")
			s.exec(conn, "ROLLBACK")
			g.open()
			if _, err := run(); err != nil {
				t.Error(err)
			}
			s.want(conn, "SELECT count(*) FROM made", "1")
			s.wantCancelled(conn, cancelled)
		})
	}
}

func TestLateCancelHitsNothing(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	for range 50 {
		s.exec(conn, "UPDATE item SET text = text WHERE id = 1")
		cancel(t, conn)
		s.exec(conn, "UPDATE item SET text = text WHERE id = 2")
	}
	pgtest.WantEqual(t, s.nodes...)
}

func TestCancelNeedsTheRightKeyAndALivingSession(t *testing.T) {
	s := newStage(t)
	victim, gone := s.connect(), s.connect()
	s.exec(victim, itemTable)
	key := gone.PgConn().SecretKey()
	hangUp(gone)

	statement := startQuery(victim, "SELECT pg_sleep(0.5) FROM item WHERE id = 1")
	s.busyNode("pg_sleep")
	sendCancel(t, s, victim.PgConn().PID(), append([]byte{0}, key[1:]...))
	sendCancel(t, s, gone.PgConn().PID(), key)
	statement.must(t)
}

// sendCancel sends a CancelRequest of the test's own making.
func sendCancel(t testing.TB, s *stage, pid uint32, key []byte) {
	t.Helper()
	nc := s.dial()
	packet := []byte{0, 0, 0, byte(12 + len(key)), 4, 210, 22, 46, byte(pid >> 24), byte(pid >> 16), byte(pid >> 8), byte(pid)}
	if _, err := nc.Write(append(packet, key...)); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err == nil {
		t.Error("a CancelRequest was answered")
	}
}

// A storm of cancels at any moment: what is acknowledged is there, what is refused is
// not, nobody else is hit, and the nodes are equal.
func TestCancelStorm(t *testing.T) {
	const rounds, clients = 100, 4
	s := newStage(t)
	s.exec(s.connect(), "CREATE TABLE storm (id int PRIMARY KEY)")
	acked := make([][]int, clients)
	refused := make([][]int, clients)
	bystander := s.connect()
	var storm sync.WaitGroup
	for c := range clients {
		conn := s.connect()
		storm.Go(func() {
			for i := range rounds {
				id := c*rounds + i
				done := make(chan struct{})
				go func() {
					defer close(done)
					time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond) // any moment of the statement
					ctx, stop := context.WithTimeout(context.Background(), patience)
					defer stop()
					_ = conn.PgConn().CancelRequest(ctx)
				}()
				_, err := rowsOf(conn, fmt.Sprintf("INSERT INTO storm SELECT %d FROM pg_sleep(0.002)", id))
				switch {
				case err == nil:
					acked[c] = append(acked[c], id)
				case codeOf(err) == "57014":
					refused[c] = append(refused[c], id)
				default:
					t.Errorf("insert %d: %v", id, err)
				}
				<-done
			}
		})
	}
	for range 50 {
		if _, err := rowsOf(bystander, "SELECT count(*) FROM storm"); err != nil {
			t.Errorf("bystander: %v", err)
		}
	}
	storm.Wait()
	s.wantAllUp()
	pgtest.WantEqual(t, s.nodes...)
	for c := range clients {
		t.Logf("client %d: %d acknowledged, %d cancelled", c, len(acked[c]), len(refused[c]))
		for _, id := range acked[c] {
			s.want(bystander, fmt.Sprintf("SELECT count(*) FROM storm WHERE id = %d", id), "1")
		}
		for _, id := range refused[c] {
			s.want(bystander, fmt.Sprintf("SELECT count(*) FROM storm WHERE id = %d", id), "0")
		}
	}
}
