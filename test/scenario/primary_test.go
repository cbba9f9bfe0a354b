package scenario

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// newStreamingStage is a primary and two standbys. Reads go to node 1 wherever that is
// possible.
func newStreamingStage(t testing.TB, lines ...string) *stage {
	t.Helper()
	return streamingStageOf(t, pgtest.StartStreaming(t, 3), lines...)
}

// streamingStageOf is newStreamingStage with nodes that are there.
func streamingStageOf(t testing.TB, nodes []*pgtest.Node, lines ...string) *stage {
	t.Helper()
	lines = append([]string{
		"backend_clustering_mode = streaming_replication", "sr_check_period = 1", "sr_check_user = " + nodes[0].Superuser,
		"backend_weight0 = 0", "backend_weight1 = 1", "backend_weight2 = 0",
		"backend_application_name0 = node0", "backend_application_name1 = node1", "backend_application_name2 = node2",
	}, lines...)
	s := &stage{t: t, mode: config.StreamingReplication, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(lines...))}
	s.proxy.Exec("CREATE DATABASE " + database)
	for _, standby := range nodes[1:] {
		standby.WaitCaughtUp(nodes[0])
	}
	return s
}

// port is what inet_server_port() says there.
func port(n *pgtest.Node) string { return fmt.Sprint(n.Port) }

// TestReadsGoToTheStandby shows that the others of these tests are about a standby.
func TestReadsGoToTheStandby(t *testing.T) {
	s := newStreamingStage(t)
	conn := s.connect()
	s.want(conn, "SELECT inet_server_port()", port(s.nodes[1]))
	s.exec(conn, "CREATE TABLE t (i int)")
	s.want(conn, "INSERT INTO t SELECT inet_server_port() RETURNING i", port(s.nodes[0]))
	s.exec(conn, "BEGIN")
	s.want(conn, "SELECT inet_server_port()", port(s.nodes[1]))
	s.exec(conn, "COMMIT")
}

// TestSessionReadsWhatItHasWritten has a standby that does not replay for a while.
func TestSessionReadsWhatItHasWritten(t *testing.T) {
	s := newStreamingStage(t, "read_consistency_timeout = 0")
	conn := s.connect()
	s.exec(conn, "CREATE TABLE t (i int)")
	for i := range 100 {
		s.exec(conn, fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
		s.want(conn, "SELECT count(*) FROM t", fmt.Sprint(i+1))
	}
	s.nodes[1].PauseReplay()
	s.exec(conn, "INSERT INTO t VALUES (100)")
	s.want(conn, "SELECT count(*), inet_server_port() FROM t", "101|"+port(s.nodes[0]))
	s.exec(conn, "BEGIN; DELETE FROM t WHERE i = 0; COMMIT")
	s.want(conn, "SELECT count(*), inet_server_port() FROM t", "100|"+port(s.nodes[0]))
	s.want(s.connect(), "SELECT inet_server_port()", port(s.nodes[1])) // it has written nothing
	s.nodes[1].ResumeReplay()
	s.nodes[1].WaitCaughtUp(s.nodes[0])
	await(t, "the standby is read again", func() bool {
		rows, err := rowsOf(conn, "SELECT count(*), inet_server_port() FROM t")
		return err == nil && rows[0] == "100|"+port(s.nodes[1])
	})
}

// TestPrimaryDoesWhatAStandbyRefuses: what looks like a read writes, and what the standby
// has not heard of exists.
func TestPrimaryDoesWhatAStandbyRefuses(t *testing.T) {
	s := newStreamingStage(t, "read_consistency = eventual")
	conn := s.connect()
	s.exec(conn, `CREATE SEQUENCE s; CREATE FUNCTION draw() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN nextval(''s''); END'`)
	s.nodes[1].WaitCaughtUp(s.nodes[0])
	s.want(conn, "SELECT draw()", "1")
	s.exec(conn, "BEGIN")
	s.want(conn, "SELECT inet_server_port()", port(s.nodes[1]))
	s.want(conn, "SELECT draw()", "2")
	s.want(conn, "SELECT draw()", "3")
	s.exec(conn, "COMMIT")
	s.nodes[1].PauseReplay()
	s.exec(conn, "CREATE TABLE late (i int)")
	s.want(conn, "SELECT count(*) FROM late", "0")
	s.wantCode(conn, "SELECT * FROM never", "42P01")
	s.want(conn, "SELECT inet_server_port()", port(s.nodes[1]))
	s.nodes[1].ResumeReplay()
}

// TestPrimaryDoesWhatReplayHasCancelled: a standby gives a query up for what it replays.
func TestPrimaryDoesWhatReplayHasCancelled(t *testing.T) {
	s := newStreamingStage(t)
	s.nodes[1].Exec("ALTER SYSTEM SET max_standby_streaming_delay = 0")
	s.nodes[1].Exec("SELECT pg_reload_conf()")
	s.nodes[1].WaitRows("SELECT setting FROM pg_settings WHERE name = 'max_standby_streaming_delay'", "0")
	conn := s.connect()
	s.exec(conn, "CREATE TABLE t AS SELECT 1 AS i")
	s.nodes[1].WaitCaughtUp(s.nodes[0])
	done := make(chan error, 1)
	rows := make(chan []string, 1)
	reader := s.connect()
	go func() {
		got, err := rowsOf(reader, "SELECT count(*), pg_sleep(3) IS NULL, inet_server_port() FROM t")
		rows <- got
		done <- err
	}()
	s.nodes[1].WaitRows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "1")
	s.exec(conn, "TRUNCATE t; INSERT INTO t SELECT generate_series(1, 5)")
	if got, err := <-rows, <-done; err != nil || got[0] != "5|f|"+port(s.nodes[0]) {
		t.Errorf("a read that replay has cancelled gave %q, %v", got, err)
	}
}

