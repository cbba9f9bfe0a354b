package scenario

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// What is wrong with running statements on main first and telling main to commit last was found by
// fifteen interleavings of two transactions, CE-1 to CE-15. docs/guarantees.md lists where
// each is played; those that no other scenario is about are here.

// TestQueuesAreEmptiedAlikeWhoeverRollsBack is CE-7: two sessions pop from a queue past each
// other's locks, they reach another node in the other order, and the first one rolls back.
// Whatever set_write_strategy says, the rows are main's: no table lock keeps one session
// from skipping what another has locked.
func TestQueuesAreEmptiedAlikeWhoeverRollsBack(t *testing.T) {
	const pop = "DELETE FROM item WHERE id = (SELECT id FROM item ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id"
	for _, strategy := range []string{"auto", "lock"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, proxy.WithConfig("set_write_strategy = "+strategy))
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable)
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[1])
			one := startQuery(first, "BEGIN; "+pop)
			awaitWaiter(t, s.nodes[1])
			startQuery(second, "BEGIN; "+pop).must(t) // it passes the first one, on all nodes
			g.open()
			one.must(t)
			s.exec(first, "ROLLBACK")
			s.exec(second, "COMMIT")
			s.want(first, "SELECT min(id), count(*) FROM item", "1|9")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestReadOutsideOfABlockIsSerializable is CE-9: what a read has seen completes a cycle, which
// only a node can find that knows the read and the writes. Reads are balanced to node 1.
func TestReadOutsideOfABlockIsSerializable(t *testing.T) {
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		for _, protocol := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
			t.Run(fmt.Sprintf("%s/%v", mode, protocol), func(t *testing.T) {
				t.Parallel()
				s := newStageIn(t, mode)
				withdraws, deposits, reports := s.connect(), s.connect(), s.connect()
				s.exec(reports, "CREATE TABLE account (name text PRIMARY KEY, amount int); INSERT INTO account VALUES ('checking', 0), ('savings', 0)")
				for _, conn := range []*pgx.Conn{withdraws, deposits, reports} {
					s.exec(conn, "SET default_transaction_isolation = 'serializable'")
				}
				s.exec(withdraws, "BEGIN")
				s.want(withdraws, "SELECT sum(amount) FROM account", "0")
				s.exec(deposits, "BEGIN; UPDATE account SET amount = amount + 20 WHERE name = 'savings'; COMMIT")
				var shown int
				if err := reports.QueryRow(bounded(t), "SELECT sum(amount) FROM account", protocol).Scan(&shown); err != nil || shown != 20 {
					t.Fatalf("the report shows %d, %v", shown, err)
				}
				// The report says that the deposit came first and the withdrawal later, which was
				// computed from no deposit.
				_, err := rowsOf(withdraws, "UPDATE account SET amount = amount - 11 WHERE name = 'checking'")
				if err == nil {
					_, err = rowsOf(withdraws, "COMMIT")
				}
				if codeOf(err) != "40001" {
					t.Errorf("the withdrawal: %v, want SQLSTATE 40001", err)
				}
				s.wantAllUp()
				s.wantEqual()
			})
		}
	}
}

// TestNumbersAreMainsWhateverTheOrder is CE-11: two sessions insert into a table with a serial
// column and reach another node at the same time, in any order.
func TestNumbersAreMainsWhateverTheOrder(t *testing.T) {
	s := newStage(t)
	first, second := s.connect(), s.connect()
	s.exec(first, "CREATE TABLE b (id serial PRIMARY KEY, who text)")
	g := hold(t, "LOCK TABLE b IN EXCLUSIVE MODE", s.nodes[1:]...)
	one := startQuery(first, "INSERT INTO b (who) VALUES ('S') RETURNING id")
	awaitWaiter(t, s.nodes[1:]...)
	other := startQuery(second, "INSERT INTO b (who) VALUES ('T') RETURNING id")
	await(t, "both wait", func() bool { return waiters(s.nodes[1]) == 2 && waiters(s.nodes[2]) == 2 })
	g.open()
	ids := []string{one.must(t)[0], other.must(t)[0]}
	if ids[0] == ids[1] {
		t.Errorf("both got number %s", ids[0])
	}
	s.want(first, "SELECT id FROM b ORDER BY who", ids...)
	s.wantAllUp()
	s.wantEqual()
}

