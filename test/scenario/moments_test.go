package scenario

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// The table of the design: what becomes of a session whose node is lost at a given
// moment. Each scenario has a table "item" and one session.

const itemTable = `
CREATE TABLE item (id int PRIMARY KEY, text text);
INSERT INTO item SELECT i, 'old' FROM generate_series(1, 10) AS i;`

// eachNode runs the scenario with the main node lost and with another one.
func eachNode(t *testing.T, scenario func(s *stage, conn *pgx.Conn, lost *pgtest.Node)) {
	for _, id := range []int{0, 2} {
		t.Run(fmt.Sprintf("node %d", id), func(t *testing.T) {
			t.Parallel() // mostly nodes starting and dying
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			scenario(s, conn, s.nodes[id])
			if alive := without(s.nodes, id); !s.nodes[id].Running() {
				pgtest.WantEqual(t, alive...)
			}
		})
	}
}

func TestNodeLostWhileASessionIsIdle(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		lost.Kill()
		s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
		s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
	})
}

func TestNodeLostWhileASessionIsIdleInATransaction(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		s.exec(conn, "BEGIN")
		s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
		lost.Kill()
		s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
		s.exec(conn, "UPDATE item SET text = 'newer' WHERE id = 1")
		s.exec(conn, "COMMIT")
		s.want(conn, "SELECT text FROM item WHERE id = 1", "newer")
	})
}

// TestNodeWhoseLossAQuestionFindsOut: the catalogue is asked about a table before anything is sent that writes.
func TestNodeWhoseLossAQuestionFindsOut(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		s.exec(conn, "CREATE TABLE unseen (id int PRIMARY KEY)")
		s.exec(conn, "BEGIN")
		s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
		lost.Kill()
		s.exec(conn, "INSERT INTO unseen VALUES (1)")
		s.exec(conn, "COMMIT")
		s.want(conn, "SELECT text, (SELECT count(*) FROM unseen) FROM item WHERE id = 1", "new|1")
	})
}

func TestNodeLostInAReadOnlyTransaction(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		s.exec(conn, "BEGIN")
		s.want(conn, "SELECT count(*) FROM item", "10")
		lost.Kill()
		s.want(conn, "SELECT count(*) FROM item", "10")
		s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
		s.exec(conn, "COMMIT")
	})
}

func TestNodeLostWhileAWriteWaitsOnMain(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		g := hold(s.t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes...)
		write := startQuery(conn, "UPDATE item SET text = 'new' WHERE id = 1")
		awaitWaiter(s.t, s.nodes[0])
		lost.Kill()
		g.open()
		write.must(s.t)
		s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
	})
}

func TestNodeLostWhileAWriteWaitsOnTheOthers(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		g := hold(s.t, "UPDATE item SET text = 'held' WHERE id = 1", s.nodes[1:]...)
		write := startQuery(conn, "UPDATE item SET text = 'new' WHERE id = 1")
		awaitWaiter(s.t, s.nodes[1:]...)
		lost.Kill()
		g.open()
		write.must(s.t)
		s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
	})
}

// slotLock makes COMMIT wait, of those sessions that have committed before: their slots are
// locked.
const slotLock = "SELECT FROM pgchorus.commit_slot FOR UPDATE"

// deferredGate makes what is deferred to COMMIT wait for the table "gate", which nothing but
// the trigger touches.
const deferredGate = `
CREATE TABLE gate ();
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE gate IN SHARE MODE; RETURN NULL; END';
CREATE CONSTRAINT TRIGGER pass AFTER UPDATE ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pass();`

func TestNodeLostInCommit(t *testing.T) {
	t.Parallel()
	for _, block := range []bool{true, false} {
		t.Run(fmt.Sprintf("block %v", block), func(t *testing.T) {
			eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
				if block {
					s.exec(conn, "BEGIN")
				}
				g := hold(s.t, slotLock, s.nodes...)
				write := startQuery(conn, "UPDATE item SET text = 'new' WHERE id = 1")
				if block {
					write.must(s.t)
					write = startQuery(conn, "COMMIT")
				}
				awaitWaiter(s.t, s.nodes...)
				lost.Kill()
				g.open()
				write.must(s.t)
				s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
			})
		})
	}
}

// heldRead starts a read that waits for a lock before its first row and returns the
// node that it waits on.
func (s *stage) heldRead(conn *pgx.Conn, g **gate) (*background, *pgtest.Node) {
	s.t.Helper()
	*g = hold(s.t, "LOCK TABLE item IN ACCESS EXCLUSIVE MODE", s.nodes...)
	read := startQuery(conn, "SELECT count(*) FROM item")
	var where *pgtest.Node
	await(s.t, "the read waits", func() bool {
		for _, node := range s.nodes {
			if waiters(node) > 0 {
				where = node
			}
		}
		return where != nil
	})
	return read, where
}

func TestNodeLostBeforeAReadHasAnswered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	var g *gate
	read, where := s.heldRead(conn, &g)
	where.Kill()
	g.open()
	if rows := read.must(t); len(rows) != 1 || rows[0] != "10" {
		t.Errorf("read: %q", rows)
	}
	s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
	pgtest.WantEqual(t, without(s.nodes, where.ID)...)
}

// bigRead is more than what sockets and buffers between a node and a frontend hold.
const bigRead = "SELECT i, repeat('x', 1000) FROM generate_series(1, 60000) AS i"

