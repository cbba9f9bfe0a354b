package scenario

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
)

// crossed makes a deadlock over two nodes: a transaction has read on node 1, ALTER TABLE is
// through on main and waits there for the reader, and the reader's write waits on main for
// ALTER TABLE.
func (s *stage) crossed(mode pgx.QueryExecMode) (reader *pgx.Conn, write, alter *background) {
	s.t.Helper()
	reader, other := s.connect(), s.connect()
	s.exec(reader, "BEGIN")
	s.want(reader, "SELECT count(*) FROM item WHERE id < 3", "2")
	alter = startQuery(other, "ALTER TABLE item ADD COLUMN more int")
	awaitWaiter(s.t, s.nodes[1])
	write = start(func() ([]string, error) {
		_, err := reader.Exec(bounded(s.t), "UPDATE item SET text = 'new' WHERE id = 1", mode)
		return nil, err
	})
	return reader, write, alter
}

func TestDeadlockOverNodesIsBroken(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			s := newStageIn(t, config.NativeReplication, "deadlock_check_interval = 300ms")
			s.exec(s.connect(), itemTable)
			reader, write, alter := s.crossed(mode)
			_, err := write.wait(t)
			if codeOf(err) != "40P01" || !strings.Contains(detailOf(err), "waits for session") {
				t.Errorf("the reader's write: %v, %q; want SQLSTATE 40P01", err, detailOf(err))
			}
			alter.must(t) // before the reader has said that its transaction is over
			s.wantCode(reader, "SELECT 1", "25P02")
			s.exec(reader, "ROLLBACK")
			s.exec(reader, "UPDATE item SET text = 'newer' WHERE id = 1")
			s.proxy.WaitLog("deadlock over several nodes is broken")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// computedTable has a default that is asked about when a row is written, and its server locks it to tell.
const computedTable = "CREATE TABLE made (id int PRIMARY KEY, at timestamptz DEFAULT now())"

// TestDeadlockOverNodesInAQuestionIsBroken: the reader's write does not wait for ALTER TABLE itself,
// but main does with the answer to what pgchorus asks about the table in front of it.
func TestDeadlockOverNodesInAQuestionIsBroken(t *testing.T) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			s := newStageIn(t, config.NativeReplication, "deadlock_check_interval = 300ms")
			reader, other := s.connect(), s.connect()
			s.exec(reader, computedTable)
			s.exec(reader, "BEGIN")
			s.want(reader, "SELECT count(*) FROM made", "0") // on node 1
			alter := startQuery(other, "ALTER TABLE made ADD COLUMN more int")
			awaitWaiter(t, s.nodes[1])
			_, err := reader.Exec(bounded(t), "INSERT INTO made (id) VALUES (1)", mode)
			if codeOf(err) != "40P01" || !strings.Contains(detailOf(err), "waits for session") {
				t.Errorf("the reader's write: %v, %q; want SQLSTATE 40P01", err, detailOf(err))
			}
			alter.must(t)
			s.exec(reader, "ROLLBACK")
			s.exec(reader, "INSERT INTO made (id) VALUES (1)")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// TestDeadlockOverNodesOnOneNodeIsBroken: what waits on main is a read, or the Parse of a write that has to ask main
// for a sequence before it is bound.
func TestDeadlockOverNodesOnOneNodeIsBroken(t *testing.T) {
	for _, sql := range []string{"/*NO LOAD BALANCE*/ SELECT count(*) FROM drawing", "INSERT INTO drawing (n) VALUES (1)"} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
			t.Run(fmt.Sprint(sql, ", ", mode), func(t *testing.T) {
				s := newStageIn(t, config.NativeReplication, "deadlock_check_interval = 300ms", "sequence_strategy = lock", "allow_sql_comments = on")
				reader, other := s.connect(), s.connect()
				s.exec(reader, "CREATE TABLE drawing (id serial, n int); CREATE TABLE before (id int PRIMARY KEY)")
				s.exec(reader, "INSERT INTO drawing (n) VALUES (0)") // it is known now
				s.exec(reader, "BEGIN")
				s.want(reader, "SELECT count(*) FROM drawing", "1") // on node 1
				s.exec(reader, "INSERT INTO before VALUES (1); SAVEPOINT a")
				alter := startQuery(other, "ALTER TABLE drawing ADD COLUMN more int")
				awaitWaiter(t, s.nodes[1])
				_, err := reader.Exec(bounded(t), sql, mode)
				if codeOf(err) != "40P01" || !strings.Contains(detailOf(err), "waits for session") {
					t.Errorf("%v, %q; want SQLSTATE 40P01", err, detailOf(err))
				}
				alter.must(t)
				if status := reader.PgConn().TxStatus(); status != 'E' {
					t.Errorf("the block's status is %q, want E", status)
				}
				s.wantCode(reader, "SELECT 1", "25P02")
				s.exec(reader, "ROLLBACK")
				s.want(reader, "SELECT count(*) FROM before", "0")
				s.wantAllUp()
				s.wantEqual()
			})
		}
	}
}

