package routing

import (
	"strconv"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// lagPatience bounds what is waited for; it only ends what hangs.
const lagPatience = 30 * time.Second

// lagStage is a streaming cluster whose standbys can be made to lag, and the server in
// front of it. All nodes but the primary have a weight.
type lagStage struct {
	*Stage
	t     *testing.T
	proxy *proxy.Proxy
}

// newLagStage starts the server with these settings for the cluster of all lag tests.
func newLagStage(t *testing.T, s *Stage, settings ...string) *lagStage {
	t.Helper()
	p := proxy.Start(t, s.Nodes, proxy.WithConfig(s.Config(settings)...))
	s.Player.DSN = p.DSN
	s.AwaitPrimary(t)
	return &lagStage{Stage: s, t: t, proxy: p}
}

// reads is where the statements of a new session ran, in order.
func (s *lagStage) reads(statements ...string) []Nodes {
	s.t.Helper()
	var script Script
	for _, sql := range statements {
		script.Statements = append(script.Statements, Statement{SQL: sql})
	}
	seen, err := s.Player.Play(&script, Simple)
	if err != nil {
		s.t.Fatal(err)
	}
	var where []Nodes
	for i, one := range seen {
		if one.Err != nil {
			s.t.Fatalf("%s: %v", statements[i], one.Err)
		}
		where = append(where, one.Nodes)
	}
	return where
}

// wantReads fails the test unless the read of a new session runs on node id.
func (s *lagStage) wantReads(when string, id int) {
	s.t.Helper()
	if got := s.reads("SELECT 1 AS {}")[0]; got != NodesOf(id) {
		s.t.Errorf("%s: a read ran on %s, want %d", when, got, id)
	}
}

// awaitReads waits until reads of new sessions run on node id: the proxy learns of a
// delay at its next check.
func (s *lagStage) awaitReads(when string, id int) {
	s.t.Helper()
	for end := time.Now().Add(lagPatience); ; {
		got := s.reads("SELECT 1 AS {}")[0]
		if got == NodesOf(id) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: reads run on %s after %v, want %d", when, got, lagPatience, id)
		}
	}
}

// writeMuch makes more WAL than the thresholds of the tests.
func (s *lagStage) writeMuch() {
	s.t.Helper()
	s.Nodes[mainNode].Exec("SELECT pg_logical_emit_message(false, 'routing', repeat('x', 1000)) FROM generate_series(1, 300)")
}

func TestReadsKeepAwayFromStandbysThatLag(t *testing.T) {
	cluster := NewStreaming(t)
	thresholds := []struct{ name, setting string }{
		{"by bytes", "delay_threshold = 100000"},
		{"by time", "delay_threshold_by_time = 200"},
	}
	for _, threshold := range thresholds {
		t.Run(threshold.name, func(t *testing.T) {
			s := newLagStage(t, cluster, threshold.setting)
			lagging := s.Nodes[loadBalanceNode].In(t)
			s.awaitReads("nothing lags", loadBalanceNode)
			lagging.PauseReplay()
			s.writeMuch()
			s.awaitReads("the standby lags", mainNode)
			s.wantReads("the standby still lags", mainNode)
			lagging.ResumeReplay()
			s.awaitReads("it has caught up", loadBalanceNode)
		})
	}
	t.Run("prefer_lower_delay_standby", func(t *testing.T) {
		s := newLagStage(t, cluster, "delay_threshold = 100000", "prefer_lower_delay_standby = on",
			// Node 1 is chosen by the redirect, node 2 is there to be preferred.
			"backend_weight1 = 1", "backend_weight2 = 1", "database_redirect_preference_list = '"+Database+":1'")
		s.awaitReads("nothing lags", loadBalanceNode)
		lagging, other := s.Nodes[1].In(t), s.Nodes[2].In(t)
		lagging.PauseReplay()
		s.writeMuch()
		s.awaitReads("one standby lags", other.ID)
		s.wantReads("one standby still lags", other.ID)
		other.PauseReplay()
		s.writeMuch()
		s.awaitReads("both standbys lag", mainNode)
		lagging.ResumeReplay()
		other.ResumeReplay()
		s.awaitReads("both have caught up", loadBalanceNode)
	})
	t.Run("no threshold", func(t *testing.T) {
		s := newLagStage(t, cluster)
		lagging := s.Nodes[loadBalanceNode].In(t)
		lagging.PauseReplay()
		defer lagging.ResumeReplay()
		s.writeMuch()
		s.wantReads("no threshold is set", loadBalanceNode)
	})
}

