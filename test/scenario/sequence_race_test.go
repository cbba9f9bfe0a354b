package scenario

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// inserters insert into a table with a serial column until they are stopped, and keep the
// numbers that they were told.
type inserters struct {
	s       *stage
	stop    atomic.Bool
	running sync.WaitGroup
	acked   atomic.Int64

	mu     sync.Mutex // guards the fields below
	told   map[int64]bool
	errors []error
}

// startInserters lets clients insert: half of them by simple query, half in blocks.
func (s *stage) startInserters(clients int, table string) *inserters {
	s.t.Helper()
	in := &inserters{s: s, told: map[int64]bool{}}
	modes := []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement}
	for i := range clients {
		conn := s.connectBy(modes[i%2])
		in.running.Go(func() { in.run(conn, table, i/2%2 == 1) })
	}
	s.t.Cleanup(func() { in.stop.Store(true); in.running.Wait() })
	return in
}

func (in *inserters) run(conn *pgx.Conn, table string, block bool) {
	for !in.stop.Load() {
		ids, err := insertTwo(conn, table, block)
		in.mu.Lock()
		for _, id := range ids {
			if in.told == nil {
				continue
			}
			if in.told[id] {
				in.errors = append(in.errors, fmt.Errorf("number %d was given out twice", id))
			}
			in.told[id] = true
		}
		if err != nil && codeOf(err) != "40001" && codeOf(err) != "40P01" {
			in.errors = append(in.errors, err)
		}
		in.mu.Unlock()
		in.acked.Add(int64(len(ids)))
		var gone *pgconn.PgError
		if err != nil && !errors.As(err, &gone) {
			return
		}
	}
}

// insertTwo inserts two rows and returns their numbers if they were committed.
func insertTwo(conn *pgx.Conn, table string, block bool) (ids []int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	insert := func(q interface {
		Query(context.Context, string, ...any) (pgx.Rows, error)
	}) error {
		rows, err := q.Query(ctx, "INSERT INTO "+table+" (who) VALUES ('a'), ('b') RETURNING id")
		if err == nil {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		}
		return err
	}
	if block {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return insert(tx) })
	} else {
		err = insert(conn)
	}
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// awaitMore waits until so many more rows were acknowledged.
func (in *inserters) awaitMore(n int64) {
	in.s.t.Helper()
	goal := in.acked.Load() + n
	await(in.s.t, "more rows are inserted", func() bool { return in.acked.Load() >= goal })
}

// end stops the clients and fails the test for what went wrong.
func (in *inserters) end() {
	in.s.t.Helper()
	in.stop.Store(true)
	in.running.Wait()
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, err := range in.errors {
		if i < 5 {
			in.s.t.Error(err)
		}
	}
}

const insertedTable = "CREATE TABLE inserted (id serial, who text NOT NULL)"

// TestNoNumberTwiceAcrossAChangeOfMain kills main node after main node under inserts.
func TestNoNumberTwiceAcrossAChangeOfMain(t *testing.T) {
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStageIn(t, mode)
			s.exec(s.connect(), insertedTable)
			in := s.startInserters(8, "inserted")
			in.awaitMore(200)
			s.nodes[0].Kill()
			in.awaitMore(200)
			s.nodes[1].Kill()
			in.awaitMore(200)
			in.end()
			conn := s.connect()
			s.want(conn, "SELECT count(*) - count(DISTINCT id), max(id) <= (SELECT last_value FROM inserted_id_seq) FROM inserted", "0|t")
			in.wantThere(s.connect())
		})
	}
}

// wantThere fails the test unless every number that was told is in the table.
func (in *inserters) wantThere(conn *pgx.Conn) {
	in.s.t.Helper()
	rows, err := conn.Query(bounded(in.s.t), "SELECT id::bigint FROM inserted")
	if err != nil {
		in.s.t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		in.s.t.Fatal(err)
	}
	there := map[int64]bool{}
	for _, id := range ids {
		there[id] = true
	}
	for id := range in.told {
		if !there[id] {
			in.s.t.Errorf("number %d was acknowledged and is not there", id)
		}
	}
}