// TestStatementIsRepeatedAfterADeadlockOverNodes: one that is alone in its transaction is done
// again behind the other, and nobody is told.
func TestStatementIsRepeatedAfterADeadlockOverNodes(t *testing.T) {
	s := newStageIn(t, config.NativeReplication, "deadlock_check_interval = 300ms")
	reader, other := s.connect(), s.connect()
	s.exec(reader, itemTable+"CREATE TABLE note (id int PRIMARY KEY)")
	s.exec(reader, "BEGIN")
	s.want(reader, "SELECT count(*) FROM item WHERE id < 3", "2") // on node 1
	s.exec(reader, "INSERT INTO note VALUES (1)")
	truncate := startQuery(other, "TRUNCATE item")
	awaitWaiter(t, s.nodes[1])
	s.exec(reader, "UPDATE item SET text = 'new' WHERE id = 1")
	s.proxy.WaitLog("deadlock over several nodes is broken")
	s.exec(reader, "COMMIT")
	truncate.must(t)
	s.want(other, "SELECT count(*) FROM item", "0")
	s.wantAllUp()
	s.wantEqual()
}

// TestDeadlockOverNodesIsLeftAlone: with deadlock_check_interval = 0 nobody looks, and a cancel
// ends it.
func TestDeadlockOverNodesIsLeftAlone(t *testing.T) {
	s := newStageIn(t, config.NativeReplication, "deadlock_check_interval = 0")
	s.exec(s.connect(), itemTable)
	reader, write, alter := s.crossed(pgx.QueryExecModeSimpleProtocol)
	select {
	case <-write.done:
		t.Errorf("the write has ended by itself: %v", write.err)
	case <-time.After(2 * time.Second):
	}
	cancelUntil(t, reader, write)
	s.exec(reader, "ROLLBACK")
	alter.must(t)
	s.wantEqual()
}

// TestWaitIsNoDeadlock: a statement that waits on another node for somebody who will go on is
// waited for.
func TestWaitIsNoDeadlock(t *testing.T) {
	s := newStageIn(t, config.NativeReplication, "deadlock_check_interval = 100ms")
	conn, other := s.connect(), s.connect()
	s.exec(conn, itemTable)
	s.exec(other, "BEGIN; UPDATE item SET text = 'other' WHERE id = 2")
	g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes[2])
	first := startQuery(conn, "UPDATE item SET text = 'first' WHERE id = 1")
	awaitWaiter(t, s.nodes[2])
	second := startQuery(s.connect(), "UPDATE item SET text = 'second' WHERE id = 2")
	awaitWaiter(t, s.nodes[0])
	select {
	case <-first.done:
		t.Errorf("ended: %v", first.err)
	case <-second.done:
		t.Errorf("ended: %v", second.err)
	case <-time.After(time.Second):
	}
	g.open()
	first.must(t)
	s.exec(other, "COMMIT")
	second.must(t)
	s.wantEqual()
}