// TestPrimaryIsReplaced kills the primary under sessions and promotes a standby.
func TestPrimaryIsReplaced(t *testing.T) {
	s := newStreamingStage(t)
	idle, writing, listening, reading := s.connect(), s.connect(), s.connect(), s.connect()
	s.exec(idle, "CREATE TABLE t (i int); SET application_name = 'kept'; PREPARE p AS SELECT count(*) FROM t")
	s.exec(listening, "LISTEN news")
	s.exec(writing, "BEGIN; INSERT INTO t VALUES (1)")
	for _, standby := range s.nodes[1:] {
		standby.WaitCaughtUp(s.nodes[0])
	}
	s.nodes[0].Kill()
	s.want(reading, "SELECT count(*), inet_server_port() FROM t", "0|"+port(s.nodes[1])) // reads go on
	s.wantCode(writing, "INSERT INTO t VALUES (2)", "40001")
	s.exec(writing, "ROLLBACK")

	waiting := make(chan error, 1)
	go func() {
		_, err := rowsOf(writing, "INSERT INTO t VALUES (3)")
		waiting <- err
	}()
	s.proxy.WaitLog("session waits for a primary")
	s.nodes[1].Promote()
	s.nodes[2].Follow(s.nodes[1])
	if err := <-waiting; err != nil {
		t.Fatalf("a write that waited for the next primary failed: %v", err)
	}
	s.want(idle, "EXECUTE p", "1")
	s.want(idle, "SHOW application_name", "kept")
	s.want(listening, "SELECT 1", "1")
	s.exec(idle, "INSERT INTO t VALUES (4); NOTIFY news, 'x'")
	s.want(idle, "SELECT i FROM t ORDER BY i", "3", "4")
	if got := direct(s.nodes[1], "SELECT i FROM t ORDER BY i"); !slices.Equal(got, []string{"3", "4"}) {
		t.Errorf("the next primary holds %q", got)
	}
	if n, err := listening.WaitForNotification(bounded(t)); err != nil || n.Payload != "x" {
		t.Errorf("a session that listens heard %v, %v from the next primary", n, err)
	}
}

// TestNoPrimary: reads go on. A write waits, as does a read that has to see what its session
// has written: nobody can tell whether the standby has it.
func TestNoPrimary(t *testing.T) {
	s := newStreamingStage(t, "search_primary_node_timeout = 1")
	conn, writer := s.connect(), s.connect()
	s.exec(writer, "CREATE TABLE t (i int)")
	s.nodes[1].WaitCaughtUp(s.nodes[0])
	s.want(conn, "SELECT count(*) FROM t", "0")
	s.nodes[0].Kill()
	s.proxy.WaitNodeStatus(0, "down")
	s.want(conn, "SELECT count(*) FROM t", "0")
	s.wantCode(conn, "INSERT INTO t VALUES (1)", "57P03")
	s.want(conn, "SELECT count(*) FROM t", "0")
	s.wantCode(writer, "SELECT count(*) FROM t", "57P03")
	s.want(s.connect(), "SELECT count(*) FROM t", "0") // so does who comes now
}

// TestStateOfTheLostPrimaryIsMissed: a session does not go on without the lock that it
// believes to hold.
func TestStateOfTheLostPrimaryIsMissed(t *testing.T) {
	for _, sql := range []string{"SELECT pg_advisory_lock(7)", "CREATE TEMP TABLE mine (i int)"} {
		t.Run(sql, func(t *testing.T) {
			s := newStreamingStage(t)
			holding, other := s.connect(), s.connect()
			s.exec(holding, sql)
			s.nodes[1].WaitCaughtUp(s.nodes[0])
			s.nodes[0].Kill()
			s.nodes[1].Promote()
			s.want(other, "SELECT pg_try_advisory_lock(7)", "t")
			s.wantCode(holding, "CREATE TABLE t (i int)", "57P01")
		})
	}
}
