package admin

import (
	"context"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// TestColumns holds the names against Pgpool-II's documentation of each command, since
// monitoring tools go by them.
func TestColumns(t *testing.T) {
	tests := []struct{ name, columns string }{
		{"pool_status", "item value description"},
		{"pool_nodes", "node_id hostname port status pg_status lb_weight role pg_role select_cnt load_balance_node " +
			"replication_delay replication_state replication_sync_state last_status_change"},
		{"pool_processes", "pool_pid start_time client_connection_count database username backend_connection_time pool_counter status"},
		{"pool_pools", "pool_pid start_time client_connection_count pool_id backend_id database username backend_connection_time " +
			"client_connection_time client_disconnection_time client_idle_duration majorversion minorversion pool_counter " +
			"pool_backendpid pool_connected status load_balance_node client_host client_port statement"},
		{"pool_version", "pool_version"},
		{"pool_cache", "num_cache_hits num_selects cache_hit_ratio num_hash_entries used_hash_entries num_cache_entries " +
			"used_cache_entries_size free_cache_entries_size fragment_cache_entries_size"},
		{"pool_health_check_stats", "node_id hostname port status role last_status_change total_count success_count fail_count " +
			"skip_count retry_count average_retry_count max_retry_count max_duration min_duration average_duration " +
			"last_health_check last_successful_health_check last_skip_health_check last_failed_health_check"},
		{"pool_node_reasons", "node_id hostname port status last_status_change reason"},
		{"pool_cache_nodes", "database node_id status delay last_status_change reason"},
		{"pool_backend_stats", "node_id hostname port status role select_cnt insert_cnt update_cnt delete_cnt ddl_cnt other_cnt " +
			"panic_cnt fatal_cnt error_cnt"},
	}
	cfg := parse(t, twoNodes)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(show(t, &fake{}, tt.name, 0, cfg).Columns, " "); got != tt.columns {
				t.Errorf("columns are\n%s, want\n%s", got, tt.columns)
			}
		})
	}
}

func TestNoSuchTable(t *testing.T) {
	for _, name := range []string{"", "pool", "pool_node", "POOL_NODES", "server_version"} {
		if _, ok := NewTables(&fake{}, "").Show(t.Context(), name, 0, parse(t, twoNodes)); ok {
			t.Errorf("Show(%q) is known", name)
		}
	}
}

