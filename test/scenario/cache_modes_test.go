package scenario

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// The query cache where one node writes, and where its memory ends.

// TestNextNodeDoesNotAnswerForTheLastOne: in raw mode the next node may hold something else.
func TestNextNodeDoesNotAnswerForTheLastOne(t *testing.T) {
	t.Parallel()
	s := newStageIn(t, config.Raw, "memory_cache_enabled = on")
	for i, node := range s.nodes {
		if i > 0 {
			node.Exec("CREATE DATABASE " + database)
		}
		conn := node.ConnectTo(database)
		if _, err := conn.Exec(bounded(t), fmt.Sprintf("CREATE TABLE t AS SELECT %d AS node", i)); err != nil {
			t.Fatal(err)
		}
	}
	conn := s.connect()
	const read = "SELECT node FROM t"
	s.wantKept(conn, read, "0")
	run(t, conn, "INSERT INTO t VALUES (0)", "DELETE FROM t WHERE ctid = '(0,2)'")
	s.wantKept(conn, read, "0")
	s.nodes[0].Kill()
	s.proxy.WaitNodeStatus(0, "down")
	if got := one(t, s.connect(), read); got != "1" {
		t.Errorf("node = %s, want 1", got)
	}
	s.wantKept(s.connect(), read, "1")
}

// TestSubscriberThatLagsFillsNothing is TestStandbyThatLagsFillsNothing with a subscription
// that is switched off for a while.
func TestSubscriberThatLagsFillsNothing(t *testing.T) {
	t.Parallel()
	s := newLogicalStage(t, "memory_cache_enabled = on", "read_consistency = eventual", "delay_threshold = 0")
	pgtest.CreateEverywhere(s.nodes, "CREATE TABLE t (i int PRIMARY KEY, v int)")
	a, b := s.proxy.Connect(pgtest.Database), s.proxy.Connect(pgtest.Database)
	run(t, a, "INSERT INTO t VALUES (1, 1)")
	const read = "SELECT v FROM t"
	s.nodes[1].WaitRows(read, "1")
	s.wantKept(b, read, "1")
	s.nodes[1].Exec("ALTER SUBSCRIPTION node1 DISABLE")
	s.nodes[0].WaitRows("SELECT count(*) FROM pg_stat_replication WHERE application_name = 'node1'", "0")
	run(t, a, "UPDATE t SET v = 2")
	before := s.hits()
	for range 20 {
		if got := one(t, b, read); got == "1" && s.hits() != before {
			t.Fatal("what the subscriber shows was kept")
		}
	}
	s.nodes[1].Exec("ALTER SUBSCRIPTION node1 ENABLE")
	s.nodes[1].WaitRows(read, "2")
	s.wantKept(b, read, "2")
}

