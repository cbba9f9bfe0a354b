package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// newPreparingStage has nodes that can keep transactions prepared.
func newPreparingStage(t testing.TB, lines ...string) *stage {
	t.Helper()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"max_prepared_transactions": "20"}))
	s := &stage{t: t, mode: "native_replication", nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(lines...))}
	s.proxy.Exec("CREATE DATABASE " + database)
	return s
}

const slotsOf = "SELECT proxy, slot, seq FROM pgchorus.commit_slot ORDER BY 1, 2"

// wantSameSlots fails the test unless the nodes say that they have the same transactions,
// and returns what they say.
func (s *stage) wantSameSlots(nodes ...*pgtest.Node) []string {
	s.t.Helper()
	first := direct(nodes[0], slotsOf)
	for _, node := range nodes[1:] {
		if other := direct(node, slotsOf); !slices.Equal(first, other) {
			s.t.Errorf("slots: node %d has %q, node %d has %q", nodes[0].ID, first, node.ID, other)
		}
	}
	return first
}

func TestEveryWriteMarksItselfOnAllNodes(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	before := s.wantSameSlots(s.nodes...)
	writes := []func(){
		func() { s.exec(conn, "UPDATE item SET text = 'a' WHERE id = 1") },
		func() { s.exec(conn, "BEGIN; UPDATE item SET text = 'b' WHERE id = 1; COMMIT") },
		func() {
			if _, err := conn.Exec(bounded(t), "UPDATE item SET text = $1 WHERE id = 1", "c"); err != nil {
				t.Fatal(err)
			}
		},
		func() { s.exec(conn, "BEGIN; SELECT 1; DELETE FROM item WHERE id = 2; SELECT 1; COMMIT") },
	}
	for i, write := range writes {
		write()
		after := s.wantSameSlots(s.nodes...)
		if slices.Equal(before, after) {
			t.Errorf("write %d left no mark: %q", i, after)
		}
		before = after
	}
	for _, sql := range []string{"SET work_mem = '7MB'", "BEGIN; SELECT 1; COMMIT", "BEGIN; UPDATE item SET text = 'd'; ROLLBACK", "SET default_transaction_read_only = on", "BEGIN READ ONLY; SELECT * FROM item FOR SHARE; ROLLBACK", "RESET default_transaction_read_only"} {
		_, _ = rowsOf(conn, sql)
		if after := s.wantSameSlots(s.nodes...); !slices.Equal(before, after) {
			t.Errorf("%s: left a mark, %q", sql, after)
		}
	}
	s.wantEqual()
}

// TestSplitCommitIsFoundAtStart kills the server between the COMMITs of the nodes: a lock on
// its slot keeps one node waiting in front of its own. The process there is ended, so that
// it never commits.
func TestSplitCommitIsFoundAtStart(t *testing.T) {
	tests := []struct {
		mode string
		late int
	}{{"parallel", 0}, {"parallel", 2}, {"main_first", 2}, {"main_last", 0}}
	for _, tt := range tests {
		late := tt.late
		t.Run(fmt.Sprintf("%s, node %d lacks it", tt.mode, late), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, proxy.WithConfig("commit_mode = "+tt.mode))
			conn := s.connect("application_name=victim")
			s.exec(conn, itemTable)
			s.exec(conn, "UPDATE item SET text = 'first' WHERE id = 1")
			s.splitAt(conn, late, "UPDATE item SET text = 'split' WHERE id = 1")
			s.proxy.Restart()
			s.wantFenced(late)
			s.proxy.WaitLog("nodes do not have the same transactions")
			for _, node := range without(s.nodes, late) {
				if rows := direct(node, "SELECT text FROM item WHERE id = 1"); !slices.Equal(rows, []string{"split"}) {
					t.Errorf("node %d: %q", node.ID, rows)
				}
			}
			pgtest.WantEqual(t, without(s.nodes, late)...)
			s.exec(s.connect(), "UPDATE item SET text = 'next' WHERE id = 1")
			pgtest.WantEqual(t, without(s.nodes, late)...)
			if err := s.proxy.Node("attach", late); err == nil || !strings.Contains(err.Error(), "same transactions") {
				t.Errorf("node %d attached again: %v", late, err)
			}
		})
	}
}

// splitAt has sql committed on all nodes but one, on which it is not, and kills the server.
func (s *stage) splitAt(conn *pgx.Conn, late int, sql string) {
	s.t.Helper()
	node := s.nodes[late]
	g := hold(s.t, slotLock, node)
	before := direct(node, slotsOf)
	write := startQuery(conn, sql)
	awaitWaiter(s.t, node)
	for _, other := range without(s.nodes, late) {
		await(s.t, "the others commit", func() bool { return !slices.Equal(before, direct(other, slotsOf)) })
	}
	s.proxy.Kill()
	_, _ = write.wait(s.t)
	direct(node, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
	g.open()
}

// TestLateCommitOfAKilledServerIsWaitedFor: a process that had its COMMIT before the server was
// killed may be late. The next run waits for it.
func TestLateCommitOfAKilledServerIsWaitedFor(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	s.exec(conn, "UPDATE item SET text = 'first' WHERE id = 1")
	g := hold(t, slotLock, s.nodes[1])
	write := startQuery(conn, "UPDATE item SET text = 'late' WHERE id = 1")
	awaitWaiter(t, s.nodes[1])
	s.proxy.Kill()
	_, _ = write.wait(t)
	restarted := start(func() ([]string, error) { s.proxy.Restart(); return nil, nil })
	await(t, "the next run waits too", func() bool { return waiters(s.nodes[1]) > 1 })
	g.open()
	restarted.must(t)
	s.want(s.connect(), "SELECT text FROM item WHERE id = 1", "late")
	s.wantSameSlots(s.nodes...)
	s.wantEqual()
}
