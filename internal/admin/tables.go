package admin

import (
	"context"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Table is an answer: names of columns, and rows with one text for each of them.
type Table struct {
	Columns []string
	Rows    [][]string
}

// add appends a row; a missing value is the empty text.
func (t *Table) add(values ...string) { t.Rows = append(t.Rows, values) }

// Tables makes the tables of SHOW POOL_*. It is safe for concurrent use if its
// Reporter is.
type Tables struct {
	reporter Reporter
	version  string
	started  time.Time
}

// NewTables shows what r reports. The version begins with the number of the Pgpool-II
// whose interfaces are served, since monitoring tools parse it.
func NewTables(r Reporter, version string) *Tables {
	return &Tables{reporter: r, version: version, started: time.Now()}
}

// Show makes the table of SHOW name, with the name in lower case, for a session whose
// reads go to loadBalanceNode and whose configuration is cfg. It is false for a name
// that is no such command. Only pool_nodes waits, for the servers, until ctx ends.
func (t *Tables) Show(ctx context.Context, name string, loadBalanceNode config.NodeID, cfg *config.Config) (Table, bool) {
	switch name {
	case "pool_status":
		return t.poolStatus(cfg), true
	case "pool_nodes":
		return t.poolNodes(ctx, loadBalanceNode), true
	case "pool_processes":
		return t.poolProcesses(cfg), true
	case "pool_pools":
		return t.poolPools(), true
	case "pool_version":
		return Table{Columns: []string{"pool_version"}, Rows: [][]string{{t.version}}}, true
	case "pool_cache":
		return poolCache(t.reporter.Cache()), true
	case "pool_cache_nodes":
		return t.poolCacheNodes(), true
	case "pool_health_check_stats":
		return t.poolHealthCheckStats(), true
	case "pool_backend_stats":
		return t.poolBackendStats(), true
	case "pool_node_reasons":
		return t.poolNodeReasons(), true
	}
	return Table{}, false
}
