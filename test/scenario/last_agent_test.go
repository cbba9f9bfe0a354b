package scenario

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

const terminateWaiting = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

func (s *stage) prepared(node *pgtest.Node) int {
	return len(direct(node, "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'pgchorus:%'"))
}

// waitAtMain has sql prepared on the others while main, which decides, waits in front of its
// COMMIT.
func (s *stage) waitAtMain(conn *pgx.Conn, sql string) (*background, *gate) {
	s.t.Helper()
	g := hold(s.t, slotLock, s.nodes[0])
	write := startQuery(conn, sql)
	awaitWaiter(s.t, s.nodes[0])
	for _, node := range s.nodes[1:] {
		await(s.t, "the others have it prepared", func() bool { return s.prepared(node) == 1 })
	}
	return write, g
}

func (s *stage) wantNothingPrepared(nodes ...*pgtest.Node) {
	s.t.Helper()
	for _, node := range nodes {
		if n := s.prepared(node); n != 0 {
			s.t.Errorf("node %d has %d prepared transactions", node.ID, n)
		}
	}
}

// TestLastAgentCommitsAlikeWhereverItIsKilled ends the server, and with it main or another
// node, at each boundary of the commit: all nodes that are left agree in the end.
func TestLastAgentCommitsAlikeWhereverItIsKilled(t *testing.T) {
	tests := []struct {
		name string
		// kill is called when main waits in front of its COMMIT and the others have the
		// transaction prepared.
		kill func(s *stage, g *gate)
		lost int // node; -1 for none
		want string
	}{
		{"the server, before main has committed", func(s *stage, g *gate) {
			s.proxy.Kill()
			direct(s.nodes[0], terminateWaiting)
			g.open()
		}, -1, "first"},
		{"the server, and main commits all the same", func(s *stage, g *gate) {
			s.proxy.Kill()
			g.open()
			await(s.t, "main has committed", func() bool {
				return slices.Equal(direct(s.nodes[0], "SELECT text FROM item WHERE id = 1"), []string{"second"})
			})
		}, -1, "second"},
		{"the server and main", func(s *stage, g *gate) {
			s.proxy.Kill()
			s.nodes[0].Kill()
		}, 0, "second"},
		{"the server and another node", func(s *stage, g *gate) {
			s.proxy.Kill()
			s.nodes[2].Kill()
			direct(s.nodes[0], terminateWaiting)
			g.open()
		}, 2, "first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newPreparingStage(t, "commit_mode = last_agent")
			conn := s.connect()
			s.exec(conn, itemTable)
			s.exec(conn, "UPDATE item SET text = 'first' WHERE id = 1")
			write, g := s.waitAtMain(conn, "UPDATE item SET text = 'second' WHERE id = 1")
			tt.kill(s, g)
			_, _ = write.wait(t)
			s.proxy.Restart()
			left := s.nodes
			if tt.lost >= 0 {
				left = without(s.nodes, tt.lost)
			}
			conn = s.connect()
			s.want(conn, "SELECT text FROM item WHERE id = 1", tt.want)
			s.wantNothingPrepared(left...)
			s.wantSameSlots(left...)
			s.exec(conn, "UPDATE item SET text = 'third' WHERE id = 1")
			pgtest.WantEqual(t, left...)
			if tt.lost < 0 {
				s.wantAllUp()
			}
		})
	}
}

// TestLastAgentIsKilledWhileNodesPrepare: one has it prepared, another does not, so main was not
// asked, and nobody commits.
func TestLastAgentIsKilledWhileNodesPrepare(t *testing.T) {
	for _, mainDies := range []bool{false, true} {
		t.Run(fmt.Sprintf("main dies too %v", mainDies), func(t *testing.T) {
			t.Parallel()
			s := newPreparingStage(t, "commit_mode = last_agent")
			conn := s.connect()
			s.exec(conn, itemTable)
			s.exec(conn, "UPDATE item SET text = 'first' WHERE id = 1")
			g := hold(t, slotLock, s.nodes[2])
			write := startQuery(conn, "UPDATE item SET text = 'never' WHERE id = 1")
			awaitWaiter(t, s.nodes[2])
			await(t, "node 1 has it prepared", func() bool { return s.prepared(s.nodes[1]) == 1 })
			s.proxy.Kill()
			_, _ = write.wait(t)
			left := s.nodes
			if mainDies {
				s.nodes[0].Kill()
				left = left[1:]
			}
			direct(s.nodes[2], terminateWaiting)
			g.open()
			s.proxy.Restart()
			s.want(s.connect(), "SELECT text FROM item WHERE id = 1", "first")
			s.wantNothingPrepared(left...)
			s.wantSameSlots(left...)
			pgtest.WantEqual(t, left...)
		})
	}
}