func TestRows(t *testing.T) {
	up := Node{ID: 0, Host: "a.example", Port: 5432, Status: "up", Role: "main", Delay: "0", Weight: 1, Since: at(9, 0), Reads: 12, Checked: true,
		Commands: Commands{Select: 12, Insert: 1, Update: 2, Delete: 3, DDL: 4, Other: 5, Panic: 6, Fatal: 7, Error: 8},
		Health: Health{Total: 19, Success: 12, Fail: 1, Skip: 6, Retry: 3, AverageRetry: 3.0 / 13, MaxRetry: 3,
			MaxDuration: 83003 * time.Millisecond, MinDuration: 900 * time.Microsecond, AverageDuration: 6390.307692,
			LastCheck: at(10, 1), LastSuccess: at(10, 2), LastSkip: at(10, 3), LastFail: at(10, 4)}}
	down := Node{ID: 1, Host: "b.example", Port: 5433, Status: "down", Reason: "fenced", Role: "replica", Delay: "0", Weight: 3, Since: at(9, 5), Checked: true,
		Health: Health{AverageRetry: math.NaN(), AverageDuration: math.NaN(), MinDuration: math.MaxInt32 * time.Millisecond}}
	unchecked := Node{ID: 2, Host: "/tmp", Port: 5434, Status: "quarantine", Role: "replica", Delay: "0"}
	standby := Node{ID: 1, Host: "b.example", Port: 5433, Status: "up", Role: "standby", ServerRole: "unknown", Weight: 1, Since: at(9, 5),
		Delay: "120", ReplicationState: "streaming", SyncState: "async"}
	busy := Session{ID: 41, User: "ann", Database: "shop", Frontend: "[::1]:6000", State: "Execute command",
		Started: at(8, 0), Connected: at(7, 0), Uses: 4, LoadBalanceNode: 1, Backends: map[config.NodeID]uint32{1: 701, 0: 700}}
	local := Session{ID: 42, User: "bob", Database: "shop", Frontend: "@", State: "Idle", Started: at(8, 1), Connected: at(8, 1), Uses: 1,
		Backends: map[config.NodeID]uint32{0: 702}}
	kept := Set{User: "ann", Database: "shop", Created: at(6, 0), Connected: at(6, 1), Disconnected: at(6, 2), Uses: 9,
		Backends: map[config.NodeID]uint32{0: 703}}
	all := &fake{nodes: []Node{up, down, unchecked}, up: map[config.NodeID]bool{0: true, 2: true}, sessions: []Session{busy, local}, sets: []Set{kept}, followed: []Followed{
		{Database: "shop", Node: 0, Following: true, Delay: 1500 * time.Microsecond, Since: at(9, 0)},
		{Database: "shop", Node: 1, Since: at(9, 1)},
		{Database: "shop", Node: 2, Since: at(9, 2), Reason: "wal_level is not logical"},
	}}

	lagging := NewTables(&fake{nodes: []Node{standby}}, "")
	if table, _ := lagging.Show(t.Context(), "pool_nodes", 0, parse(t, twoNodes)); strings.Join(table.Rows[0], "|") !=
		"1|b.example|5433|up|unknown|1.000000|standby|unknown|0|false|120|streaming|async|2026-03-05 09:05:07" {
		t.Errorf("a standby is shown as %q", table.Rows)
	}

	tests := []struct {
		name  string
		table string
		conf  string
		want  []string // fields joined with |
	}{
		{"nodes", "pool_nodes", "", []string{
			"0|a.example|5432|up|up|0.250000|main|main|12|false|0|||2026-03-05 09:00:07",
			"1|b.example|5433|down|down|0.750000|replica|replica|0|true|0|||2026-03-05 09:05:07",
			"2|/tmp|5434|quarantine|unknown|0.000000|replica|replica|0|false|0|||"}},
		{"health checks, none of them yet on two nodes", "pool_health_check_stats", "", []string{
			"0|a.example|5432|up|main|2026-03-05 09:00:07|19|12|1|6|3|0.230769|3|83003|0|6390.307692|" +
				"2026-03-05 10:01:07|2026-03-05 10:02:07|2026-03-05 10:03:07|2026-03-05 10:04:07",
			"1|b.example|5433|down|replica|2026-03-05 09:05:07|0|0|0|0|0|nan|0|0|2147483647|nan||||",
			"2|/tmp|5434|quarantine|replica||0|0|0|0|0|0.000000|0|0|0|0.000000||||"}},
		{"commands", "pool_backend_stats", "", []string{
			"0|a.example|5432|up|main|12|1|2|3|4|5|6|7|8",
			"1|b.example|5433|down|replica|0|0|0|0|0|0|0|0|0",
			"2|/tmp|5434|quarantine|replica|0|0|0|0|0|0|0|0|0"}},
		{"connections, those of sessions first", "pool_pools", "", []string{
			"41|2026-03-05 08:00:07|0|0|0|shop|ann|2026-03-05 07:00:07|2026-03-05 08:00:07||0|3|0|4|700|1|Execute command|0|::1|6000|",
			"41|2026-03-05 08:00:07|0|0|1|shop|ann|2026-03-05 07:00:07|2026-03-05 08:00:07||0|3|0|4|701|1|Execute command|1|::1|6000|",
			"42|2026-03-05 08:01:07|0|0|0|shop|bob|2026-03-05 08:01:07|2026-03-05 08:01:07||0|3|0|1|702|1|Idle|1|[local]||",
			"0|START|0|0|0|shop|ann|2026-03-05 06:00:07|2026-03-05 06:01:07|2026-03-05 06:02:07|0|3|0|9|703|0|Wait for connection|0|||"}},
		{"sessions and the place that is left", "pool_processes", "", []string{
			"41|2026-03-05 08:00:07|0|shop|ann|2026-03-05 07:00:07|4|Execute command",
			"42|2026-03-05 08:01:07|0|shop|bob|2026-03-05 08:01:07|1|Idle",
			"0|START|0|||||Wait for connection"}},
		{"more sessions than places, as in a reload", "pool_processes", "num_init_children = 1", []string{
			"41|2026-03-05 08:00:07|0|shop|ann|2026-03-05 07:00:07|4|Execute command",
			"42|2026-03-05 08:01:07|0|shop|bob|2026-03-05 08:01:07|1|Idle"}},
		{"version", "pool_version", "", []string{"4.8 (pgchorus test)"}},
		{"why nodes are in their state", "pool_node_reasons", "", []string{"0|a.example|5432|up|2026-03-05 09:00:07|",
			"1|b.example|5433|down|2026-03-05 09:05:07|fenced", "2|/tmp|5434|quarantine||"}},
		{"nodes that are followed", "pool_cache_nodes", "", []string{"shop|0|following|1.5|2026-03-05 09:00:07|",
			"shop|1|starting||2026-03-05 09:01:07|", "shop|2|not following||2026-03-05 09:02:07|wal_level is not logical"}},
		{"cache that is off", "pool_cache", "", []string{"0|0|0.00|0|0|0|0|0|0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, row := range show(t, all, tt.table, 1, parse(t, twoNodes+tt.conf)).Rows {
				got = append(got, strings.Join(withoutStart(row), "|"))
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// withoutStart replaces the time of the program's start in the rows of places.
func withoutStart(row []string) []string {
	if len(row) > 1 && row[0] == "0" && strings.HasPrefix(row[1], "20") {
		row[1] = "START"
	}
	return row
}

func TestStatusHasLiveItems(t *testing.T) {
	r := &fake{nodes: []Node{{ID: 0, Status: "up"}, {ID: 1, Status: "down"}}}
	values := map[string]string{}
	for _, row := range show(t, r, "pool_status", 0, parse(t, twoNodes)).Rows {
		values[row[0]] = row[1]
	}
	want := map[string]string{
		"backend_status0": "up", "backend_status1": "down", "standby_delay1": "0", "backend_weight1": "0.750000",
		"memqcache_cache_hits": "0", "memqcache_no_cache_hits": "0", "num_init_children": "3",
	}
	for item, value := range want {
		if values[item] != value {
			t.Errorf("%s = %q, want %q", item, values[item], value)
		}
	}
	if _, err := time.Parse(time.ANSIC, values["memqcache_stats_start_time"]); err != nil {
		t.Errorf("memqcache_stats_start_time: %v", err)
	}
}

func TestStatusOfNodeThatIsNotReported(t *testing.T) {
	for _, row := range show(t, &fake{}, "pool_status", 0, parse(t, twoNodes)).Rows {
		if row[0] == "backend_status1" && row[1] != "" {
			t.Errorf("backend_status1 = %q, want nothing", row[1])
		}
	}
}

func TestServersAreAskedAtTheSameTime(t *testing.T) {
	r := &fake{nodes: []Node{{ID: 0, Checked: true}, {ID: 1, Checked: true}, {ID: 2, Checked: true}}, together: &sync.WaitGroup{}}
	r.together.Add(3)
	show(t, r, "pool_nodes", 0, parse(t, twoNodes))
}

func TestNodesAreShownWhenTheStatementEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &fake{nodes: []Node{{ID: 0, Checked: true}}, up: map[config.NodeID]bool{0: true}}
	table, _ := NewTables(r, "").Show(ctx, "pool_nodes", 0, parse(t, twoNodes))
	if got := table.Rows[0][4]; got != "down" {
		t.Errorf("pg_status = %q, want down", got)
	}
}
