package scenario

import (
	"sync"
	"testing"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// locksOf are the locks on a relation that are held on each node in a mode.
func (s *stage) locksOf(relation, mode string) []string {
	var counts []string
	for _, node := range s.nodes {
		counts = append(counts, direct(node, "SELECT count(*) FROM pg_locks WHERE relation = '"+relation+"'::regclass AND mode = '"+mode+"'")...)
	}
	return counts
}

func (s *stage) wantLocks(relation, mode, each string) {
	s.t.Helper()
	for i, got := range s.locksOf(relation, mode) {
		if got != each {
			s.t.Errorf("node %d: %s locks in %s: %s, want %s", i, relation, mode, got, each)
		}
	}
}

// TestInsertLockByHint: the table is locked on all nodes until the transaction ends.
func TestInsertLockByHint(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn, second := s.connect(), s.connect()
	s.exec(conn, insertedTable)
	s.exec(conn, "BEGIN")
	s.exec(conn, "/*insert lock*/INSERT INTO inserted (who) VALUES ('a')")
	s.wantLocks("inserted", "ShareRowExclusiveLock", "1")
	waiting := startQuery(second, "/*INSERT LOCK*/ INSERT INTO inserted (who) VALUES ('b')")
	awaitWaiter(t, s.nodes[0])
	s.exec(conn, "COMMIT")
	if _, err := waiting.wait(t); err != nil {
		t.Error(err)
	}
	s.wantLocks("inserted", "ShareRowExclusiveLock", "0")
	s.wantEqual()
}

// insertLockTable is the one of Pgpool-II's insert_lock.sql.
const insertLockTable = `CREATE SCHEMA pgpool_catalog; CREATE TABLE pgpool_catalog.insert_lock (reloid oid PRIMARY KEY);
INSERT INTO pgpool_catalog.insert_lock VALUES (0)`

// TestLiteralInsertLock: rows of pgpool_catalog.insert_lock are locked where it exists, on
// all nodes the same ones, by both protocols.
func TestLiteralInsertLock(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("insert_lock_mode = literal"))
	conn, second := s.connect(), s.connect()
	s.exec(conn, insertedTable+"; CREATE TABLE plain (id int); "+insertLockTable)
	s.exec(conn, "BEGIN")
	if _, err := conn.Exec(bounded(t), "INSERT INTO inserted (who) VALUES ($1)", "a"); err != nil {
		t.Fatal(err)
	}
	s.wantLocks("inserted", "ShareRowExclusiveLock", "0")
	s.wantLocks("pgpool_catalog.insert_lock", "RowShareLock", "1")
	s.exec(second, "/*NO INSERT LOCK*/ INSERT INTO inserted (who) VALUES ('not kept waiting')")
	waiting := startQuery(second, "INSERT INTO inserted (who) VALUES ('b')")
	awaitWaiter(t, s.nodes[0])
	s.exec(conn, "INSERT INTO plain VALUES (1)")
	s.exec(conn, "COMMIT")
	if _, err := waiting.wait(t); err != nil {
		t.Error(err)
	}
	s.want(second, "SELECT count(*) FROM pgpool_catalog.insert_lock", "2")
	s.wantEqual()
}

// TestSequenceStrategyLock has each node draw by itself, under a lock, also after errors and
// with what sessions have cached.
func TestSequenceStrategyLock(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("sequence_strategy = lock"))
	conn := s.connect()
	s.exec(conn, "CREATE SEQUENCE numbers CACHE 10; CREATE TABLE inserted (id int DEFAULT nextval('numbers'), who text NOT NULL)")
	in := s.startInserters(6, "inserted")
	var failing sync.WaitGroup
	for range 2 {
		conn := s.connect()
		failing.Go(func() {
			for range 20 {
				_, err := conn.Exec(t.Context(), "INSERT INTO inserted (who) VALUES (NULL)")
				if code := codeOf(err); code != "23502" && code != "40P01" {
					t.Errorf("got %v, want 23502", err)
				}
			}
		})
	}
	failing.Wait()
	in.awaitMore(50)
	in.end()
	s.want(conn, "SELECT count(*) - count(DISTINCT id) FROM inserted", "0")
	s.wantEqual()
}
