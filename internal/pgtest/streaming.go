package pgtest

import (
	"maps"
	"strconv"
	"testing"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// StartStreaming starts n nodes of which node 0 is a primary and the others are hot
// standbys of it, made by pg_basebackup. A standby's application_name and its slot on
// the primary are both called nodeN. When StartStreaming returns, all of them stream.
// Replication is asynchronous, as PostgreSQL has it by default.
func StartStreaming(t testing.TB, n int, opts ...Option) []*Node {
	t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	settings := localpg.StreamingSettings()
	maps.Copy(settings, quickReplication())
	primary := start(ctx, t, 1, settings, opts)[0]
	cluster := primary.Cluster
	if _, err := cluster.AddStandbys(ctx, primary.Node, n-1); err != nil {
		t.Fatalf("make standbys: %v", err)
	}
	if err := cluster.Start(ctx); err != nil {
		t.Fatalf("start standbys: %v", err)
	}
	nodes := nodesOf(t, cluster)
	for _, standby := range nodes[1:] {
		standby.waitStreams(primary)
	}
	return nodes
}

// quickReplication has positions reported and broken connections made again at once,
// so that tests need not wait.
func quickReplication() map[string]string {
	return map[string]string{
		"wal_receiver_status_interval": "1s",
		"wal_retrieve_retry_interval":  "50ms",
		// A subscriber reports what is flushed, which the WAL writer sees to.
		"wal_writer_delay": "10ms",
	}
}

// waitStreams waits until the node receives from primary as it is written.
func (n *Node) waitStreams(primary *Node) {
	n.t.Helper()
	primary.WaitRows("SELECT state FROM pg_stat_replication WHERE application_name = '"+n.ReplicationName()+"'", "streaming")
}

// WaitCaughtUp waits until the node, a standby or subscriber of primary, has applied
// everything that was committed there before the call. Tables of a subscriber that are
// still copied count too.
func (n *Node) WaitCaughtUp(primary *Node) {
	n.t.Helper()
	position := primary.Query("SELECT pg_current_wal_lsn()")[0][0]
	if n.Query("SELECT pg_is_in_recovery()")[0][0] == "t" {
		n.WaitRows("SELECT pg_last_wal_replay_lsn() >= '"+position+"'", "t")
		return
	}
	n.WaitRows("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", "0")
	// A subscriber's replay_lsn is what it has committed (send_feedback in worker.c).
	primary.WaitRows("SELECT replay_lsn >= '"+position+"' FROM pg_stat_replication WHERE application_name = '"+n.ReplicationName()+"'", "t")
}

// PauseReplay makes a standby receive and keep the WAL without applying it.
func (n *Node) PauseReplay() {
	n.t.Helper()
	n.Exec("SELECT pg_wal_replay_pause()")
	// The request is not the pause: what is being applied is finished first. Servers
	// before 14 cannot say more than that it was requested.
	paused := "SELECT pg_get_wal_replay_pause_state() = 'paused'"
	if version, _ := strconv.Atoi(n.Query("SHOW server_version_num")[0][0]); version < 140000 {
		paused = "SELECT pg_is_wal_replay_paused()"
	}
	n.WaitRows(paused, "t")
}

// ResumeReplay ends PauseReplay.
func (n *Node) ResumeReplay() {
	n.t.Helper()
	n.Exec("SELECT pg_wal_replay_resume()")
}

// Promote makes a standby a primary; it takes writes when Promote returns. The other
// standbys do not follow by themselves, see Follow.
func (n *Node) Promote() {
	n.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	n.must("promote", n.Node.Promote(ctx))
}

// Follow makes the node a standby of primary, whatever it was before and whether it
// runs or not, and waits until it streams. What only the node has is undone.
func (n *Node) Follow(primary *Node) {
	n.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	n.must("restart as a standby", n.Node.Follow(ctx, primary.Node))
	n.waitStreams(primary)
}
