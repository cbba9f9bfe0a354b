package budget

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const (
	database = "budget"
	// warmUp has buffers grown and catalogues read before anything is counted.
	warmUp   = 300
	measured = 2000
	// ownAffairs is how much of the server's own work may be counted with a turn: the timers
	// of its parts, and the question itself.
	ownAffairs = 0.2
)

// roads are what a frontend does, and what pgchorus may use for each turn: objects on the
// heap, and reads and writes together. Replies that come in pieces would cost more reads.
var roads = []struct {
	name    string
	config  []string
	prepare [][]byte
	turns   [][]byte // in turn
	objects float64
	calls   float64
}{
	{name: "simple read", turns: once(query("SELECT v FROM t WHERE id = 7")), objects: 0, calls: 6},
	// The object is the copy of a text that the session has not seen lately.
	{name: "simple read of many keys", turns: keyed("SELECT v FROM t WHERE id = %d"), objects: 1, calls: 6},
	{name: "prepared read", prepare: once(parseRead), turns: once(execute("read", "7")), objects: 0, calls: 6},
	{name: "simple update", turns: once(query("UPDATE t SET v = v + 1 WHERE id = 7")), objects: 0, calls: 21},
	{name: "prepared update", prepare: once(parseWrite), turns: once(execute("write", "7")), objects: 0, calls: 21},
	{name: "simple update of many keys", turns: keyed("UPDATE t SET v = v + 1 WHERE id = %d"), objects: 1, calls: 21},
	{name: "insert", turns: once(query("INSERT INTO log (v) VALUES (7)")), objects: 8, calls: 21},
	{name: "transaction", turns: [][]byte{query("BEGIN"), query("UPDATE t SET v = v + 1 WHERE id = 7"), query("SELECT v FROM t WHERE id = 7"), query("COMMIT")}, objects: 0, calls: 8},
	// Objects are the texts, and the values and facts of the insert.
	{name: "transaction of many keys", turns: transactions(), objects: 2, calls: 9},
	{name: "prepared transaction", prepare: [][]byte{parseRead, parseWrite},
		turns: [][]byte{query("BEGIN"), execute("write", "7"), execute("read", "7"), query("COMMIT")}, objects: 0, calls: 8},
	{name: "simple insert of a row", turns: keyed("INSERT INTO entry VALUES (%d, 'an entry')"), objects: 1, calls: 21},
	// The first server alone writes: the marks of two would be in each other's way.
	{name: "simple read that is not prepared by us", config: plain, turns: keyed("SELECT v FROM t WHERE id = %d"), objects: 1, calls: 6},
	{name: "prepared cache hit", config: cached, prepare: once(parseRead), turns: once(execute("read", "7")), objects: 0, calls: 3},
	{name: "cache hit", config: cached, turns: once(query("SELECT v FROM t WHERE id = 7")), objects: 0, calls: 3},
}

var (
	parseRead  = parse("read", "SELECT v FROM t WHERE id = $1")
	parseWrite = parse("write", "UPDATE t SET v = v + 1 WHERE id = $1")
)

func once(turn []byte) [][]byte { return [][]byte{turn} }

// keyed is a statement with more keys than a session remembers texts.
func keyed(format string) [][]byte {
	var turns [][]byte
	for key := range 1000 {
		turns = append(turns, query(fmt.Sprintf(format, key)))
	}
	return turns
}

// transactions are those of pgbench -N, each with keys of its own.
func transactions() [][]byte {
	var turns [][]byte
	for key := range 200 {
		for _, text := range []string{"BEGIN", "UPDATE t SET v = v + %d WHERE id = 7", "SELECT v FROM t WHERE id = %d", "INSERT INTO entry (id, v, at) VALUES (%d, 'an entry', CURRENT_TIMESTAMP)", "COMMIT"} {
			if strings.Contains(text, "%") {
				text = fmt.Sprintf(text, key)
			}
			turns = append(turns, query(text))
		}
	}
	return turns
}

var plain = []string{"auto_prepare = off"}

var cached = []string{"memory_cache_enabled = on", "memqcache_expire = 0"}

func TestRoadsKeepTheirBudgets(t *testing.T) {
	nodes := pgtest.Start(t, 3)
	proxies := map[string]*proxy.Proxy{}
	for _, road := range roads {
		config := strings.Join(road.config, "\n")
		p := proxies[config]
		if p == nil {
			p = start(t, nodes, road.config...)
			proxies[config] = p
		}
		t.Run(road.name, func(t *testing.T) {
			objects, calls := measure(t, p, road.prepare, road.turns)
			t.Logf("%.2f objects, %.2f reads and writes", objects, calls)
			if objects > road.objects+ownAffairs {
				t.Errorf("%.2f objects for a turn, want at most %v", objects, road.objects)
			}
			if calls > road.calls+ownAffairs {
				t.Errorf("%.2f reads and writes for a turn, want at most %v", calls, road.calls)
			}
		})
	}
	pgtest.WantEqual(t, nodes...)
}

// start makes the table with the first server.
func start(t *testing.T, nodes []*pgtest.Node, config ...string) *proxy.Proxy {
	t.Helper()
	// Reads go to a node that is not main: the longer of the two roads.
	config = append([]string{"health_check_period = 0", "backend_weight0 = 0"}, config...)
	p := proxy.Start(t, nodes, proxy.WithConfig(config...), proxy.WithCounters())
	if rows := p.Query("SELECT 1 FROM pg_database WHERE datname = '" + database + "'"); len(rows) == 0 {
		p.Exec("CREATE DATABASE " + database)
		conn := connect(t, p, database)
		conn.ask(query("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE log (id serial PRIMARY KEY, v int); CREATE TABLE entry (id int, v text, at timestamptz); INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) g"))
	}
	return p
}

// measure is what a turn costs on a connection that has had many.
func measure(t *testing.T, p *proxy.Proxy, prepare, turns [][]byte) (objects, calls float64) {
	t.Helper()
	f := connect(t, p, database)
	for _, messages := range prepare {
		f.ask(messages)
	}
	for i := range warmUp {
		f.ask(turns[i%len(turns)])
	}
	before := p.Counters()
	for i := range measured {
		f.ask(turns[i%len(turns)])
	}
	used := p.Counters().Sub(before)
	return float64(used.Objects) / measured, float64(used.Reads+used.Writes) / measured
}
