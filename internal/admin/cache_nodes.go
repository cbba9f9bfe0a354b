package admin

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Followed is how a node is followed in a database, for the query cache (cache_follow_wal).
type Followed struct {
	Database  string
	Node      config.NodeID
	Following bool
	Delay     time.Duration // of the news, if Following
	Since     time.Time
	Reason    string // why it is not
}

// poolCacheNodes is SHOW POOL_CACHE_NODES, which Pgpool-II does not have: which databases
// have answers in memory, as far as their nodes are followed. The delay is in milliseconds.
func (t *Tables) poolCacheNodes() Table {
	out := Table{Columns: []string{"database", "node_id", "status", "delay", "last_status_change", "reason"}}
	for _, f := range t.reporter.Followed() {
		status, delay := "starting", ""
		switch {
		case f.Following:
			status, delay = "following", fmt.Sprintf("%.1f", float64(f.Delay.Microseconds())/1000)
		case f.Reason != "":
			status = "not following"
		}
		out.add(f.Database, strconv.Itoa(int(f.Node)), status, delay, timeText(f.Since), f.Reason)
	}
	return out
}