// TestNumberThatMainHasBurntIsNobodys is CE-12: main alone has drawn a number when the statement
// dies of a deadlock there. The numbers after it are the same on all nodes all the same.
func TestNumberThatMainHasBurntIsNobodys(t *testing.T) {
	for _, strategy := range []string{"auto", "lock"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, proxy.WithConfig("sequence_strategy = "+strategy))
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable+"CREATE TABLE one (id serial PRIMARY KEY, item int REFERENCES item); CREATE TABLE two (LIKE one INCLUDING ALL, FOREIGN KEY (item) REFERENCES item)")
			s.exec(first, "BEGIN; UPDATE item SET id = 101 WHERE id = 1")
			s.exec(second, "BEGIN; UPDATE item SET id = 102 WHERE id = 2")
			// Each waits for the row that the other has changed, to see whether it is still there.
			one := startQuery(first, "INSERT INTO one (item) VALUES (2)")
			awaitWaiter(t, s.nodes[0])
			other := startQuery(second, "INSERT INTO two (item) VALUES (1)")
			_, err := one.wait(t)
			_, otherErr := other.wait(t)
			if codeOf(err) != "40P01" && codeOf(otherErr) != "40P01" {
				t.Errorf("the deadlock: %v, %v; want SQLSTATE 40P01", err, otherErr)
			}
			s.exec(first, "ROLLBACK")
			s.exec(second, "ROLLBACK")
			for range 3 {
				s.exec(first, "INSERT INTO one (item) VALUES (3)")
				s.exec(first, "INSERT INTO two (item) VALUES (3)")
			}
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestErrorThatAFunctionSwallows is CE-13: a function waits on main for a lock until its time is
// up, and hides it. The other nodes have nobody to wait for. In mixed they are given the rows that
// main has left; strict refuses the function.
func TestErrorThatAFunctionSwallows(t *testing.T) {
	const up = `CREATE FUNCTION up(k int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
		UPDATE item SET text = 'up' WHERE id = k; EXCEPTION WHEN OTHERS THEN NULL; END $$`
	t.Run("strict", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, proxy.WithConfig("replication_safety = strict"))
		conn := s.connect()
		s.exec(conn, itemTable)
		s.exec(conn, up)
		s.wantCode(conn, "SELECT up(1)", "0A000")
		s.wantEqual()
	})
	t.Run("mixed", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		conn := s.connect()
		s.exec(conn, itemTable)
		s.exec(conn, up)
		s.exec(conn, "SET lock_timeout = '100ms'")
		g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes[0])
		s.exec(conn, "SELECT up(1)")
		g.open()
		s.proxy.WaitLog("statement may have another effect on each node")
		s.want(conn, "SELECT text FROM item WHERE id = 1", "old")
		s.wantEqual()
		s.wantAllUp()
	})
}

// TestWritersOfARowWaitOnMain is CE-15: were two writers of a row sent to all nodes at once, each
// could be first on one node and wait on another for ever. The second one waits on main, and no other node
// has heard of it.
func TestWritersOfARowWaitOnMain(t *testing.T) {
	for _, protocol := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(fmt.Sprint(protocol), func(t *testing.T) {
			t.Parallel()
			s := newStageIn(t, config.NativeReplication, "parallel_dispatch = off", "deadlock_check_interval = 0")
			first, second := s.connect(), s.connect()
			s.exec(first, itemTable)
			update := func(conn *pgx.Conn, text string) *background {
				return start(func() ([]string, error) {
					_, err := conn.Exec(bounded(t), "UPDATE item SET text = text || '"+text+"' WHERE id = 1", protocol)
					return nil, err
				})
			}
			// The first one is late on node 1, where the second one could overtake it.
			g := hold(t, "SELECT FROM item WHERE id = 1 FOR UPDATE", s.nodes[1])
			one := update(first, "-first")
			awaitWaiter(t, s.nodes[1])
			other := update(second, "-second")
			awaitWaiter(t, s.nodes[0])
			for _, node := range s.nodes[1:] {
				if rows := direct(node, "SELECT query FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%-second%' AND pid <> pg_backend_pid()"); len(rows) > 0 {
					t.Errorf("node %d has heard of the second one: %q", node.ID, rows)
				}
			}
			g.open()
			one.must(t)
			other.must(t)
			s.want(first, "SELECT text FROM item WHERE id = 1", "old-first-second")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}
