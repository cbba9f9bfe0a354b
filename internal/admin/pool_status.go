package admin

import (
	"strings"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// poolStatus is the configuration, with the few items between that are not.
func (t *Tables) poolStatus(cfg *config.Config) Table {
	table := Table{Columns: []string{"item", "value", "description"}}
	nodes := t.reporter.Nodes()
	for _, item := range cfg.Status() {
		if item.Live {
			item.Value = t.liveValue(item.Name, nodes)
		}
		table.add(item.Name, item.Value, item.Description)
	}
	return table
}

// liveValue is the value of an item that is not configuration. Nodes have no delay
// where every node gets every write, and there is no query cache to count for.
func (t *Tables) liveValue(item string, nodes []Node) string {
	if id, ok := strings.CutPrefix(item, "backend_status"); ok {
		for _, n := range nodes {
			if n.ID.String() == id {
				return n.Status
			}
		}
		return ""
	}
	if item == "memqcache_stats_start_time" {
		return t.started.Local().Format(time.ANSIC)
	}
	return "0"
}

// poolCache is one row of zeros, as with the query cache off.
func poolCache() Table {
	return Table{
		Columns: []string{
			"num_cache_hits", "num_selects", "cache_hit_ratio", "num_hash_entries", "used_hash_entries", "num_cache_entries",
			"used_cache_entries_size", "free_cache_entries_size", "fragment_cache_entries_size",
		},
		Rows: [][]string{{"0", "0", "0.00", "0", "0", "0", "0", "0", "0"}},
	}
}