// TestNodesDrawTheSameWhereTheTextCannotTell has COPY and INSERT ... SELECT race with inserts
// of values that are leased.
func TestNodesDrawTheSameWhereTheTextCannotTell(t *testing.T) {
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStageIn(t, mode)
			s.exec(s.connect(), insertedTable)
			in := s.startInserters(4, "inserted")
			var others sync.WaitGroup
			for i := range 4 {
				conn := s.connect()
				others.Go(func() {
					for n := range 15 {
						if err := unleasedInsert(conn, i+n); err != nil && codeOf(err) != "40P01" && codeOf(err) != "40001" {
							t.Error(err)
						}
					}
				})
			}
			others.Wait()
			in.end()
			s.want(s.connect(), "SELECT count(*) - count(DISTINCT id), count(*) > 400 FROM inserted", "0|t")
			s.wantEqual()
		})
	}
}

// unleasedInsert inserts ten rows in one of two ways.
func unleasedInsert(conn *pgx.Conn, n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if n%2 == 0 {
		_, err := conn.PgConn().CopyFrom(ctx, strings.NewReader(strings.Repeat("copied\n", 10)), "COPY inserted (who) FROM STDIN")
		return err
	}
	_, err := conn.Exec(ctx, "INSERT INTO inserted (who) SELECT 'selected' FROM generate_series(1, 10)")
	return err
}

// TestSequenceThatIsSetUnderInserts sets a sequence forward, and restarts another, while
// clients insert.
func TestSequenceThatIsSetUnderInserts(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, insertedTable+"; CREATE TABLE emptied (id serial PRIMARY KEY, who text)")
	in, other := s.startInserters(4, "inserted"), s.startInserters(4, "emptied")
	other.told = nil // its numbers come again
	for i := range 20 {
		s.exec(conn, fmt.Sprintf("SELECT setval('inserted_id_seq', (SELECT max(id) + %d FROM inserted))", 1000+i))
		if err := truncated(conn); err != nil && codeOf(err) != "40P01" {
			t.Error(err)
		}
		in.awaitMore(10)
	}
	in.end()
	other.end()
	s.want(s.connect(), "SELECT count(*) - count(DISTINCT id) FROM inserted", "0")
	s.wantEqual()
}

func truncated(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := conn.Exec(ctx, "TRUNCATE emptied RESTART IDENTITY")
	return err
}

// TestRightsToSequences: a lease gives nobody what he may not draw himself.
func TestRightsToSequences(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, `CREATE TABLE serials (id serial, who text); CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY, who text);
		CREATE ROLE clerk; GRANT INSERT, SELECT ON serials, always TO clerk`)
	for range 3 {
		s.exec(conn, "INSERT INTO serials (who) VALUES ('owner')")
		s.exec(conn, "INSERT INTO always (who) VALUES ('owner')")
	}
	s.exec(conn, "SET ROLE clerk")
	s.wantCode(conn, "INSERT INTO serials (who) VALUES ('clerk')", "42501")
	s.wantCode(conn, "SELECT nextval('serials_id_seq')", "42501")
	s.wantCode(conn, "SELECT currval('serials_id_seq')", "42501")
	for range 40 {
		s.exec(conn, "INSERT INTO always (who) VALUES ('clerk')")
	}
	s.exec(conn, "RESET ROLE; GRANT USAGE ON SEQUENCE serials_id_seq TO clerk; SET ROLE clerk")
	s.exec(conn, "INSERT INTO serials (who) VALUES ('clerk')")
	s.exec(conn, "RESET ROLE; REVOKE USAGE ON SEQUENCE serials_id_seq FROM clerk; SET ROLE clerk")
	s.wantCode(conn, "INSERT INTO serials (who) VALUES ('clerk')", "42501")
	s.wantEqual()
}

