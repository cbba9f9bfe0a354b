package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/test/proxy"
)

func TestFrontendThatIsTooManyWaitsForAPlace(t *testing.T) {
	s := newStage(t, proxy.WithConfig("num_init_children = 3"))
	first, second, third := s.connect(), s.connect(), s.connect()
	waiting := start(func() ([]string, error) {
		conn, err := s.tryConnect()
		if err != nil {
			return nil, err
		}
		return rowsOf(conn, "SELECT 'served'")
	})
	// It hangs in the kernel's queue, which does not tell; that it is not served is
	// seen from the places, all of which stay in use.
	s.want(third, "SELECT 1", "1")
	select {
	case <-waiting.done:
		t.Fatalf("a frontend too many was served: %v", waiting.err)
	default:
	}
	hangUp(first)
	if rows := waiting.must(t); rows[0] != "served" {
		t.Errorf("%q", rows)
	}
	s.want(second, "SELECT 1", "1")
}

func TestFrontendThatIsTooManyIsRefusedWithReservedConnections(t *testing.T) {
	s := newStage(t, proxy.WithConfig("num_init_children = 4", "reserved_connections = 1"))
	conns := []*pgx.Conn{s.connect(), s.connect(), s.connect()}
	if _, err := s.tryConnect(); codeOf(err) != "53300" {
		t.Errorf("frontend too many: %v, want SQLSTATE 53300", err)
	}
	hangUp(conns[0])
	await(t, "a place is free", func() bool { _, err := s.tryConnect(); return err == nil })
}

func TestCancelReachesAFullServer(t *testing.T) {
	s := newStage(t, proxy.WithConfig("num_init_children = 2"))
	s.exec(s.connect(), itemTable)
	conn := s.connect()
	g := hold(t, "LOCK TABLE item IN ACCESS EXCLUSIVE MODE", s.nodes...)
	defer g.open()
	write := startQuery(conn, "UPDATE item SET text = 'new'")
	awaitWaiter(t, s.nodes[0])
	cancel(t, conn)
	if _, err := write.wait(t); codeOf(err) != "57014" {
		t.Errorf("cancelled write: %v", err)
	}
}
