package stale

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/memcachedtest"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const database = "app"

// length is how long each test plays.
func length(t testing.TB) time.Duration {
	return time.Duration(pgtest.Given(t, "SECONDS", 15)) * time.Second / 3
}

func seed(t testing.TB) uint64 { return uint64(pgtest.Given(t, "SEED", 1)) }

// cached switches the query cache on. Checks of nodes are slow, since a machine that is slow is
// not to look like a dead node.
var cached = []string{
	"memory_cache_enabled = on", "cache_safe_memqcache_table_list = 'v_.*'",
	"health_check_period = 0", "connect_timeout = 30000", "deadlock_check_interval = 200ms",
}

// hits is how many reads were answered from memory.
func hits(t testing.TB, proxies []*proxy.Proxy) int {
	t.Helper()
	sum := 0
	for _, p := range proxies {
		n, err := strconv.Atoi(p.Query("SHOW POOL_CACHE")[0][0])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// prepare makes the tables.
func prepare(t testing.TB, p *proxy.Proxy) {
	t.Helper()
	p.Exec("CREATE DATABASE " + database)
	if err := send(p.Connect(database), []string{schema}); err != nil {
		t.Fatal(err)
	}
}

// TestNoReadIsStale plays with the cache in the process.
func TestNoReadIsStale(t *testing.T) {
	for _, mode := range []struct {
		name  string
		lines []string
	}{
		{"native_replication", nil},
		{"snapshot_isolation", []string{"backend_clustering_mode = snapshot_isolation"}},
		{"connections are lent for a transaction", []string{"pool_mode = transaction"}},
	} {
		t.Run(mode.name, func(t *testing.T) {
			nodes := pgtest.Start(t, 3)
			lines := append(mode.lines, cached...)
			proxies := []*proxy.Proxy{proxy.Start(t, nodes, proxy.WithConfig(lines...))}
			prepare(t, proxies[0])
			c := newChecker()
			c.keepsSnapshots = mode.name == "snapshot_isolation"
			c.start(seed(t), proxies, database, 3, 5)
			for end := time.Now().Add(length(t)); time.Now().Before(end) && c.wrong.Load() == nil; time.Sleep(10 * time.Millisecond) {
			}
			c.stop(t)
			wantHits(t, proxies)
			pgtest.WantEqual(t, nodes...)
		})
	}
}

func wantHits(t testing.TB, proxies []*proxy.Proxy) {
	t.Helper()
	n := hits(t, proxies)
	if n == 0 {
		t.Error("nothing was answered from memory")
	}
	t.Logf("%d answers from memory", n)
}

// sharing starts two proxies, each with its own way to one memcached. Their numbers tell
// their transactions apart.
func sharing(t testing.TB, nodes []*pgtest.Node, m *memcachedtest.Server, more ...string) (proxies []*proxy.Proxy, ways []*memcachedtest.Way) {
	t.Helper()
	for i, name := range []string{"a", "b"} {
		way := m.Way(t, name)
		lines := append([]string{"memqcache_method = memcached", "memqcache_memcached_host = '" + way.Socket + "'", "use_watchdog = on"}, cached...)
		lines = append(lines, more...)
		for n := range 2 {
			lines = append(lines, fmt.Sprintf("hostname%d = 'proxy%d'", n, n), fmt.Sprintf("wd_port%d = 9000", n), fmt.Sprintf("pgpool_port%d = 9999", n))
		}
		proxies = append(proxies, proxy.Start(t, nodes, proxy.WithConfig(lines...), proxy.WithFile("pgpool_node_id", strconv.Itoa(i))))
		ways = append(ways, way)
	}
	return proxies, ways
}

// TestNoSharedReadIsStale plays with two proxies, while memcached and the ways to it fail.
func TestNoSharedReadIsStale(t *testing.T) {
	nodes := pgtest.Start(t, 3)
	m := memcachedtest.Start(t, 64)
	proxies, ways := sharing(t, nodes, m, "commit_mode = main_last")
	prepare(t, proxies[0])
	c := newChecker()
	c.keepColumns()
	c.start(seed(t), proxies, database, 2, 3)
	troubles := []struct {
		name      string
		make, end func()
	}{
		{"memcached dies", m.Kill, m.Start},
		{"one proxy loses it", ways[0].Cut, ways[0].Mend},
		{"memcached hangs", m.Pause, m.Resume},
		{"memcached forgets", m.Forget, func() {}},
		{"the other loses it", ways[1].Cut, ways[1].Mend},
	}
	calm := int64(1000) // reads between two troubles
	if os.Getenv("SECONDS") == "" {
		troubles, calm = troubles[:2], 0
	}
	for end, n := time.Now().Add(length(t)), 0; n < len(troubles) || time.Now().Before(end) && c.wrong.Load() == nil; n++ {
		trouble := troubles[n%len(troubles)]
		c.wantHits(t, proxies)
		c.wantWork(t, calm, 0)
		t.Log(trouble.name)
		trouble.make()
		c.wantWork(t, 50, 20)
		trouble.end()
	}
	c.wantHits(t, proxies)
	c.stop(t)
	wantHits(t, proxies)
	pgtest.WantEqual(t, nodes...)
}

// wantHits waits until answers come from memory.
func (c *checker) wantHits(t testing.TB, proxies []*proxy.Proxy) {
	t.Helper()
	before := hits(t, proxies)
	for end := time.Now().Add(2 * patience); hits(t, proxies) < before+20; time.Sleep(20 * time.Millisecond) {
		if c.wrong.Load() != nil {
			return // stop tells
		}
		if time.Now().After(end) {
			t.Fatal("nothing is answered from memory any more")
		}
	}
}
