package scenario

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// rewrite replaces the configuration file's content and tells the server to reload.
func (s *stage) rewrite(change func(string) string) {
	s.t.Helper()
	text, err := os.ReadFile(s.proxy.ConfigFile)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.proxy.ConfigFile, []byte(change(string(text))), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.proxy.Signal(syscall.SIGHUP)
}

func TestReloadAppliesWhatChanged(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.want(conn, "PGPOOL SHOW client_idle_limit", "0")
	s.rewrite(func(text string) string { return text + "client_idle_limit = 77\n" })
	s.proxy.WaitLog("configuration reloaded")
	s.want(conn, "PGPOOL SHOW client_idle_limit", "77s")
	s.want(s.connect(), "PGPOOL SHOW client_idle_limit", "77s")
}

func TestBrokenFileKeepsTheRunningConfiguration(t *testing.T) {
	s := newStage(t, proxy.WithConfig("client_idle_limit = 55"))
	conn := s.connect()
	for _, line := range []string{"client_idle_limit = maybe\n", "no_such_parameter = 1\n", "listen_addresses = 'unfinished\n"} {
		s.rewrite(func(text string) string { return text + line })
		s.proxy.WaitLog("configuration not reloaded")
		s.want(conn, "PGPOOL SHOW client_idle_limit", "55s")
		s.want(s.connect(), "SELECT 1", "1")
		s.rewrite(func(text string) string { return strings.TrimSuffix(text, line) })
	}
}

func TestReloadUnderLoadDisturbsNobody(t *testing.T) {
	s := newStage(t)
	l := s.startLoad()
	for range 10 {
		l.awaitWrites(30)
		s.proxy.Signal(syscall.SIGHUP)
	}
	l.finish()
	l.wantUndisturbed()
	l.wantKept(s.nodes...)
}

func TestSmartStopWaitsForTheFrontends(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	stopped := start(func() ([]string, error) { s.proxy.Stop("smart"); return nil, nil })
	await(t, "nobody else is let in", func() bool {
		other, err := s.tryConnect()
		if err == nil {
			hangUp(other)
		}
		return err != nil
	})
	s.exec(conn, "UPDATE item SET text = 'while it stops'")
	hangUp(conn)
	stopped.must(t)
	pgtest.WantEqual(t, s.nodes...)
	s.proxy.Restart()
	s.want(s.connect(), "SELECT DISTINCT text FROM item", "while it stops")
}

func TestFastStopEndsTheFrontends(t *testing.T) {
	s := newStage(t)
	idle, block, busy := s.connect(), s.connect(), s.connect()
	s.exec(idle, itemTable)
	s.exec(block, "BEGIN; UPDATE item SET text = 'never' WHERE id = 1")
	g := hold(t, "UPDATE item SET text = 'held' WHERE id = 2", s.nodes...)
	defer g.open()
	statement := startQuery(busy, "UPDATE item SET text = 'never' WHERE id = 2")
	awaitWaiter(t, s.nodes[0])
	s.proxy.Stop("fast")
	if _, err := statement.wait(t); err == nil {
		t.Error("a statement that waited was acknowledged")
	}
	if _, err := idle.PgConn().ReceiveMessage(bounded(t)); codeOf(err) != "57P01" {
		t.Errorf("idle frontend was told %v, want SQLSTATE 57P01", err)
	}
	g.open()
	s.awaitNoBackends()
	pgtest.WantEqual(t, s.nodes...)
	if got := direct(s.nodes[0], "SELECT DISTINCT text FROM item"); len(got) != 1 || got[0] != "old" {
		t.Errorf("texts after the stop: %q", got)
	}
}

// awaitNoBackends waits until the nodes have noticed that nobody is connected.
func (s *stage) awaitNoBackends() {
	s.t.Helper()
	for _, node := range s.nodes {
		await(s.t, "the node has no connections", func() bool {
			rows := direct(node, "SELECT 1 FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
			return len(rows) == 0
		})
	}
}

// A server that is killed leaves transactions that were not told to commit, which the
// nodes roll back, and what was acknowledged.
func TestKilledServerLeavesWhatItAcknowledged(t *testing.T) {
	s := newStage(t)
	l := s.startLoad()
	l.awaitWrites(writesBetween)
	s.proxy.Kill()
	l.finish()
	s.awaitNoBackends()
	for _, node := range s.nodes {
		l.wantKept(node)
	}
}
