package admin

import (
	"strconv"
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
// where every node gets every write.
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
	if cache := t.reporter.Cache(); cache != nil {
		switch item {
		case "memqcache_cache_hits":
			return strconv.FormatUint(cache.Hits, 10)
		case "memqcache_no_cache_hits":
			return strconv.FormatUint(cache.Misses, 10)
		}
	}
	return "0"
}
