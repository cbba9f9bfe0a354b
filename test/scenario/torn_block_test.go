package scenario

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestConnectionBreaksBetweenWrites: a node that lives and whose connection is gone has rolled back what the block
// has written there. Whoever finds out, a write or a question about the catalogue that comes before it, the block
// cannot be committed, and nodes stay alike.
func TestConnectionBreaksBetweenWrites(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"native_replication", "snapshot_isolation"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			// A health check that is cut off in the midst of it would take the node for dead.
			b := newBoundaryStage(t, "parallel", "backend_clustering_mode = "+mode, "load_balance_mode = off", "health_check_period = 0")
			count := 0
			for _, begin := range []string{"BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"} {
				for _, node := range []int{0, 2} {
					for _, next := range []string{"INSERT INTO item VALUES (12, 'second')", "INSERT INTO unseen VALUES (1)", "SELECT count(*) FROM unseen", "SELECT * FROM unseen FOR UPDATE", "DELETE FROM unseen WHERE called_for() < 0"} {
						count++
						table := fmt.Sprintf("unseen%d", count)
						next := strings.ReplaceAll(next, "unseen", table)
						t.Run(fmt.Sprintf("%s, node %d, %s", begin, node, next), func(t *testing.T) { b.inside(t).breakBetween(begin, table, next, node) })
					}
				}
			}
		})
	}
}

func (b *boundaryStage) breakBetween(begin, table, next string, node int) {
	conn := b.connect()
	b.exec(conn, "CREATE TABLE "+table+" (id int PRIMARY KEY); DELETE FROM item WHERE id > 10")
	b.exec(conn, "CREATE OR REPLACE FUNCTION called_for() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'")
	b.exec(conn, begin)
	b.exec(conn, "INSERT INTO item VALUES (11, 'first')")
	b.relays[node].cut()
	b.endsTorn(conn, next)
	b.want(conn, "SELECT count(*) FROM item WHERE id > 10", "0")
	b.wantAllUp()
	b.wantEqual()
}

// endsTorn wants the block not to be committed: the statement or the COMMIT is told 40001.
func (b *boundaryStage) endsTorn(conn *pgx.Conn, next string) {
	b.t.Helper()
	_, err := conn.Exec(bounded(b.t), next, pgx.QueryExecModeSimpleProtocol)
	if err == nil {
		_, err = conn.Exec(bounded(b.t), "COMMIT", pgx.QueryExecModeSimpleProtocol)
	}
	b.wantRefused(conn, err)
}
