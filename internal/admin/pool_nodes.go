package admin

import (
	"cmp"
	"context"
	"strconv"
	"sync"

	"github.com/pgchorus/pgchorus/internal/config"
)

// The words of pg_status and pg_role.
const (
	serverUp      = "up"
	serverDown    = "down"
	serverUnknown = "unknown"
)

func (t *Tables) poolNodes(ctx context.Context, loadBalanceNode config.NodeID) Table {
	table := Table{Columns: []string{
		"node_id", "hostname", "port", "status", "pg_status", "lb_weight", "role", "pg_role", "select_cnt", "load_balance_node",
		"replication_delay", "replication_state", "replication_sync_state", "last_status_change",
	}}
	nodes := t.reporter.Nodes()
	servers := t.ping(ctx, nodes)
	weights := sumOfWeights(nodes)
	for i, n := range nodes {
		table.add(
			n.ID.String(), n.Host, strconv.Itoa(n.Port), n.Status, servers[i], floatText(share(n.Weight, weights)),
			n.Role, cmp.Or(n.ServerRole, n.Role), countText(n.Reads), strconv.FormatBool(n.ID == loadBalanceNode),
			n.Delay, n.ReplicationState, n.SyncState, timeText(n.Since),
		)
	}
	return table
}

// ping asks all servers at once, so that the slowest decides how long it takes. Those
// whose health check is off are not asked, as in Pgpool-II.
func (t *Tables) ping(ctx context.Context, nodes []Node) []string {
	answers := make([]string, len(nodes))
	var pings sync.WaitGroup
	for i, n := range nodes {
		if !n.Checked {
			answers[i] = serverUnknown
			continue
		}
		pings.Go(func() {
			answers[i] = serverDown
			if t.reporter.Ping(ctx, n.ID) {
				answers[i] = serverUp
			}
		})
	}
	pings.Wait()
	return answers
}

func sumOfWeights(nodes []Node) float64 {
	var sum float64
	for _, n := range nodes {
		sum += n.Weight
	}
	return sum
}

func share(weight, sum float64) float64 {
	if sum == 0 {
		return 0
	}
	return weight / sum
}