// TestLastAgentLosesNoNodesTransaction kills a node while the server goes on.
func TestLastAgentLosesNoNodesTransaction(t *testing.T) {
	for _, lost := range []int{0, 2} {
		t.Run(fmt.Sprintf("node %d", lost), func(t *testing.T) {
			t.Parallel()
			s := newPreparingStage(t, "commit_mode = last_agent")
			conn := s.connect()
			s.exec(conn, itemTable)
			s.exec(conn, "UPDATE item SET text = 'first' WHERE id = 1")
			write, g := s.waitAtMain(conn, "UPDATE item SET text = 'second' WHERE id = 1")
			s.nodes[lost].Kill()
			g.open()
			write.must(t)
			left := without(s.nodes, lost)
			s.want(conn, "SELECT text FROM item WHERE id = 1", "second")
			s.wantNothingPrepared(left...)
			s.wantSameSlots(left...)
			pgtest.WantEqual(t, left...)
		})
	}
}

// TestSerializableConflictIsMainsAlone is a commit split under protocols that have main commit
// last: both read what the other one writes, which only main can know.
func TestSerializableConflictIsMainsAlone(t *testing.T) {
	for _, prepares := range []bool{false, true} {
		t.Run(fmt.Sprintf("prepared %v", prepares), func(t *testing.T) {
			t.Parallel()
			s := newStageFor(t, prepares)
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable)
			for _, conn := range []*pgx.Conn{first, second} {
				s.exec(conn, "BEGIN ISOLATION LEVEL SERIALIZABLE")
				s.want(conn, "SELECT count(*) FROM item WHERE text = 'old'", "10")
			}
			s.exec(first, "UPDATE item SET text = 'new' WHERE id = 1")
			s.exec(second, "UPDATE item SET text = 'new' WHERE id = 2")
			s.exec(first, "COMMIT")
			s.wantCode(second, "COMMIT", "40001")
			s.wantAllUp()
			s.want(first, "SELECT count(*) FROM item WHERE text = 'new'", "1")
			s.wantNothingPrepared(s.nodes...)
			s.wantSameSlots(s.nodes...)
			s.wantEqual()
		})
	}
}

func newStageFor(t testing.TB, prepares bool) *stage {
	if prepares {
		return newPreparingStage(t)
	}
	return newStage(t)
}

// TestTransactionsThatCannotBePrepared are committed all the same under last_agent.
func TestTransactionsThatCannotBePrepared(t *testing.T) {
	s := newPreparingStage(t, "commit_mode = last_agent")
	conn := s.connect()
	s.exec(conn, itemTable)
	s.exec(conn, "CREATE TEMP TABLE scratch (i int)")
	s.exec(conn, "BEGIN; UPDATE item SET text = 'a' WHERE id = 1; NOTIFY x; COMMIT")
	s.exec(conn, "BEGIN; UPDATE item SET text = 'b' WHERE id = 2; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT")
	s.exec(conn, "INSERT INTO scratch VALUES (1)")
	s.exec(conn, "UPDATE item SET text = 'c' WHERE id = 3")
	s.want(conn, "SELECT count(*) FROM item WHERE text <> 'old'", "3")
	s.wantNothingPrepared(s.nodes...)
	s.wantEqual()
}

// TestSerializableTransactionIsNotCommittedWithoutItsMain: the nodes that are left have not
// looked for its conflicts.
func TestSerializableTransactionIsNotCommittedWithoutItsMain(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	for _, lost := range []int{2, 0} {
		s.exec(conn, "BEGIN ISOLATION LEVEL SERIALIZABLE")
		s.want(conn, "SELECT count(*) FROM item", "10")
		s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
		for _, node := range s.nodes[1:] {
			if node.Running() && len(direct(node, "SELECT 1 FROM pg_locks WHERE mode = 'SIReadLock'")) > 0 {
				t.Errorf("node %d looks for conflicts too", node.ID)
			}
		}
		s.nodes[lost].Kill()
		s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 2")
		if lost != 0 {
			s.exec(conn, "COMMIT")
			continue
		}
		s.wantCode(conn, "COMMIT", "40001")
	}
	s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 3")
}