func TestReplicationDelayIsShown(t *testing.T) {
	s := newLagStage(t, NewStreaming(t), "delay_threshold = 100000")
	lagging := s.Nodes[loadBalanceNode].In(t)
	lagging.PauseReplay()
	s.writeMuch()
	const delayColumn = 10 // of SHOW POOL_NODES
	for end := time.Now().Add(lagPatience); ; {
		delay := s.proxy.Query("SHOW POOL_NODES")[loadBalanceNode][delayColumn]
		if bytes, err := strconv.Atoi(delay); err == nil && bytes > 100_000 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("replication_delay is %q after %v", delay, lagPatience)
		}
	}
	lagging.ResumeReplay()
}

// TestReadsOfOwnWrites: with read_consistency = session a session never reads a state
// older than its own last commit.
func TestReadsOfOwnWrites(t *testing.T) {
	s := newLagStage(t, NewStreaming(t), "read_consistency = session")
	lagging := s.Nodes[loadBalanceNode].In(t)
	lagging.PauseReplay()
	where := s.reads("SELECT 1 AS {}", "INSERT INTO t AS {} VALUES (500)", "SELECT count(*) AS {} FROM t WHERE id = 500", "SELECT 1 AS {}")
	want := []Nodes{NodesOf(loadBalanceNode), NodesOf(mainNode), NodesOf(mainNode), NodesOf(mainNode)}
	for i := range where {
		if where[i] != want[i] {
			t.Errorf("statement %d of the session that writes ran on %s, want %s", i, where[i], want[i])
		}
	}
	s.wantReads("a session that has written nothing does not wait", loadBalanceNode)
	lagging.ResumeReplay()
	lagging.WaitCaughtUp(s.Nodes[mainNode])
	s.wantReads("the standby has caught up", loadBalanceNode)
}

// TestReadsOfOwnWritesComeBackToTheStandby: what was read on the primary because of
// lag is read on the standby again when it has caught up.
func TestReadsOfOwnWritesComeBackToTheStandby(t *testing.T) {
	s := newLagStage(t, NewStreaming(t), "read_consistency = session", "read_consistency_timeout = 10000")
	where := s.reads("INSERT INTO t AS {} VALUES (501)", "SELECT count(*) AS {} FROM t WHERE id = 501")
	if want := NodesOf(loadBalanceNode); where[1] != want {
		t.Errorf("the read ran on %s, want %s: it can wait for the standby, which does not lag", where[1], want)
	}
}

// TestReadsGoOnWithoutAPrimary: without a primary reads go on.
func TestReadsGoOnWithoutAPrimary(t *testing.T) {
	s := newLagStage(t, NewStreaming(t), "search_primary_node_timeout = 1")
	s.wantReads("all is well", loadBalanceNode)
	s.Nodes[mainNode].In(t).Stop()
	s.proxy.WaitNodeStatus(mainNode, "down")
	s.Player.Journals = s.Player.Journals[1:]
	s.wantReads("the primary is down", loadBalanceNode)
	s.Nodes[loadBalanceNode].In(t).Promote()
	s.awaitWrites(loadBalanceNode)
}

// awaitWrites waits until a write runs on node id.
func (s *lagStage) awaitWrites(id int) {
	s.t.Helper()
	for end := time.Now().Add(lagPatience); ; {
		script := Script{Statements: []Statement{{SQL: "INSERT INTO t AS {} VALUES (502)"}}}
		seen, err := s.Player.Play(&script, Simple)
		if err == nil && seen[0].Err == nil && seen[0].Nodes == NodesOf(id) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("writes do not run on node %d after %v: %v (%v)", id, lagPatience, seen, err)
		}
	}
}
