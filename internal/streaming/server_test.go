package streaming_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/internal/streaming"
)

// patience ends what hangs. No test waits for a length of time.
const patience = 30 * time.Second

// world is a monitor of real servers with a real cluster manager.
type world struct {
	*streaming.Monitor
	manager *cluster.Manager
	nodes   []*pgtest.Node
	logs    *observer.ObservedLogs
}

// settingsOf are what a configuration would say of the nodes.
func settingsOf(nodes []*pgtest.Node) streaming.Settings {
	s := streaming.Settings{CheckPeriod: 50 * time.Millisecond}
	for _, n := range nodes {
		s.Nodes = append(s.Nodes, streaming.Node{ID: config.NodeID(n.ID), Host: n.Host, Port: n.Port, ApplicationName: n.ReplicationName()})
	}
	return s
}

// watch starts manager and monitor, and waits until a primary is found.
func watch(t *testing.T, nodes []*pgtest.Node, s streaming.Settings) *world {
	t.Helper()
	return watchAs(t, nodes, s, "")
}

// watchAs asks the servers as another user, if one is given.
func watchAs(t *testing.T, nodes []*pgtest.Node, s streaming.Settings, user string) *world {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	cfg := cluster.Config{HasPrimary: true, FailoverOnBackendError: true}
	for _, n := range nodes {
		cfg.Nodes = append(cfg.Nodes, cluster.NodeConfig{ID: config.NodeID(n.ID), Host: n.Host, Port: n.Port, ConnectTimeout: patience})
	}
	w := &world{nodes: nodes, logs: logs}
	w.manager = cluster.NewManager(cfg, &cluster.PostgresProber{}, nil, nil, zap.New(core), nil)
	connect := func(ctx context.Context, id config.NodeID) (*pgx.Conn, error) {
		return pgx.Connect(ctx, nodes[id].DSN())
	}
	w.Monitor = streaming.New(func() streaming.Settings { return s }, w.manager, connect, zap.New(core))
	if err := w.manager.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.manager.Run(ctx) }) //nolint:errcheck // ctx
	running.Go(func() { w.Run(ctx) })         //nolint:errcheck // ctx
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if t.Failed() {
			for _, e := range logs.All() {
				t.Log(e.Level, e.Message, e.ContextMap())
			}
		}
	})
	w.until(t, "a primary is found", func() bool { _, ok := w.manager.View().Main(); return ok })
	return w
}

// until asks again and again, giving way to others, until it is so.
func (w *world) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it does not come about that %s; delays %+v, %+v", what, w.Delay(0), w.Delay(1))
		}
	}
}

func (w *world) wantPrimary(t *testing.T, want config.NodeID) {
	t.Helper()
	w.until(t, fmt.Sprintf("node %d is the primary", want), func() bool { got, ok := w.manager.View().Main(); return ok && got == want })
}

// caught asks with a bound that only a standby which cannot catch up reaches.
func (w *world) caught(t *testing.T, id config.NodeID) bool {
	t.Helper()
	return w.Caught(t.Context(), id, time.Now(), patience)
}

func TestStreaming(t *testing.T) {
	nodes := pgtest.StartStreaming(t, 3)
	w := watch(t, nodes, settingsOf(nodes))
	w.wantPrimary(t, 0)
	nodes[0].Exec("CREATE TABLE t (x int)")

	t.Run("a standby catches up with each commit", func(t *testing.T) {
		for i := range 50 {
			nodes[0].Exec("INSERT INTO t VALUES (1)")
			id := 1 + i%2
			if !w.caught(t, config.NodeID(id)) {
				t.Fatalf("node %d does not catch up", id)
			}
			nodes[id].WantRows("SELECT count(*) FROM t", fmt.Sprint(i+1))
		}
	})
	t.Run("what it was told of lag and state", func(t *testing.T) {
		w.until(t, "all is known of node 1", func() bool {
			d := w.Delay(1)
			return d.Known && d.Bytes == 0 && d.State == "streaming" && d.SyncState == "async"
		})
		if w.ServerRole(0) != "primary" || w.ServerRole(1) != "standby" || w.ServerRole(7) != "unknown" {
			t.Errorf("roles %s, %s, %s", w.ServerRole(0), w.ServerRole(1), w.ServerRole(7))
		}
	})
	t.Run("what is known needs no wait", func(t *testing.T) {
		since := time.Now()
		if !w.Caught(t.Context(), 1, since, patience) || !w.Caught(t.Context(), 1, since, 0) {
			t.Error("it was caught, and then it was not")
		}
		if w.Caught(t.Context(), 1, time.Now().Add(time.Hour), 0) {
			t.Error("caught up with the future")
		}
		if !w.Caught(t.Context(), 0, time.Now(), 0) {
			t.Error("the primary does not have its own commits")
		}
	})
	t.Run("an open transaction that has written much", func(t *testing.T) { testOpenTransaction(t, w) })
	t.Run("a paused standby", func(t *testing.T) { testPausedReplay(t, w) })
	t.Run("a standby that hangs", func(t *testing.T) { testHangingStandby(t, w) })
	t.Run("many sessions wait at once", func(t *testing.T) { testCrowd(t, w) })
	t.Run("another primary", func(t *testing.T) { testSwitchover(t, w) })
}

