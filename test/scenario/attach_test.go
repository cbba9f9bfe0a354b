package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// A node that was away comes back. Online recovery is not the subject here: the node
// has missed nothing, because nobody wrote meanwhile.

// comeBack restarts a node and has it attached.
func (s *stage) comeBack(id int) {
	s.t.Helper()
	s.nodes[id].Restart()
	if err := s.proxy.Node("attach", id); err != nil {
		s.t.Fatalf("attach node %d: %v", id, err)
	}
	s.proxy.WaitNodeStatus(id, "up")
}

// leave stops a node and waits until that was noticed.
func (s *stage) leave(id int) {
	s.t.Helper()
	s.nodes[id].Stop()
	s.proxy.WaitNodeStatus(id, "down")
}

func TestSessionsWriteToANodeThatWasAttachedUnderThem(t *testing.T) {
	for id, name := range []string{"main node", "another node", "the last node"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			idle, prepared, settings, reading := s.connect(), s.connect(), s.connect(), s.connect()
			s.exec(idle, itemTable)
			s.exec(prepared, "PREPARE w AS UPDATE item SET text = $2 WHERE id = $1")
			if _, err := prepared.Prepare(bounded(t), "named", "UPDATE item SET text = $2 WHERE id = $1"); err != nil {
				t.Fatal(err)
			}
			s.exec(settings, "SET search_path = 'pg_catalog', public; SET work_mem = '5MB'; SET my.own = 'it''s, \"x\"'; SET timezone = 'Asia/Tokyo'")
			s.exec(settings, "CREATE ROLE clerk; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk; SET ROLE clerk")
			s.exec(reading, "BEGIN; SELECT 1")
			s.leave(id)
			s.want(settings, "SHOW work_mem", "5MB")
			s.comeBack(id)

			s.exec(idle, "INSERT INTO item VALUES (100, 'idle')")
			s.exec(prepared, "EXECUTE w(1, 'sql')")
			if _, err := prepared.Exec(bounded(t), "named", 2, "protocol"); err != nil {
				t.Errorf("named statement: %v", err)
			}
			s.exec(settings, "INSERT INTO item VALUES (101, current_setting('search_path') || current_setting('my.own') || current_user || current_setting('timezone'))")
			s.exec(reading, "INSERT INTO item VALUES (102, 'in block'); COMMIT")
			s.want(settings, "SELECT text FROM public.item WHERE id = 101", `pg_catalog, publicit's, "x"clerkAsia/Tokyo`)
			pgtest.WantEqual(t, s.nodes...)
			for _, conn := range []*pgx.Conn{idle, prepared, settings, reading} {
				s.want(conn, "SELECT count(*) FROM public.item", "13")
			}
		})
	}
}

func TestAttachUnderLoadWaitsForTransactionsAndLosesNothing(t *testing.T) {
	s := newStage(t)
	l := s.startLoad()
	l.awaitWrites(writesBetween)
	l.stop.Store(true)
	l.running.Wait()
	s.leave(1)
	l.stop.Store(false)
	s.nodes[1].Start()
	reader := s.connect()
	s.want(reader, "SELECT 1", "1")
	if err := s.proxy.Node("attach", 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range l.clients {
		l.running.Go(c.run)
	}
	l.awaitWrites(writesBetween)
	l.finish()
	l.wantUndisturbed()
	l.wantKept(s.nodes...)
}

func TestAttachWaitsForTransactionsThatHaveWritten(t *testing.T) {
	s := newStage(t)
	writer, reader, later := s.connect(), s.connect(), s.connect()
	s.exec(writer, itemTable)
	s.leave(1)
	s.exec(writer, "BEGIN; SET LOCAL work_mem = '3MB'; SAVEPOINT a; UPDATE item SET text = 'first' WHERE id = 1")
	s.nodes[1].Start()
	// The node lacks nothing but what is not committed.
	attached := start(func() ([]string, error) { return nil, s.proxy.Node("attach", 1) })
	held := startQuery(later, "BEGIN; UPDATE item SET text = 'never' WHERE id = 2; ROLLBACK") // before or behind the attach: the same
	s.want(reader, "SELECT count(*) FROM item", "10")
	s.exec(writer, "UPDATE item SET text = current_setting('work_mem') WHERE id = 3; ROLLBACK TO a; UPDATE item SET text = 'second' WHERE id = 1")
	select {
	case <-attached.done:
		t.Errorf("a node joined in the middle of a transaction: %v", attached.err)
	default:
	}
	s.exec(writer, "ROLLBACK")
	attached.must(t)
	held.must(t)
	s.exec(writer, "UPDATE item SET text = 'third' WHERE id = 1")
	pgtest.WantEqual(t, s.nodes...)
}

func TestDetachedNodeIsLeftAloneUntilItIsAttached(t *testing.T) {
	s := newStage(t)
	l := s.startLoad()
	l.awaitWrites(writesBetween)
	if err := s.proxy.Node("detach", 0); err != nil {
		t.Fatal(err)
	}
	s.proxy.WaitNodeStatus(0, "down")
	l.awaitWrites(writesBetween)
	l.finish()
	l.wantUndisturbed()
	l.wantKept(s.nodes[1:]...)
	if rows := direct(s.nodes[0], "SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid()"); len(rows) != 1 || rows[0] != "0" {
		t.Errorf("connections to the detached node: %q", rows)
	}
}

func TestSessionThatCannotBeCopiedIsEndedWhenANodeJoins(t *testing.T) {
	tests := []struct{ name, sql string }{
		{"temporary table", "CREATE TEMP TABLE scratch (x int)"},
		{"advisory lock", "SELECT pg_advisory_lock(7)"},
		{"cursor WITH HOLD", "DECLARE c CURSOR WITH HOLD FOR SELECT 1"},
	}
	s := newStage(t)
	s.exec(s.connect(), itemTable)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			conn, other := s.connect(), s.connect()
			s.exec(conn, tt.sql)
			s.leave(1)
			s.want(other, "SELECT 1", "1")
			s.comeBack(1)
			s.wantCode(conn, "INSERT INTO item VALUES (1000, 'never')", "57P01")
			s.exec(other, "INSERT INTO item VALUES ("+string(rune('5'+i))+"00, 'kept')")
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

func TestNodeThatHungIsNotWrittenToAfterItWakes(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	s.nodes[2].Pause()
	s.exec(conn, "UPDATE item SET text = 'while it hung' WHERE id = 1")
	s.nodes[2].Resume()
	s.exec(conn, "UPDATE item SET text = 'after it woke' WHERE id = 2")
	if got := direct(s.nodes[2], "SELECT id FROM item WHERE text <> 'old'"); len(got) != 0 {
		t.Errorf("the node that was detached has changes: %q", got)
	}
	if s.proxy.NodeStatus(2) != "down" {
		t.Error("a node that lacks writes is in service")
	}
}
