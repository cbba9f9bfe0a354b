package scenario

import (
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What works in several transactions leaves those behind that it has committed when it
// fails. All nodes are left with the same.
func TestFailedConcurrentIndexBuildLeavesTheSameOnAllNodes(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"simple_protocol", "exec"} {
		s := newStage(t)
		conn := s.connect("default_query_exec_mode=" + protocol)
		s.exec(conn, itemTable+"; UPDATE item SET text = 'twice'")
		_, err := conn.Exec(bounded(t), "CREATE UNIQUE INDEX CONCURRENTLY once ON item (text)")
		if codeOf(err) != "23505" {
			t.Fatalf("CREATE UNIQUE INDEX CONCURRENTLY over duplicates: %v, want SQLSTATE 23505", err)
		}
		for _, node := range s.nodes {
			if rows := direct(node, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'once'::regclass"); len(rows) != 1 || rows[0] != "f" {
				t.Errorf("node %d: indisvalid is %q, want one invalid index", node.ID, rows)
			}
		}
		s.exec(conn, "UPDATE item SET text = id")
		s.exec(conn, "REINDEX INDEX CONCURRENTLY once")
		s.exec(conn, "DROP INDEX once")
		s.wantAllUp()
		s.wantEqual()
	}
}

// A frontend's process number is that of its process on main, which is what it finds in
// pg_locks, pg_stat_activity and notifications.
func TestProcessNumberIsThatOfMainsBackend(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 5 { // wherever its reads go
		conn := s.connect()
		pid := strconv.FormatUint(uint64(conn.PgConn().PID()), 10)
		s.want(conn, "SELECT pg_backend_pid()", pid)
		s.want(conn, "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_stat_activity%' AND pid = "+pid, pid)
		if rows := direct(s.nodes[0], "SELECT pid FROM pg_stat_activity WHERE pid = "+pid); len(rows) != 1 {
			t.Errorf("main has no process %s", pid)
		}
	}
}

// A notice does not wait for the end of its statement.
func TestNoticeArrivesWhileTheStatementRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	heard := make(chan string, 1)
	conn := s.connectWith(func(config *pgx.ConnConfig) {
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { heard <- n.Message }
	})
	s.exec(conn, itemTable)
	s.exec(conn, `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN RAISE NOTICE ''at work''; PERFORM pg_sleep(100); RETURN NEW; END';
		CREATE TRIGGER tells BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION tell()`)
	statement := startQuery(conn, "UPDATE item SET text = 'never' WHERE id = 1")
	select {
	case message := <-heard:
		if message != "at work" {
			t.Errorf("notice %q, want %q", message, "at work")
		}
	case <-bounded(t).Done():
		t.Fatal("no notice while the statement runs")
	}
	cancel(t, conn)
	if _, err := statement.wait(t); codeOf(err) != "57014" {
		t.Errorf("cancelled statement: %v, want SQLSTATE 57014", err)
	}
}

// What a cancelled build has left on main alone can be dropped.
func TestIndexThatACancelLeftOnMainCanBeDropped(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	tests := []struct {
		name, cleanUp string
		mode          pgx.QueryExecMode
	}{
		{"simple query", "DROP INDEX i", pgx.QueryExecModeSimpleProtocol},
		{"extended query", "DROP INDEX CONCURRENTLY i", pgx.QueryExecModeExec},
	}
	for _, tt := range tests {
		s := s.in(t)
		g := hold(t, "UPDATE item SET text = text", s.nodes[0])
		statement := startQuery(conn, "CREATE INDEX CONCURRENTLY i ON item (text)")
		await(t, tt.name+": half done on main", func() bool { return len(direct(s.nodes[0], "SELECT 1 FROM pg_index WHERE NOT indisvalid")) == 1 })
		cancel(t, conn)
		if _, err := statement.wait(t); codeOf(err) != "57014" {
			t.Fatalf("%s: cancelled statement: %v, want SQLSTATE 57014", tt.name, err)
		}
		g.open()
		if _, err := conn.Exec(bounded(t), tt.cleanUp, tt.mode); err != nil {
			t.Errorf("%s: %s: %v", tt.name, tt.cleanUp, err)
		}
		for _, node := range s.nodes {
			if rows := direct(node, "SELECT 1 FROM pg_class WHERE relname = 'i'"); len(rows) != 0 {
				t.Errorf("%s: node %d has the index", tt.name, node.ID)
			}
		}
	}
	s.wantAllUp()
	s.wantEqual()
}
