package scenario

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

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
