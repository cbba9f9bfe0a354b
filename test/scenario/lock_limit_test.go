package scenario

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// TestDDLDoesNotWaitForEverOnAnotherNode: a reader there would keep everybody from the table
// on main. Main itself may take its time, and so may what is no DDL.
func TestDDLDoesNotWaitForEverOnAnotherNode(t *testing.T) {
	s := newStage(t, proxy.WithConfig("replica_ddl_lock_timeout = 100ms"))
	s.exec(s.connect(), itemTable)
	for name, mode := range protocols {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			conn := s.connectBy(mode)
			alter := func() string {
				_, err := conn.Exec(bounded(t), "ALTER TABLE item ADD COLUMN more int")
				return codeOf(err)
			}
			g := hold(t, "SELECT FROM item", s.nodes[1])
			if code := alter(); code != "40001" {
				t.Errorf("reader on another node: SQLSTATE %q, want 40001", code)
			}
			for _, sql := range []string{"BEGIN", "SAVEPOINT a", "CREATE TABLE other (id int)", "SAVEPOINT b", "ROLLBACK TO b"} {
				if _, err := conn.Exec(bounded(t), sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			lock := start(func() ([]string, error) {
				_, err := conn.Exec(bounded(t), "LOCK TABLE item")
				return nil, err
			})
			awaitWaiter(t, s.nodes[1])
			if rows := direct(s.nodes[1], "SELECT pg_sleep(0.3); SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"); rows[0] != "1" {
				t.Errorf("%s wait for the lock, want 1", rows)
			}
			g.open()
			lock.must(t)
			s.exec(conn, "ROLLBACK")

			g = hold(t, "SELECT FROM item", s.nodes[0])
			waits := start(func() ([]string, error) { alter(); return nil, nil })
			awaitWaiter(t, s.nodes[0])
			g.open()
			waits.must(t)
			s.want(conn, "SELECT count(more) FROM item", "0")
			s.exec(conn, "ALTER TABLE item DROP COLUMN more")
		})
	}
	s.wantAllUp()
	pgtest.WantEqual(t, s.nodes...)
}