// TestLockBehindASavepoint: a lock that a savepoint has taken away is taken again, and the
// nodes are aligned again.
func TestLockBehindASavepoint(t *testing.T) {
	s := newStage(t)
	conn, other := s.connect(), s.connect()
	s.exec(conn, insertedTable)
	s.exec(conn, "BEGIN; SAVEPOINT a; INSERT INTO inserted (who) SELECT 'x' FROM generate_series(1, 3); ROLLBACK TO a")
	for range 5 {
		s.exec(other, "INSERT INTO inserted (who) VALUES ('leased')")
	}
	s.wantCode(conn, "INSERT INTO inserted (who) SELECT NULL FROM generate_series(1, 3)", "23502")
	s.exec(conn, "ROLLBACK TO a; INSERT INTO inserted (who) SELECT 'y' FROM generate_series(1, 3)")
	s.exec(conn, "INSERT INTO inserted (who) VALUES ('z'); COMMIT")
	s.exec(other, "INSERT INTO inserted (who) VALUES ('leased')")
	s.want(conn, "SELECT count(*), count(DISTINCT id) FROM inserted", "10|10")
	s.wantEqual()
}

// TestProcedureThatCommitsAndSetsASequence runs outside of any block of ours.
func TestProcedureThatCommitsAndSetsASequence(t *testing.T) {
	s := newStage(t)
	conn, other := s.connect(), s.connect()
	s.exec(conn, insertedTable+`; CREATE PROCEDURE anew() LANGUAGE plpgsql AS $$BEGIN DELETE FROM inserted; COMMIT; PERFORM setval('inserted_id_seq', 500); COMMIT; END$$`)
	for range 10 {
		s.exec(other, "INSERT INTO inserted (who) VALUES ('x')")
	}
	s.exec(conn, "CALL anew()")
	s.want(other, "INSERT INTO inserted (who) VALUES ('x') RETURNING id", "501")
	s.wantEqual()
}

// TestSequencesAreLockedAgain: a statement that draws on each node by itself is taken back, because its table
// has another default by now, and run again. The sequence is locked again for that.
func TestSequencesAreLockedAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("sequence_strategy = lock"))
	conn, other := s.connect(), s.connect()
	s.exec(conn, "CREATE TABLE counted (id serial, at timestamptz)")
	s.exec(conn, "INSERT INTO counted DEFAULT VALUES")
	behind := func() (c *pgx.Conn, lock *background) { // somebody on node 2 who waits for the table, then has it
		c = s.nodes[2].ConnectTo(database)
		s.exec(c, "BEGIN")
		return c, startQuery(c, "LOCK TABLE counted")
	}
	waiting := func(n int) {
		await(t, fmt.Sprintf("%d wait on node 2", n), func() bool { return waiters(s.nodes[2]) == n })
	}
	// DDL that waits itself is not known of yet.
	around := s.nodes[0].ConnectTo(database)
	s.exec(around, "BEGIN; LOCK TABLE counted IN ROW EXCLUSIVE MODE")
	ddl := startQuery(other, "ALTER TABLE counted ALTER at SET DEFAULT clock_timestamp()")
	await(t, "the DDL waits", func() bool { return waiters(s.nodes[0]) == 1 })
	write := startQuery(conn, "INSERT INTO counted DEFAULT VALUES")
	await(t, "the INSERT waits", func() bool { return waiters(s.nodes[0]) == 2 })
	has, locked := behind()
	locked.must(t)
	s.exec(around, "COMMIT")
	waiting(1) // the DDL
	for range 2 {
		next, locked := behind()
		waiting(2)
		s.exec(has, "COMMIT")
		locked.must(t)
		waiting(1) // the INSERT, for the first and for the second time
		has = next
	}
	for _, node := range s.nodes {
		if got := direct(node, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"); got[0] != "1" {
			t.Errorf("%s locks on node %d, want the sequence's", got[0], node.ID)
		}
	}
	s.exec(has, "COMMIT")
	ddl.must(t)
	write.must(t)
	s.want(conn, "SELECT count(at) FROM counted", "1")
	s.wantEqual()
}
