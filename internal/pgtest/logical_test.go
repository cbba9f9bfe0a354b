package pgtest_test

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

func TestSubscribersApplyWhatThePublisherCommits(t *testing.T) {
	t.Parallel()
	nodes := pgtest.StartLogical(t, 3, pgtest.WithSCRAM("it's a secret"))
	publisher := nodes[0]
	pgtest.CreateEverywhere(nodes, "CREATE TABLE t (x int PRIMARY KEY, y text); INSERT INTO t VALUES (0, 'everywhere')")

	publisher.Exec("INSERT INTO t VALUES (1, 'one'), (2, 'two'); UPDATE t SET y = 'deux' WHERE x = 2; DELETE FROM t WHERE x = 1")
	for _, subscriber := range nodes[1:] {
		subscriber.WaitCaughtUp(publisher)
		subscriber.WantRows("SELECT x, y FROM t ORDER BY 1", "0|everywhere", "2|deux")
		subscriber.WantRows("SELECT subname, subslotname FROM pg_subscription", subscriber.ReplicationName()+"|"+subscriber.ReplicationName())
		subscriber.WantRows("SELECT pg_is_in_recovery()", "f")
	}
	publisher.WantRows("SELECT application_name, state FROM pg_stat_replication ORDER BY 1", "node1|streaming", "node2|streaming")
	publisher.WantRows("SELECT slot_name, slot_type FROM pg_replication_slots ORDER BY 1", "node1|logical", "node2|logical")

	// A table made later is subscribed to as well.
	pgtest.CreateEverywhere(nodes, "CREATE TABLE later (x int)")
	publisher.Exec("INSERT INTO later VALUES (1)")
	for _, subscriber := range nodes[1:] {
		subscriber.WaitCaughtUp(publisher)
	}
	for _, subscriber := range nodes[1:] {
		subscriber.WantRows("SELECT x FROM later", "1")
	}
}