// testOpenTransaction: the primary's position is in the middle of a record for as long
// as nobody commits.
func testOpenTransaction(t *testing.T, w *world) {
	writer := w.nodes[0].Connect()
	for i := range 5 {
		for _, sql := range []string{"BEGIN", fmt.Sprintf("INSERT INTO t SELECT generate_series(1, %d)", 1000+137*i)} {
			if _, err := writer.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		// The WAL writer has then written what it writes without a commit.
		w.nodes[0].WaitRows("SELECT pg_current_wal_insert_lsn() - pg_current_wal_lsn() < 8192", "t")
		if !w.caught(t, 1) || !w.caught(t, 2) {
			t.Error("a standby waits for a transaction that is not committed")
		}
		if _, err := writer.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

func testPausedReplay(t *testing.T, w *world) {
	paused := w.nodes[1]
	paused.PauseReplay()
	w.nodes[0].Exec("INSERT INTO t SELECT generate_series(1, 1000)")
	since := time.Now()
	if w.Caught(t.Context(), 1, since, 100*time.Millisecond) {
		t.Error("a paused standby has caught up")
	}
	if !w.Caught(t.Context(), 2, since, patience) {
		t.Error("the other standby has not caught up")
	}
	w.until(t, "the delay is seen", func() bool { d := w.Delay(1); return d.Known && d.Bytes > 0 && d.Time > 0 })
	first := w.Delay(1)
	w.until(t, "the delay grows in time", func() bool { return w.Delay(1).Time > 2*first.Time })
	w.nodes[0].Exec("INSERT INTO t SELECT generate_series(1, 1000)")
	w.until(t, "the delay grows in bytes", func() bool { return w.Delay(1).Bytes > first.Bytes })
	if greatest, known := w.MaxDelay(); greatest < w.Delay(2).Time || !known {
		t.Errorf("greatest delay %v, %t", greatest, known)
	}
	paused.ResumeReplay()
	if !w.Caught(t.Context(), 1, since, patience) {
		t.Error("a standby that goes on does not catch up")
	}
	w.until(t, "the delay is over", func() bool { d := w.Delay(1); return d.Known && d.Bytes == 0 && d.Time < time.Second })
}

func testHangingStandby(t *testing.T, w *world) {
	w.nodes[1].Pause()
	defer w.nodes[1].Resume()
	for range 20 {
		w.nodes[0].Exec("INSERT INTO t VALUES (1)")
		began := time.Now()
		if !w.Caught(t.Context(), 2, began, patience) {
			t.Error("a standby does not catch up while another one hangs")
		}
		// Far above what it takes and below any time limit for a node.
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	}
	w.until(t, "nothing is known of the node that hangs", func() bool { return !w.Delay(1).Known })
	if !w.Delay(2).Known {
		t.Error("nothing is known of the other standby")
	}
	if _, known := w.MaxDelay(); known {
		t.Error("the greatest delay is known though one is not")
	}
	if primary, _ := w.manager.View().Main(); primary != 0 {
		t.Errorf("primary %d", primary)
	}
}

func testCrowd(t *testing.T, w *world) {
	if !w.caught(t, 1) {
		t.Fatal("the standby that hung does not catch up")
	}
	before := w.nodes[1].Query("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")[0][0]
	var crowd sync.WaitGroup
	for range 2000 {
		crowd.Go(func() {
			if !w.caught(t, 1) {
				t.Error("a session waits in vain")
			}
		})
	}
	crowd.Wait()
	w.nodes[1].WantRows("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'", before)
}

// testSwitchover: somebody else promotes a standby and demotes the primary.
func testSwitchover(t *testing.T, w *world) {
	w.nodes[1].Promote()
	w.nodes[2].Follow(w.nodes[1])
	w.wantPrimary(t, 1)
	w.nodes[0].Follow(w.nodes[1])
	w.nodes[1].Exec("INSERT INTO t VALUES (1)")
	for _, id := range []config.NodeID{0, 2} {
		// Nothing is known of a standby until it was asked about the new timeline.
		w.until(t, fmt.Sprintf("node %d follows", id), func() bool { return w.Caught(t.Context(), id, time.Now(), time.Second) })
		w.nodes[id].WantRows("SELECT count(*) > 0 FROM t WHERE x = 1", "t")
	}
	if w.manager.View().Role(0) != "standby" || w.manager.View().Role(1) != "primary" {
		t.Error("roles in the view are the old ones")
	}
}

func TestDistanceIsPostgreSQLs(t *testing.T) {
	node := pgtest.Start(t, 1)[0]
	for _, pair := range [][2]string{{"0/FFFFFFF0", "1/10"}, {"0/0", "7/0"}, {"1/FF000000", "2/1"}, {"16/B374D848", "16/B374D848"}} {
		node.WantRows(fmt.Sprintf("SELECT pg_wal_lsn_diff('%s', '%s')", pair[1], pair[0]), streaming.Distance(t, pair[0], pair[1]))
	}
}

// TestUserWithoutPrivileges has an open transaction, too: the user may write the
// message that completes a page.
func TestUserWithoutPrivileges(t *testing.T) {
	nodes := pgtest.StartStreaming(t, 2)
	nodes[0].Exec("CREATE ROLE plain LOGIN; CREATE TABLE t (x int)")
	nodes[1].WaitCaughtUp(nodes[0])
	w := watchAs(t, nodes, settingsOf(nodes), "plain")
	w.until(t, "the delay is known", func() bool { return w.Delay(1).Known })
	writer := nodes[0].Connect()
	if _, err := writer.Exec(t.Context(), "BEGIN; INSERT INTO t SELECT generate_series(1, 1000)"); err != nil {
		t.Fatal(err)
	}
	if !w.caught(t, 1) {
		t.Error("the standby does not catch up")
	}
}

func TestDelayByCommand(t *testing.T) {
	nodes := pgtest.StartStreaming(t, 2)
	s := settingsOf(nodes)
	s.SourceCommand, s.LogStandbyDelay = "echo 1500 #", "always"
	w := watch(t, nodes, s)
	w.until(t, "the command's delay is known", func() bool {
		d := w.Delay(1)
		return d.Known && d.ByCommand && d.Time == 1500*time.Millisecond
	})
	w.until(t, "it is logged", func() bool {
		return w.logs.FilterMessage("Replication of node: 1 is behind 1.500000 second(s) from the primary server (node: 0)").Len() > 0
	})
}

func TestPromotionAfterTheLossOfThePrimary(t *testing.T) {
	nodes := pgtest.StartStreaming(t, 2)
	w := watch(t, nodes, settingsOf(nodes))
	if !w.caught(t, 1) {
		t.Fatal("the standby does not catch up")
	}
	nodes[0].Kill()
	if v, alive, err := w.manager.Suspect(t.Context(), 0, errors.New("connection reset by peer")); alive || err != nil || v.Up(0) {
		t.Fatalf("alive %t, %v", alive, err)
	}
	changed := w.manager.Changed()
	if _, ok := w.manager.View().Main(); ok {
		t.Fatal("there is a primary though it was lost")
	}
	if !w.Delay(1).Known {
		t.Error("the standby's delay is unknown though nothing is committed any more")
	}
	nodes[1].Promote()
	select {
	case <-changed:
	case <-time.After(patience):
		t.Fatal("nobody was told of a new primary")
	}
	w.wantPrimary(t, 1)
}

func TestFalsePrimaryIsDetachedIfAStandbyProvesIt(t *testing.T) {
	nodes := pgtest.StartStreaming(t, 3)
	s := settingsOf(nodes)
	s.DetachFalsePrimary = true
	w := watch(t, nodes, s)
	nodes[1].Promote() // nobody follows it
	w.until(t, "node 1 is out of service", func() bool { return !w.manager.View().Up(1) })
	w.wantPrimary(t, 0)
	if w.logs.FilterMessage("more than one node is not in recovery").Len() != 1 {
		t.Error("it is not said, or said more than once")
	}
}

func TestStandbyComesBackByItself(t *testing.T) {
	nodes := pgtest.StartStreaming(t, 2)
	s := settingsOf(nodes)
	s.AutoFailback = true
	w := watch(t, nodes, s)
	nodes[1].Stop()
	if _, _, err := w.manager.Suspect(t.Context(), 1, errors.New("57P01")); err != nil || w.manager.View().Up(1) {
		t.Fatalf("it is in service, %v", err)
	}
	nodes[1].Start()
	w.until(t, "node 1 is in service", func() bool { return w.manager.View().Up(1) })
	if !w.caught(t, 1) {
		t.Error("it does not catch up")
	}
}

func TestLogical(t *testing.T) {
	nodes := pgtest.StartLogical(t, 3)
	pgtest.CreateEverywhere(nodes, "CREATE TABLE t (x int)")
	s := settingsOf(nodes)
	s.Logical = true
	w := watch(t, nodes, s)
	w.wantPrimary(t, 0)
	for i := range 20 {
		nodes[0].Exec("INSERT INTO t VALUES (1)")
		id := 1 + i%2
		if !w.caught(t, config.NodeID(id)) {
			t.Fatalf("node %d does not catch up", id)
		}
		nodes[id].WantRows("SELECT count(*) FROM t", fmt.Sprint(i+1))
	}
	w.until(t, "all is known", func() bool { d := w.Delay(1); return d.Known && d.State == "streaming" })

	t.Run("an open transaction that has written much", func(t *testing.T) { testOpenTransaction(t, w) })
	nodes[1].Exec("ALTER SUBSCRIPTION node1 DISABLE")
	nodes[0].Exec("INSERT INTO t VALUES (1)")
	since := time.Now()
	if w.Caught(t.Context(), 1, since, 100*time.Millisecond) {
		t.Error("a subscriber that does not subscribe has caught up")
	}
	w.until(t, "nothing is known of it", func() bool { return !w.Delay(1).Known })
	nodes[1].Exec("ALTER SUBSCRIPTION node1 ENABLE")
	w.until(t, "it catches up", func() bool { return w.Caught(t.Context(), 1, since, time.Second) })
}
