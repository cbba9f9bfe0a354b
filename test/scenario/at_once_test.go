package scenario

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// atOnce is a stage on which writes by key go to all nodes at once.
func atOnce(t *testing.T, lines ...string) *stage {
	return newStage(t, proxy.WithConfig(append([]string{"parallel_dispatch = on"}, lines...)...))
}

// updateItem appends to the text of a row, by the given protocol.
func updateItem(t testing.TB, conn *pgx.Conn, protocol pgx.QueryExecMode, id int, text string) func() ([]string, error) {
	return func() ([]string, error) {
		tag, err := conn.Exec(bounded(t), "UPDATE item SET text = text || $1 WHERE id = $2", protocol, text, id)
		return []string{tag.String()}, err
	}
}

// TestWriteByKeyGoesToAllNodesAtOnce: the row is locked on two nodes, main among them, and the
// statement waits on both.
func TestWriteByKeyGoesToAllNodesAtOnce(t *testing.T) {
	t.Parallel()
	protocols := []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec}
	for _, protocol := range protocols {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			t.Parallel()
			s := atOnce(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[0], s.nodes[2])
			update := start(updateItem(t, conn, protocol, 1, "-new"))
			awaitWaiter(t, s.nodes[0], s.nodes[2])
			g.open()
			if rows := update.must(t); rows[0] != "UPDATE 1" {
				t.Errorf("answered %v", rows)
			}
			s.want(conn, "SELECT text FROM item WHERE id = 1", "old-new")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestInsertGoesToAllNodesAtOnce: others are about to add the same keys on two nodes, main among them, or have locked the
// table that has none, and the statement waits on both.
func TestInsertGoesToAllNodesAtOnce(t *testing.T) {
	t.Parallel()
	const tables = "CREATE TABLE counted (id serial PRIMARY KEY, text text); CREATE TABLE logged (text text, at timestamptz DEFAULT now());"
	tests := []struct{ name, sql, holds string }{
		{"a key of its own", "INSERT INTO item (text, id) VALUES ('new', 2%d)", "INSERT INTO item SELECT generate_series(20, 29)"},
		{"a key by place", "INSERT INTO item VALUES (2%d, 'new')", "INSERT INTO item SELECT generate_series(20, 29)"},
		{"a key from a sequence", "INSERT INTO counted (text) VALUES ('%d')", "INSERT INTO counted SELECT generate_series(1, 9)"},
		{"no key", "INSERT INTO logged (text) VALUES ('new%d')", "LOCK TABLE logged"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := atOnce(t)
			conn := s.connect()
			s.exec(conn, itemTable+tables)
			insert := func(n int) func() ([]string, error) {
				return func() ([]string, error) {
					tag, err := conn.Exec(bounded(t), fmt.Sprintf(tt.sql, n), pgx.QueryExecModeSimpleProtocol)
					return []string{tag.String()}, err
				}
			}
			for n := range 4 { // until the nodes are given it as a prepared statement, and there is a lease
				start(insert(n)).must(t)
			}
			s.exec(conn, "DELETE FROM counted; DELETE FROM item WHERE id > 9")
			g := hold(t, tt.holds, s.nodes[0], s.nodes[2])
			added := start(insert(4))
			awaitWaiter(t, s.nodes[0], s.nodes[2])
			g.open()
			if rows := added.must(t); rows[0] != "INSERT 0 1" {
				t.Errorf("answered %v", rows)
			}
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestInsertsOfOneKeyTakeTurns: the first one waits on node 1, where the second one could overtake it.
func TestInsertsOfOneKeyTakeTurns(t *testing.T) {
	t.Parallel()
	s := atOnce(t, "deadlock_check_interval = 0")
	first, second := s.connect(), s.connect()
	s.exec(first, itemTable)
	insert := func(conn *pgx.Conn, id int) func() ([]string, error) {
		return func() ([]string, error) {
			_, err := conn.Exec(bounded(t), fmt.Sprintf("INSERT INTO item VALUES (%d, 'added')", id), pgx.QueryExecModeSimpleProtocol)
			return nil, err
		}
	}
	for id := range 3 {
		start(insert(first, 20+id)).must(t)
		start(insert(second, 30+id)).must(t)
	}
	g := hold(t, "INSERT INTO item VALUES (7777)", s.nodes[1])
	one := start(insert(first, 7777))
	awaitWaiter(t, s.nodes[1])
	other := start(insert(second, 7777))
	wantUnheard(t, "7777", s.nodes[0])
	g.open()
	one.must(t)
	if _, err := other.wait(t); codeOf(err) != "23505" {
		t.Errorf("the second one was told %v, want SQLSTATE 23505", err)
	}
	s.wantAllUp()
	s.wantEqual()
}

// heard is whether a node has a statement with these words in it under way.
func heard(node *pgtest.Node, words string) bool {
	return len(direct(node, "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%"+words+"%'")) > 0
}

// wantUnheard fails the test if one of the nodes has heard of a statement.
func wantUnheard(t *testing.T, words string, nodes ...*pgtest.Node) {
	t.Helper()
	for _, node := range nodes {
		if heard(node, words) {
			t.Errorf("node %d has heard of %q", node.ID, words)
		}
	}
}

// TestWritersOfOneKeyTakeTurns is CE-15 without main's order: the first one waits on node 1, where
// the second one could overtake it. The second one is at no node before the first has ended; were they
// to wait for each other, nobody would find out.
func TestWritersOfOneKeyTakeTurns(t *testing.T) {
	t.Parallel()
	for _, protocol := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			t.Parallel()
			s := atOnce(t, "deadlock_check_interval = 0")
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable)
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[1])
			one := start(updateItem(t, first, protocol, 1, "-first"))
			awaitWaiter(t, s.nodes[1])
			other := start(updateItem(t, second, pgx.QueryExecModeSimpleProtocol, 1, "-second"))
			wantUnheard(t, "-second", s.nodes...)
			g.open()
			one.must(t)
			other.must(t)
			s.want(first, "SELECT text FROM item WHERE id = 1", "old-first-second")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestWriteThatMeetsATransactionGoesByMain: a transaction has locked a row on all nodes. Who wants the
// same row waits on main, and no other node has heard of it; another row of the table is
// written to by all nodes at once.
func TestWriteThatMeetsATransactionGoesByMain(t *testing.T) {
	t.Parallel()
	for _, locks := range []string{"UPDATE item SET text = text || '-block' WHERE id = 1", "SELECT FROM item WHERE id = 1 FOR UPDATE",
		"DELETE FROM item WHERE id = 1; INSERT INTO item VALUES (1, 'old-block')"} {
		t.Run(locks, func(t *testing.T) {
			t.Parallel()
			s := atOnce(t, "deadlock_check_interval = 0")
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable)
			s.exec(first, "BEGIN; "+locks)
			one := start(updateItem(t, second, pgx.QueryExecModeSimpleProtocol, 1, "-second"))
			awaitWaiter(t, s.nodes[0])
			wantUnheard(t, "-second", s.nodes[1:]...)
			s.exec(first, "COMMIT")
			one.must(t)
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestWriteOfAnotherRowDoesNotMindATransaction: only the row that the transaction has written to by
// its key is main's to order.
func TestWriteOfAnotherRowDoesNotMindATransaction(t *testing.T) {
	t.Parallel()
	s := atOnce(t)
	first, second := s.connect(), s.connect()
	s.exec(first, itemTable)
	s.exec(first, "BEGIN")
	s.exec(first, "UPDATE item SET text = 'block' WHERE id = 1")
	g := hold(t, "SELECT FROM item WHERE id = 2 FOR UPDATE", s.nodes[0], s.nodes[1])
	other := start(updateItem(t, second, pgx.QueryExecModeExec, 2, "-second"))
	awaitWaiter(t, s.nodes[0], s.nodes[1])
	g.open()
	other.must(t)
	s.exec(first, "COMMIT")
	s.wantEqual()
}

// TestTransactionWaitsForWhatIsAtAllNodes: statements that may lock a row which another one is about
// to lock everywhere are sent when that one has ended, whatever they are.
func TestTransactionWaitsForWhatIsAtAllNodes(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, want string }{
		{"BEGIN; UPDATE item SET text = text || '-late' WHERE id = 1; COMMIT", "old-first-late"},
		{"UPDATE item SET text = text || '-late' WHERE text > '-late'", "old-first-late"},
		{"BEGIN; SELECT '-late' FROM item WHERE id = 1 FOR UPDATE; UPDATE item SET text = text || '-late' WHERE id = 1; COMMIT", "old-first-late"},
		{"ALTER TABLE item ADD COLUMN \"-late\" int", "old-first"},
		{"BEGIN; LOCK TABLE item; SELECT '-late'; UPDATE item SET text = text || '-late' WHERE id = 1; COMMIT", "old-first-late"},
		{"DO $$BEGIN UPDATE item SET text = text || '-late' WHERE id = 1; END$$", "old-first-late"},
		{"SELECT late()", "old-first-late"},
	}
	for _, tt := range tests {
		t.Run(tt.sql, func(t *testing.T) {
			t.Parallel()
			s := atOnce(t, "deadlock_check_interval = 0")
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable)
			s.exec(first, "CREATE FUNCTION late() RETURNS void LANGUAGE sql AS $$UPDATE item SET text = text || '-late' WHERE id = 1$$")
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[2])
			one := start(updateItem(t, first, pgx.QueryExecModeExec, 1, "-first"))
			awaitWaiter(t, s.nodes[2])
			other := startQuery(second, tt.sql)
			wantUnheard(t, "late", s.nodes...)
			g.open()
			one.must(t)
			other.must(t)
			s.want(first, "SELECT text FROM item WHERE id = 1", tt.want)
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestCancelOfWhoWaitsForATicket: the statement is at no node.
func TestCancelOfWhoWaitsForATicket(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{"UPDATE item SET text = 'never' WHERE id = 1", "BEGIN; LOCK TABLE item"} {
		t.Run(sql, func(t *testing.T) {
			t.Parallel()
			s := atOnce(t)
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable)
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[2])
			one := start(updateItem(t, first, pgx.QueryExecModeExec, 1, ""))
			awaitWaiter(t, s.nodes[2])
			statement := startQuery(second, sql)
			for ended := false; !ended; { // until it has begun
				cancel(t, second)
				select {
				case <-statement.done:
					ended = true
				default:
				}
			}
			if _, err := statement.wait(t); codeOf(err) != "57014" {
				t.Errorf("%v, want SQLSTATE 57014", err)
			}
			g.open()
			one.must(t)
			s.exec(second, "ROLLBACK")
			s.wantCancelled(second, statement)
		})
	}
}

// TestCancelOfAWriteAtAllNodes: it ends on all of them, wherever it waits.
func TestCancelOfAWriteAtAllNodes(t *testing.T) {
	t.Parallel()
	for _, held := range [][]int{{0}, {1}, {0, 2}, {0, 1, 2}} {
		t.Run(fmt.Sprint(held), func(t *testing.T) {
			t.Parallel()
			s := atOnce(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			var nodes []*pgtest.Node
			for _, id := range held {
				nodes = append(nodes, s.nodes[id])
			}
			s.cancelHeld(conn, nodes...)
		})
	}
}

// cancelHeld cancels an UPDATE that waits for its row on some nodes, and wants it to have ended.
func (s *stage) cancelHeld(conn *pgx.Conn, nodes ...*pgtest.Node) {
	s.t.Helper()
	g := hold(s.t, "SELECT FROM item WHERE id = 1 FOR UPDATE", nodes...)
	statement := startQuery(conn, "UPDATE item SET text = 'never' WHERE id = 1")
	awaitWaiter(s.t, nodes...)
	cancel(s.t, conn)
	_, _ = statement.wait(s.t)
	g.open()
	s.wantCancelled(conn, statement)
}

// TestErrorOfAWriteAtAllNodes: all nodes meet it, and the frontend is told once.
func TestErrorOfAWriteAtAllNodes(t *testing.T) {
	t.Parallel()
	s := atOnce(t)
	conn := s.connect()
	s.exec(conn, itemTable+"ALTER TABLE item ADD COLUMN n int CHECK (n > 0)")
	s.wantCode(conn, "UPDATE item SET n = 1 / (id - 1) WHERE id = 1", "22012")
	s.wantCode(conn, "UPDATE item SET n = 0 WHERE id = 1", "23514")
	s.wantCode(conn, "UPDATE item SET nn = 0 WHERE id = 1", "42703")
	s.exec(conn, "UPDATE item SET n = 1 WHERE id = 1")
	s.want(conn, "SELECT n FROM item WHERE id = 1", "1")
	s.wantAllUp()
	s.wantEqual()
}

// TestNodesThatDisagreeAboutAWriteAtAllNodes: nothing is committed, as on the road by main.
func TestNodesThatDisagreeAboutAWriteAtAllNodes(t *testing.T) {
	t.Parallel()
	s := atOnce(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	direct(s.nodes[2], "DELETE FROM item WHERE id = 1")
	s.wantCode(conn, "UPDATE item SET text = 'new' WHERE id = 1", "40001")
	if rows := direct(s.nodes[0], "SELECT text FROM item WHERE id = 1"); rows[0] != "old" {
		t.Errorf("committed on main: %v", rows)
	}
	direct(s.nodes[2], "INSERT INTO item VALUES (1, 'old')")
	s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
	s.wantAllUp()
	s.wantEqual()
}

// TestNodeLostUnderAWriteAtAllNodes: it waits on a node, and one is killed. The frontend does not
// notice.
func TestNodeLostUnderAWriteAtAllNodes(t *testing.T) {
	t.Parallel()
	for _, held := range []int{0, 1} {
		for _, lost := range []int{0, 1, 2} {
			for _, protocol := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement} {
				t.Run(fmt.Sprintf("waits on node %d, node %d is lost, %v", held, lost, protocol), func(t *testing.T) {
					t.Parallel()
					s := atOnce(t)
					conn := s.connect()
					s.exec(conn, itemTable)
					g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[held])
					update := start(updateItem(t, conn, protocol, 1, "-new"))
					awaitWaiter(t, s.nodes[held])
					s.nodes[lost].Kill()
					g.open()
					if rows := update.must(t); rows[0] != "UPDATE 1" {
						t.Errorf("answered %v", rows)
					}
					s.want(conn, "SELECT text FROM item WHERE id = 1", "old-new")
					pgtest.WantEqual(t, without(s.nodes, lost)...)
				})
			}
		}
	}
}

// TestConnectionLostUnderAWriteAtAllNodes: somebody ends a backend of a node that lives. The session
// ends with the server's word, as it does on the road by main, and nothing is committed.
func TestConnectionLostUnderAWriteAtAllNodes(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{0, 1} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			s := atOnce(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[0], s.nodes[1])
			update := startQuery(conn, "UPDATE item SET text = 'new' WHERE id = 1")
			awaitWaiter(t, s.nodes[0], s.nodes[1])
			direct(s.nodes[lost], "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
			g.open()
			if _, err := update.wait(t); codeOf(err) != "57P01" {
				t.Errorf("told %v, want SQLSTATE 57P01", err)
			}
			s.want(s.connect(), "SELECT count(*) FROM item WHERE text = 'old'", "10")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}
