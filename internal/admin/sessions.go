package admin

import (
	"maps"
	"net"
	"slices"
	"strconv"

	"github.com/pgchorus/pgchorus/internal/config"
)

// waiting is the state of a place that no session has.
const waiting = "Wait for connection"

// poolProcesses has a row for each session, and one for each place that is left of
// num_init_children: monitoring tools compute from the two how full we are. A
// session has served nobody before its own frontend, so its count is 0.
func (t *Tables) poolProcesses(cfg *config.Config) Table {
	table := Table{Columns: []string{
		"pool_pid", "start_time", "client_connection_count", "database", "username", "backend_connection_time", "pool_counter", "status",
	}}
	sessions := t.reporter.Sessions()
	for _, s := range sessions {
		table.add(sessionID(s), timeText(s.Started), "0", s.Database, s.User, timeText(s.Connected), strconv.Itoa(s.Uses), stateOf(s))
	}
	for range cfg.Listen.NumInitChildren - len(sessions) {
		table.add("0", timeText(t.started), "0", "", "", "", "", waiting)
	}
	return table
}

// stateOf is the status of a session.
func stateOf(s Session) string {
	if s.Pin == "" {
		return s.State
	}
	return s.State + ", keeps its connections: " + s.Pin
}

// poolPools has a row for each connection to a node: those of the sessions, then the
// kept ones, which belong to no session and have their place among themselves as
// pool_id.
func (t *Tables) poolPools() Table {
	table := Table{Columns: []string{
		"pool_pid", "start_time", "client_connection_count", "pool_id", "backend_id", "database", "username",
		"backend_connection_time", "client_connection_time", "client_disconnection_time", "client_idle_duration",
		"majorversion", "minorversion", "pool_counter", "pool_backendpid", "pool_connected", "status", "load_balance_node",
		"client_host", "client_port", "statement",
	}}
	for _, s := range t.reporter.Sessions() {
		table.addSession(s)
	}
	for place, set := range t.reporter.Sets() {
		table.addSet(place, timeText(t.started), set)
	}
	return table
}

func (t *Table) addSession(s Session) {
	host, port := splitFrontend(s.Frontend)
	for _, id := range nodesOf(s.Backends) {
		t.add(
			sessionID(s), timeText(s.Started), "0", "0", id.String(), s.Database, s.User,
			timeText(s.Connected), timeText(s.Started), "", "0",
			"3", "0", strconv.Itoa(s.Uses), pidText(s.Backends[id]), "1", s.State, bitText(id == s.LoadBalanceNode),
			host, port, "",
		)
	}
}

func (t *Table) addSet(place int, started string, set Set) {
	for _, id := range nodesOf(set.Backends) {
		t.add(
			"0", started, "0", strconv.Itoa(place), id.String(), set.Database, set.User,
			timeText(set.Created), timeText(set.Connected), timeText(set.Disconnected), "0",
			"3", "0", strconv.Itoa(set.Uses), pidText(set.Backends[id]), "0", waiting, "0",
			"", "", "",
		)
	}
}

func nodesOf(backends map[config.NodeID]uint32) []config.NodeID {
	return slices.Sorted(maps.Keys(backends))
}

func sessionID(s Session) string { return pidText(s.ID) }

func pidText(pid uint32) string { return strconv.FormatUint(uint64(pid), 10) }

// splitFrontend gives host and port; a Unix socket has neither, and libpq's name.
func splitFrontend(address string) (host, port string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "[local]", ""
	}
	return host, port
}
