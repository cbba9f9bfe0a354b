package pgtest_test

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

func TestStandbysReplayWhatThePrimaryCommits(t *testing.T) {
	t.Parallel()
	nodes := pgtest.StartStreaming(t, 3)
	primary := nodes[0]
	primary.WantRows("SELECT application_name, state, sync_state FROM pg_stat_replication ORDER BY 1", "node1|streaming|async", "node2|streaming|async")
	primary.WantRows("SELECT slot_name, active FROM pg_replication_slots ORDER BY 1", "node1|t", "node2|t")
	primary.WantRows("SELECT pg_is_in_recovery()", "f")

	primary.Exec("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
	system := primary.Query("SELECT system_identifier FROM pg_control_system()")[0][0]
	for _, standby := range nodes[1:] {
		standby.WaitCaughtUp(primary)
		standby.WantRows("SELECT x, pg_is_in_recovery() FROM t", "1|t")
		standby.WantRows("SELECT system_identifier FROM pg_control_system()", system)
		if _, err := standby.Try("INSERT INTO t VALUES (2)"); sqlState(err) != "25006" {
			t.Errorf("node %d took a write: %v", standby.ID, err)
		}
	}
}

func TestPausedReplayStandsStillAndCatchesUp(t *testing.T) {
	t.Parallel()
	nodes := pgtest.StartStreaming(t, 2)
	primary, standby := nodes[0], nodes[1]
	primary.Exec("CREATE TABLE t (x int)")
	standby.WaitCaughtUp(primary)

	standby.PauseReplay()
	primary.Exec("INSERT INTO t SELECT generate_series(1, 10000)")
	position := primary.Query("SELECT pg_current_wal_flush_lsn()")[0][0]
	standby.WaitRows("SELECT pg_last_wal_receive_lsn() >= '"+position+"'", "t")
	standby.WantRows("SELECT count(*) FROM t", "0")

	standby.ResumeReplay()
	standby.WaitCaughtUp(primary)
	standby.WantRows("SELECT count(*) FROM t", "10000")
}

func TestStandbyThatWasDownGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	nodes := pgtest.StartStreaming(t, 2)
	primary, standby := nodes[0], nodes[1]
	standby.Kill()
	primary.Exec("CREATE TABLE t (x int); INSERT INTO t SELECT generate_series(1, 10000)")
	primary.Exec("SELECT pg_switch_wal(); CHECKPOINT") // without a slot, the segments would go
	standby.Start()
	standby.WaitCaughtUp(primary)
	standby.WantRows("SELECT count(*) FROM t", "10000")
}

func TestPromotedStandbyTakesWritesAndOthersFollowIt(t *testing.T) {
	t.Parallel()
	nodes := pgtest.StartStreaming(t, 3, pgtest.WithSCRAM("it's a secret"))
	old, next, third := nodes[0], nodes[1], nodes[2]
	old.Exec("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
	third.WaitCaughtUp(old)
	third.Kill() // it must not receive what next does not have
	next.WaitCaughtUp(old)

	next.PauseReplay() // which a promotion ends
	next.Promote()
	next.WantRows("SELECT pg_is_in_recovery()", "f")
	next.Exec("INSERT INTO t VALUES (2)")
	old.Exec("INSERT INTO t VALUES (666)") // only it has this one
	old.Kill()

	for _, node := range []*pgtest.Node{third, old} {
		node.Follow(next)
		node.WaitCaughtUp(next)
		node.WantRows("SELECT x FROM t ORDER BY 1", "1", "2")
		node.WantRows("SELECT count(*) FROM pg_replication_slots", "0")
	}
	next.WantRows("SELECT application_name FROM pg_stat_replication ORDER BY 1", "node0", "node2")
	pgtest.WantEqual(t, nodes...)
}

func TestSettingsOfTheTestWin(t *testing.T) {
	t.Parallel()
	nodes := pgtest.StartStreaming(t, 2, pgtest.WithSettings(map[string]string{"wal_level": "logical"}))
	for _, node := range nodes {
		node.WantRows("SHOW wal_level", "logical")
	}
}
