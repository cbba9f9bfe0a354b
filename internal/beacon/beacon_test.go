package beacon

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

func newBeacon(t testing.TB, nodes []*pgtest.Node) *Beacon {
	b := &Beacon{
		Live: func() []config.NodeID { return []config.NodeID{0, 1} },
		Connect: func(ctx context.Context, id config.NodeID) (*pgconn.PgConn, error) {
			return pgconn.Connect(ctx, nodes[id].Node.DSN(pgtest.Database))
		},
	}
	t.Cleanup(b.Close)
	return b
}

// wantShown fails the test unless a beacon sees these tokens, of proxies that are without
// and of those that have returned.
func wantShown(t testing.TB, b *Beacon, wantWithout, wantReturned []uint32) {
	t.Helper()
	without, returned, err := b.Shown(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]uint32{without, returned} {
		slices.Sort(list)
	}
	without, returned = slices.Compact(without), slices.Compact(returned)
	if !slices.Equal(without, wantWithout) || !slices.Equal(returned, wantReturned) {
		t.Errorf("shown are %d without and %d returned, want %d and %d", without, returned, wantWithout, wantReturned)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOthersSeeWhatIsShown(t *testing.T) {
	nodes := pgtest.Start(t, 2)
	ctx := context.Background()
	one, two, watcher := newBeacon(t, nodes), newBeacon(t, nodes), newBeacon(t, nodes)
	wantShown(t, watcher, nil, nil)
	must(t, one.Declare(ctx, 7))
	must(t, one.Declare(ctx, 7)) // again and again
	must(t, two.Declare(ctx, 1<<31-1))
	wantShown(t, watcher, []uint32{7, 1<<31 - 1}, nil)
	must(t, one.Return(ctx, 7))
	wantShown(t, watcher, []uint32{1<<31 - 1}, []uint32{7})
	must(t, one.Withdraw(ctx, 7))
	wantShown(t, watcher, []uint32{1<<31 - 1}, nil)
	two.Close() // as when it dies
	nodes[0].WaitRows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "0")
	nodes[1].WaitRows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "0")
	wantShown(t, watcher, nil, nil)
}

// TestLostConnectionShowsAgain: what is declared again is shown over a new connection.
func TestLostConnectionShowsAgain(t *testing.T) {
	nodes := pgtest.Start(t, 2)
	ctx := context.Background()
	one, watcher := newBeacon(t, nodes), newBeacon(t, nodes)
	must(t, one.Declare(ctx, 7))
	for id, at := range one.conns {
		nodes[id].Exec(fmt.Sprintf("SELECT pg_terminate_backend(%d)", at.conn.PID()))
		nodes[id].WaitRows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", "0")
	}
	must(t, one.Declare(ctx, 7))
	wantShown(t, watcher, []uint32{7}, nil)
}

// TestNodeThatCannotBeAsked makes what the others show unknown.
func TestNodeThatCannotBeAsked(t *testing.T) {
	nodes := pgtest.Start(t, 2)
	watcher := newBeacon(t, nodes)
	wantShown(t, watcher, nil, nil)
	nodes[1].Kill()
	if _, _, err := watcher.Shown(context.Background()); err == nil {
		t.Error("a node that is gone has shown nothing")
	}
}