// TestSubscriberWhoseCommitIsNotSeenFillsNothing: its origin has moved, and others cannot
// see the transaction yet.
func TestSubscriberWhoseCommitIsNotSeenFillsNothing(t *testing.T) {
	t.Parallel()
	s := newLogicalStage(t, "memory_cache_enabled = on", "read_consistency = eventual")
	pgtest.CreateEverywhere(s.nodes, "CREATE TABLE t (i int PRIMARY KEY, v int)")
	a, b := s.proxy.Connect(pgtest.Database), s.proxy.Connect(pgtest.Database)
	run(t, a, "INSERT INTO t VALUES (1, 1)")
	const read = "SELECT v FROM t"
	s.nodes[1].WaitRows(read, "1")
	s.wantKept(b, read, "1")
	waitForNobody(s.nodes[1], "SET synchronous_commit = local; ALTER SUBSCRIPTION node1 DISABLE")
	s.nodes[0].WaitRows("SELECT count(*) FROM pg_stat_replication WHERE application_name = 'node1'", "0")
	s.nodes[1].Exec("SET synchronous_commit = local; ALTER SUBSCRIPTION node1 SET (synchronous_commit = on); ALTER SUBSCRIPTION node1 ENABLE")
	s.nodes[0].WaitRows("SELECT state FROM pg_stat_replication WHERE application_name = 'node1'", "streaming")
	run(t, a, "UPDATE t SET v = 2")
	s.nodes[1].WaitRows("SELECT wait_event FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "SyncRep")
	before := s.hits()
	for range 20 {
		if got := one(t, b, read); got == "1" && s.hits() != before {
			t.Fatal("what the subscriber shows was kept")
		}
	}
	goOn(s.nodes[1])
	s.nodes[1].WaitRows(read, "2")
	s.wantKept(b, read, "2")
}

// waitForNobody has COMMITs of a node wait for a standby that never comes, and runs
// statements there.
func waitForNobody(node *pgtest.Node, statements ...string) {
	node.Exec("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	node.Exec("SELECT pg_reload_conf()")
	node.WaitRows("SHOW synchronous_standby_names", "nobody")
	for _, sql := range statements {
		node.Exec(sql)
	}
}

// goOn ends that.
func goOn(node *pgtest.Node) {
	node.Exec("ALTER SYSTEM RESET synchronous_standby_names")
	node.Exec("SELECT pg_reload_conf()")
	node.WaitRows("SHOW synchronous_standby_names", "")
}

// TestCommitThatMayComeLater: the connection is lost while the server waits in COMMIT, and
// the server does it later.
func TestCommitThatMayComeLater(t *testing.T) {
	t.Parallel()
	for _, statements := range [][]string{
		{"UPDATE t SET v = 11"},
		{"BEGIN", "UPDATE t SET v = 11", "COMMIT"},
	} {
		t.Run(statements[len(statements)-1], func(t *testing.T) {
			nodes := pgtest.Start(t, 1)
			way := newRelay(t, nodes[0])
			lines := append(way.config(), "backend_clustering_mode = raw", "memory_cache_enabled = on", "health_check_period = 0")
			s := &stage{t: t, mode: config.Raw, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(lines...))}
			s.proxy.Exec("CREATE DATABASE " + database)
			a, b := s.proxy.Connect(database), s.proxy.Connect(database)
			run(t, a, "CREATE TABLE t (id int, v int)", "INSERT INTO t VALUES (1, 10)")
			const read, other = "SELECT v FROM t", "SELECT v FROM other"
			run(t, a, "CREATE TABLE other AS SELECT 5 AS v")
			s.wantKept(b, read, "10")
			s.wantKept(b, other, "5")

			waitForNobody(nodes[0])
			run(t, a, statements[:len(statements)-1]...)
			writing := startQuery(a, statements[len(statements)-1])
			nodes[0].WaitRows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "1")
			way.cut()
			if _, err := writing.wait(t); err == nil {
				t.Error("the commit was acknowledged")
			}
			b = s.proxy.Connect(database)
			for range 10 {
				s.wantAsked(b, read, "10")
			}
			goOn(nodes[0])
			nodes[0].WaitRows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "0")
			for range 10 {
				s.wantAsked(b, read, "11")
			}
			s.wantKept(b, other, "5")
		})
	}
}

// TestFloodOfAnswersStaysInItsBounds asks for more than there is room for.
func TestFloodOfAnswersStaysInItsBounds(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	s := cacheStage(t, "memqcache_total_size = 1MB", "memqcache_cache_block_size = 64kB", "memqcache_maxcache = 65536")
	conn := s.proxy.Connect(database)
	run(t, conn, "CREATE TABLE t AS SELECT repeat('x', 1000) AS v")
	for i := range 3000 {
		if got := one(t, conn, fmt.Sprintf("SELECT %d || v FROM t", i)); got == "" {
			t.Fatal("no answer")
		}
	}
	row := s.proxy.Query("SHOW POOL_CACHE")[0]
	const used = 6
	if bytes, err := strconv.Atoi(row[used]); err != nil || bytes > most || bytes < most/4 {
		t.Errorf("%d bytes are in use of %d (%v): %q", bytes, most, err, row)
	}
	run(t, conn, "UPDATE t SET v = 'short'")
	s.wantKept(conn, "SELECT v FROM t", "short")
}