// busyNode is the node that runs a statement with this text in it.
func (s *stage) busyNode(text string) *pgtest.Node {
	s.t.Helper()
	sql := "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%" + text + "%'"
	var busy *pgtest.Node
	await(s.t, "a node is busy", func() bool {
		for _, node := range s.nodes {
			if len(direct(node, sql)) > 0 {
				busy = node
			}
		}
		return busy != nil
	})
	return busy
}

func TestNodeLostAfterAReadHasSentRows(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement} {
		t.Run(mode.String(), func(t *testing.T) {
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			rows, err := conn.Query(bounded(t), bigRead, mode)
			if err != nil || !rows.Next() {
				t.Fatalf("first row: %v", err)
			}
			lost := s.busyNode("repeat")
			lost.Kill()
			n := 1
			for rows.Next() {
				n++
			}
			if codeOf(rows.Err()) != "08006" {
				t.Errorf("after %d rows: %v, want SQLSTATE 08006", n, rows.Err())
			}
			s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
			s.want(conn, "SELECT text FROM item WHERE id = 1", "new")
			pgtest.WantEqual(t, without(s.nodes, lost.ID)...)
		})
	}
}

func TestNodeLostInCopyToStdout(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	r, w := io.Pipe()
	copying := start(func() ([]string, error) {
		_, err := conn.PgConn().CopyTo(context.Background(), w, "COPY ("+bigRead+") TO STDOUT")
		w.CloseWithError(io.EOF)
		return nil, err
	})
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	lost := s.busyNode("repeat")
	lost.Kill()
	go io.Copy(io.Discard, r)
	if _, err := copying.wait(t); codeOf(err) != "08006" {
		t.Errorf("COPY TO: %v, want SQLSTATE 08006", err)
	}
	s.want(conn, "SELECT count(*) FROM item", "10")
}

// copyFrom feeds COPY item FROM STDIN from a pipe.
func copyFrom(conn *pgx.Conn) (io.WriteCloser, *background) {
	r, w := io.Pipe()
	copying := start(func() ([]string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		tag, err := conn.PgConn().CopyFrom(ctx, r, "COPY item FROM STDIN")
		r.CloseWithError(io.ErrClosedPipe)
		return []string{strconv.FormatInt(tag.RowsAffected(), 10)}, err
	})
	return w, copying
}

// copyLines are rows of item with numbers from first, more than one buffer full.
func copyLines(first, n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "%d\t%s\n", first+i, strings.Repeat("y", 100))
	}
	return lines.String()
}

func TestNodeLostInCopyFromStdin(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		w, copying := copyFrom(conn)
		if _, err := io.WriteString(w, copyLines(1000, 5000)); err != nil {
			s.t.Fatal(err)
		}
		for _, node := range s.nodes {
			await(s.t, "the node copies", func() bool {
				return len(direct(node, "SELECT 1 FROM pg_stat_progress_copy WHERE tuples_processed > 0")) > 0
			})
		}
		lost.Kill()
		if _, err := io.WriteString(w, copyLines(10000, 5000)); err != nil {
			s.t.Fatalf("copy data after the loss: %v", err)
		}
		w.Close()
		if rows := copying.must(s.t); rows[0] != "10000" {
			s.t.Errorf("COPY %s, want 10000", rows[0])
		}
		s.want(conn, "SELECT count(*) FROM item", "10010")
	})
}

func TestNodeLostInACursorLoop(t *testing.T) {
	t.Parallel()
	for _, writes := range []bool{false, true} {
		t.Run(fmt.Sprintf("transaction writes %v", writes), func(t *testing.T) {
			eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
				s.exec(conn, "BEGIN")
				if writes {
					s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
				}
				s.exec(conn, "DECLARE c CURSOR FOR SELECT id FROM item ORDER BY id")
				s.want(conn, "FETCH 2 FROM c", "1", "2")
				lost.Kill()
				s.want(conn, "FETCH 2 FROM c", "3", "4")
				s.exec(conn, "UPDATE item SET text = 'newer' WHERE CURRENT OF c")
				s.want(conn, "FETCH 1 FROM c", "5")
				s.exec(conn, "COMMIT")
				s.want(conn, "SELECT id FROM item WHERE text = 'newer'", "4")
			})
		})
	}
}

func TestNodeLostUnderPreparedStatementsAndSettings(t *testing.T) {
	t.Parallel()
	eachNode(t, func(s *stage, conn *pgx.Conn, lost *pgtest.Node) {
		s.exec(conn, "SET work_mem = '7MB'")
		s.exec(conn, "PREPARE p AS SELECT text FROM item WHERE id = $1")
		s.exec(conn, "PREPARE w AS UPDATE item SET text = $2 WHERE id = $1")
		if _, err := conn.Prepare(bounded(s.t), "named", "SELECT count(*) FROM item WHERE id < $1"); err != nil {
			s.t.Fatal(err)
		}
		lost.Kill()
		for range 6 {
			s.want(conn, "EXECUTE p(2)", "old")
			s.want(conn, "SHOW work_mem", "7MB")
			var n int
			if err := conn.QueryRow(bounded(s.t), "named", 4).Scan(&n); err != nil || n != 3 {
				s.t.Fatalf("named statement: %d, %v", n, err)
			}
		}
		s.exec(conn, "EXECUTE w(2, 'new')")
		s.want(conn, "EXECUTE p(2)", "new")
	})
}
