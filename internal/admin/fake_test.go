package admin

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// fake reports what it was made with. Pings wait for each other when together is set,
// so that they only end if they are made at the same time.
type fake struct {
	cache    *Cache
	followed []Followed
	nodes    []Node
	sessions []Session
	sets     []Set
	up       map[config.NodeID]bool
	together *sync.WaitGroup
}

var _ Reporter = (*fake)(nil)

func (f *fake) Cache() *Cache { return f.cache }

func (f *fake) Followed() []Followed { return f.followed }

func (f *fake) Nodes() []Node       { return f.nodes }
func (f *fake) Sessions() []Session { return f.sessions }
func (f *fake) Sets() []Set         { return f.sets }

func (f *fake) Ping(ctx context.Context, id config.NodeID) bool {
	if f.together != nil {
		f.together.Done()
		f.together.Wait()
	}
	return f.up[id] && ctx.Err() == nil
}

// at is a time of one day in the local zone, which the tables show.
func at(hour, minute int) time.Time {
	return time.Date(2026, time.March, 5, hour, minute, 7, 0, time.Local)
}

const twoNodes = `
backend_clustering_mode = 'native_replication'
backend_hostname0 = 'a.example'
backend_port0 = 5432
backend_weight0 = 1
backend_hostname1 = 'b.example'
backend_port1 = 5433
backend_weight1 = 3
num_init_children = 3
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("pgpool.conf", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// show makes a table and checks that every row is as wide as its head.
func show(t *testing.T, r Reporter, name string, loadBalanceNode config.NodeID, cfg *config.Config) Table {
	t.Helper()
	table, ok := NewTables(r, "4.8 (pgchorus test)").Show(t.Context(), name, loadBalanceNode, cfg)
	if !ok {
		t.Fatalf("Show(%q) is not known", name)
	}
	for _, row := range table.Rows {
		if len(row) != len(table.Columns) {
			t.Fatalf("Show(%q) has %d columns and the row %q", name, len(table.Columns), row)
		}
	}
	return table
}
