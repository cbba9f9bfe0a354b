package admin

import "strconv"

// poolNodeReasons is SHOW POOL_NODE_REASONS, which Pgpool-II does not have: why each node is
// in the state that it is in.
func (t *Tables) poolNodeReasons() Table {
	out := Table{Columns: []string{"node_id", "hostname", "port", "status", "last_status_change", "reason"}}
	for _, n := range t.reporter.Nodes() {
		out.add(strconv.Itoa(int(n.ID)), n.Host, strconv.Itoa(n.Port), n.Status, timeText(n.Since), n.Reason)
	}
	return out
}
