package scenario

import (
	"strconv"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// newLogicalStage is a publisher and two subscribers of its database postgres. Reads go
// to node 1.
func newLogicalStage(t testing.TB, lines ...string) *stage {
	t.Helper()
	nodes := pgtest.StartLogical(t, 3)
	lines = append([]string{
		"backend_clustering_mode = logical_replication", "sr_check_period = 1", "sr_check_user = " + nodes[0].Superuser,
		"backend_weight0 = 0", "backend_weight1 = 1", "backend_weight2 = 0",
		"backend_flag0 = 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER'",
		"backend_application_name1 = node1", "backend_application_name2 = node2",
	}, lines...)
	return &stage{t: t, mode: config.LogicalReplication, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(lines...))}
}

func TestPublisherWritesAndSubscribersRead(t *testing.T) {
	s := newLogicalStage(t, "read_consistency_timeout = 10000")
	pgtest.CreateEverywhere(s.nodes, "CREATE TABLE t (i int PRIMARY KEY, port int)")
	conn, other := s.proxy.Connect(pgtest.Database), s.proxy.Connect(pgtest.Database)
	for i := range 20 {
		s.want(conn, "INSERT INTO t VALUES ("+strconv.Itoa(i)+", inet_server_port()) RETURNING port", port(s.nodes[0]))
		s.want(conn, "SELECT count(*), inet_server_port() FROM t", strconv.Itoa(i+1)+"|"+port(s.nodes[1]))
	}
	s.exec(conn, "BEGIN; DELETE FROM t WHERE i < 10")
	s.want(conn, "SELECT count(*), inet_server_port() FROM t", "10|"+port(s.nodes[0]))
	s.exec(conn, "COMMIT")
	s.want(conn, "SELECT count(*), inet_server_port() FROM t", "10|"+port(s.nodes[1]))
	s.want(other, "SELECT inet_server_port()", port(s.nodes[1]))
	s.want(other, "SELECT inet_server_port() FROM t WHERE i = 10 FOR UPDATE", port(s.nodes[0]))
}

// TestSubscriberThatLags has a subscription that is switched off for a while.
func TestSubscriberThatLags(t *testing.T) {
	s := newLogicalStage(t, "read_consistency_timeout = 0", "delay_threshold = 10000")
	pgtest.CreateEverywhere(s.nodes, "CREATE TABLE t (i int PRIMARY KEY, text text)")
	conn, other := s.proxy.Connect(pgtest.Database), s.proxy.Connect(pgtest.Database)
	s.nodes[1].Exec("ALTER SUBSCRIPTION node1 DISABLE")
	s.nodes[0].WaitRows("SELECT count(*) FROM pg_stat_replication WHERE application_name = 'node1'", "0")
	s.exec(conn, "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 1000) AS i")
	s.want(conn, "SELECT count(*), inet_server_port() FROM t", "1000|"+port(s.nodes[0]))
	await(t, "reads of others keep away from it", func() bool {
		rows, err := rowsOf(other, "SELECT inet_server_port()")
		return err == nil && rows[0] == port(s.nodes[0])
	})
	s.nodes[1].Exec("ALTER SUBSCRIPTION node1 ENABLE")
	s.nodes[1].WaitRows("SELECT count(*) FROM t", "1000")
	await(t, "it is read again", func() bool {
		rows, err := rowsOf(conn, "SELECT count(*), inet_server_port() FROM t")
		return err == nil && rows[0] == "1000|"+port(s.nodes[1])
	})
	const role, delay = 6, 10
	for i, want := range []string{"primary", "standby", "standby"} {
		if row := s.proxy.Query("SHOW POOL_NODES")[i]; row[role] != want {
			t.Errorf("node %d is shown as %q, want %q: %q", i, row[role], want, row)
		}
	}
	await(t, "no delay is shown", func() bool { return s.proxy.Query("SHOW POOL_NODES")[1][delay] == "0" })
}

// TestSubscriberWhoseCommitCannotBeSeenYet has the subscriber wait for a standby of its own
// between the moment in which its replication origin moves and that in which others can see
// the transaction.
func TestSubscriberWhoseCommitCannotBeSeenYet(t *testing.T) {
	s := newLogicalStage(t, "read_consistency_timeout = 200")
	pgtest.CreateEverywhere(s.nodes, "CREATE TABLE t (i int PRIMARY KEY)")
	subscriber := s.nodes[1]
	setForAll := func(names string) {
		subscriber.Exec("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'")
		subscriber.Exec("SELECT pg_reload_conf()")
		subscriber.WaitRows("SHOW synchronous_standby_names", names)
	}
	setForAll("nobody")
	defer setForAll("")
	subscriber.Exec("SET synchronous_commit = local; ALTER SUBSCRIPTION node1 DISABLE")
	s.nodes[0].WaitRows("SELECT count(*) FROM pg_stat_replication WHERE application_name = 'node1'", "0")
	subscriber.Exec("SET synchronous_commit = local; ALTER SUBSCRIPTION node1 SET (synchronous_commit = on); ALTER SUBSCRIPTION node1 ENABLE")
	s.nodes[0].WaitRows("SELECT state FROM pg_stat_replication WHERE application_name = 'node1'", "streaming")
	conn := s.proxy.Connect(pgtest.Database)
	s.exec(conn, "INSERT INTO t VALUES (1)")
	subscriber.WaitRows("SELECT wait_event FROM pg_stat_activity WHERE wait_event = 'SyncRep'", "SyncRep")
	s.want(conn, "SELECT count(*), inet_server_port() FROM t", "1|"+port(s.nodes[0]))
}

func TestSubscriberIsLost(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel() // it waits for checks
			s := newLogicalStage(t)
			pgtest.CreateEverywhere(s.nodes, "CREATE TABLE t (i int PRIMARY KEY)")
			conn := s.proxy.Connect(pgtest.Database)
			s.exec(conn, "INSERT INTO t VALUES (1)")
			s.want(conn, "SELECT count(*) FROM t", "1")
			fault.cause(s.nodes[1])
			s.want(conn, "SELECT count(*) FROM t", "1")
			s.exec(conn, "INSERT INTO t VALUES (2)")
			s.want(conn, "SELECT count(*) FROM t", "2")
			s.proxy.WaitNodeStatus(1, "down")
			fault.after(s.nodes[1])
		})
	}
}
