package scenario

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// fastStage is a stage with autocommit_fast, on which conn has let the nodes prepare an UPDATE and an INSERT.
func fastStage(t *testing.T) (s *stage, conn *pgx.Conn) {
	t.Helper()
	s = newStage(t, proxy.WithConfig("autocommit_fast = on", "deadlock_check_interval = 0"))
	conn = s.connect()
	s.exec(conn, itemTable+"CREATE TABLE counted (id serial PRIMARY KEY, text text)")
	for i := range 5 {
		s.exec(conn, fmt.Sprintf("UPDATE item SET text = 'old' WHERE id = %d", i))
		s.exec(conn, fmt.Sprintf("INSERT INTO counted (text) VALUES ('%d')", i))
	}
	return s, conn
}

// TestWriteIsCommittedByItsOwnMessage: it waits for a lock on two nodes, and is committed on the third one.
func TestWriteIsCommittedByItsOwnMessage(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, holds, is, want string }{
		{"UPDATE item SET text = 'new' WHERE id = 1", "SELECT FROM item WHERE id = 1 FOR UPDATE", "SELECT text FROM item WHERE id = 1", "new"},
		{"INSERT INTO counted (text) VALUES ('new')", "LOCK TABLE counted", "SELECT count(*) FROM counted WHERE text = 'new'", "1"},
	}
	for _, tt := range tests {
		t.Run(tt.sql, func(t *testing.T) {
			t.Parallel()
			s, conn := fastStage(t)
			g := hold(t, tt.holds, s.nodes[0], s.nodes[2])
			write := startQuery(conn, tt.sql)
			awaitWaiter(t, s.nodes[0], s.nodes[2])
			await(t, "it is committed on node 1", func() bool { return slices.Equal(direct(s.nodes[1], tt.is), []string{tt.want}) })
			g.open()
			write.must(t)
			s.want(conn, tt.is, tt.want)
			s.wantAllUp()
			s.wantEqual()
			s.wantSameSlots(s.nodes...)
		})
	}
}

// TestErrorOfAWriteInOneMessage: all nodes meet it, nothing is committed, and the frontend is told what the text says.
func TestErrorOfAWriteInOneMessage(t *testing.T) {
	t.Parallel()
	s, conn := fastStage(t)
	s.exec(conn, "ALTER TABLE item ADD COLUMN n int CHECK (n > 0)")
	for range 4 {
		s.wantCode(conn, "UPDATE item SET n = 0 WHERE id = 1", "23514")
		s.exec(conn, "UPDATE item SET n = 5 WHERE id = 1")
		s.exec(conn, "UPDATE item SET n = 5 WHERE id = 4711")
	}
	s.want(conn, "SELECT n FROM item WHERE id = 1", "5")
	for id := range 4 {
		s.exec(conn, fmt.Sprintf("INSERT INTO item VALUES (%d, 'x')", 100+id))
		s.wantCode(conn, fmt.Sprintf("INSERT INTO item VALUES (%d, 'x')", 100+id), "23505")
	}
	s.wantAllUp()
	s.wantEqual()
	s.wantSameSlots(s.nodes...)
}

// TestCancelOfAWriteInOneMessage: if a node has committed it, the others get it again, and the frontend is told of a
// success; if none has, it is cancelled.
func TestCancelOfAWriteInOneMessage(t *testing.T) {
	t.Parallel()
	for _, held := range [][]int{{0}, {1}, {0, 2}} {
		t.Run(fmt.Sprint(held), func(t *testing.T) {
			t.Parallel()
			s, conn := fastStage(t)
			var nodes []*pgtest.Node
			for _, id := range held {
				nodes = append(nodes, s.nodes[id])
			}
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", nodes...)
			write := startQuery(conn, "UPDATE item SET text = 'new' WHERE id = 1")
			awaitWaiter(t, nodes...)
			cancel(t, conn)
			g.open()
			write.must(t)
			s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
			s.wantAllUp()
			s.wantEqual()
		})
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		s, conn := fastStage(t)
		s.cancelHeld(conn, s.nodes...)
	})
}

// TestNodeThatDisagreesAboutAWriteInOneMessage is fenced, since the others have committed; main, too.
func TestNodeThatDisagreesAboutAWriteInOneMessage(t *testing.T) {
	t.Parallel()
	for id := range 3 {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			t.Parallel()
			s, conn := fastStage(t)
			direct(s.nodes[id], "DELETE FROM item WHERE id = 1")
			tag, err := conn.Exec(bounded(t), "UPDATE item SET text = 'new' WHERE id = 1", pgx.QueryExecModeSimpleProtocol)
			if err != nil || tag.String() != "UPDATE 1" {
				t.Errorf("answered %q, %v", tag, err)
			}
			s.wantFenced(id)
			s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
			pgtest.WantEqual(t, without(s.nodes, id)...)
		})
	}
}

// TestNodeLostUnderAWriteInOneMessage: it waits on a node, and one is killed. The frontend does not notice.
func TestNodeLostUnderAWriteInOneMessage(t *testing.T) {
	t.Parallel()
	for _, held := range []int{0, 1} {
		for lost := range 3 {
			t.Run(fmt.Sprintf("waits on node %d, node %d is lost", held, lost), func(t *testing.T) {
				t.Parallel()
				s, conn := fastStage(t)
				g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[held])
				write := startQuery(conn, "UPDATE item SET text = 'new' WHERE id = 1")
				awaitWaiter(t, s.nodes[held])
				s.nodes[lost].Kill()
				g.open()
				write.must(t)
				s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
				pgtest.WantEqual(t, without(s.nodes, lost)...)
			})
		}
	}
}
