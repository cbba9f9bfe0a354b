package scenario

import (
	"strconv"
	"testing"

	"github.com/pgchorus/pgchorus/internal/memcachedtest"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// sharedStages are two proxies in front of the same nodes, each with its own way to one
// memcached.
type sharedStages struct {
	memcached *memcachedtest.Server
	ways      [2]*memcachedtest.Way
	stages    [2]*stage
}

func newSharedStages(t testing.TB, lines ...string) *sharedStages {
	t.Helper()
	return sharedStagesOf(t, pgtest.Start(t, 3), lines...)
}

// sharedStagesOf is newSharedStages with nodes that are there.
func sharedStagesOf(t testing.TB, nodes []*pgtest.Node, lines ...string) *sharedStages {
	t.Helper()
	s := &sharedStages{memcached: memcachedtest.Start(t, 64)}
	for i := range s.stages {
		s.ways[i] = s.memcached.Way(t, []string{"a", "b"}[i])
		all := append([]string{"memory_cache_enabled = on", "memqcache_method = memcached", "memqcache_memcached_host = '" + s.ways[i].Socket + "'",
			"commit_mode = main_last"}, lines...)
		// The number tells the proxies' transactions apart.
		all = append(all, "use_watchdog = on", "hostname0 = 'a'", "wd_port0 = 9000", "pgpool_port0 = 9000", "hostname1 = 'b'", "wd_port1 = 9000", "pgpool_port1 = 9000")
		number := proxy.WithFile("pgpool_node_id", strconv.Itoa(i))
		s.stages[i] = &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(all...), number)}
	}
	s.stages[0].proxy.Exec("CREATE DATABASE " + database)
	return s
}

// TestProxiesShareAnswersAndInvalidations: what one proxy has kept the other gives out, and
// what one has written ends what the other has kept.
func TestProxiesShareAnswersAndInvalidations(t *testing.T) {
	t.Parallel()
	s := newSharedStages(t)
	one, two := s.stages[0], s.stages[1]
	a, b := one.proxy.Connect(database), two.proxy.Connect(database)
	run(t, a, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 10)")
	const read = "SELECT v FROM t WHERE id = 1"
	one.wantKept(a, read, "10")
	two.wantKept(b, read, "10")

	run(t, a, "UPDATE t SET v = 11 WHERE id = 1")
	two.wantAsked(b, read, "11")
	one.wantKept(a, read, "11")
	run(t, b, "BEGIN", "UPDATE t SET v = 12 WHERE id = 1")
	one.wantKept(a, read, "11")
	run(t, b, "COMMIT")
	one.wantAsked(a, read, "12")
	one.wantKept(a, read, "12")

	// What a text means is changed by the other proxy.
	run(t, b, "CREATE TABLE log (n int)", "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (1); RETURN NEW; END'",
		"CREATE TRIGGER note AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note()")
	two.wantKept(b, "SELECT count(*) FROM log", "0")
	run(t, a, "UPDATE t SET v = 13 WHERE id = 1")
	two.wantAsked(b, "SELECT count(*) FROM log", "1")
}

// TestProxyThatLosesMemcached goes on writing, and the other one, which has not lost it, is
// not stale.
func TestProxyThatLosesMemcached(t *testing.T) {
	t.Parallel()
	s := newSharedStages(t)
	one, two := s.stages[0], s.stages[1]
	a, b := one.proxy.Connect(database), two.proxy.Connect(database)
	run(t, a, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 10)")
	const read = "SELECT v FROM t WHERE id = 1"
	two.wantKept(b, read, "10")

	s.ways[0].Cut()
	run(t, a, "UPDATE t SET v = 11 WHERE id = 1")
	two.wantAsked(b, read, "11")
	run(t, a, "BEGIN", "UPDATE t SET v = 12 WHERE id = 1", "COMMIT")
	two.wantAsked(b, read, "12")
	one.wantAsked(a, read, "12")

	s.ways[0].Mend()
	one.wantKept(a, read, "12")
	two.wantKept(b, read, "12")
	run(t, a, "UPDATE t SET v = 13 WHERE id = 1")
	two.wantAsked(b, read, "13")
}
