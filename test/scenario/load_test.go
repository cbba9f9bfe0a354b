package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// loadClients is the number of frontends of a load: a quarter each of autocommit and
// transaction blocks by simple and extended query.
const loadClients = 16

// idsPerClient keeps the numbers of the clients' writes apart.
const idsPerClient = 1_000_000

// accounts are rows that all clients update, so that they wait for each other.
const accounts = 4

const loadTables = `
CREATE TABLE ledger (id bigint PRIMARY KEY, client int, at timestamptz NOT NULL);
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO account SELECT i, 0 FROM generate_series(0, 3) AS i;`

// load is a crowd of frontends that write until they are told to stop, and note of
// each write whether they were told that it is there.
type load struct {
	s       *stage
	clients []*loadClient
	stop    atomic.Bool
	acked   atomic.Int64 // writes that were acknowledged, by all clients
	running sync.WaitGroup
}

// loadClient belongs to one goroutine while the load runs.
type loadClient struct {
	load     *load
	number   int
	conn     *pgx.Conn
	inBlocks bool
	mode     pgx.QueryExecMode

	seq          int64
	acknowledged []int64
	unknown      []int64         // the answer to the COMMIT never came
	failed       map[int64]error // the frontend was told that it did not happen
	errors       []error
	lost         bool // the session has ended
}

// startLoad makes the tables and lets the clients go.
func (s *stage) startLoad() *load {
	s.t.Helper()
	s.exec(s.connect(), loadTables)
	l := &load{s: s}
	for i := range loadClients {
		c := &loadClient{load: l, number: i, conn: s.connect(), inBlocks: i%2 == 1, mode: pgx.QueryExecModeSimpleProtocol, failed: map[int64]error{}}
		if i/2%2 == 1 {
			c.mode = pgx.QueryExecModeCacheStatement
		}
		l.clients = append(l.clients, c)
	}
	for _, c := range l.clients {
		l.running.Go(c.run)
	}
	s.t.Cleanup(func() { l.stop.Store(true); l.running.Wait() })
	return l
}

// awaitWrites waits until so many more writes were acknowledged.
func (l *load) awaitWrites(n int64) {
	l.s.t.Helper()
	goal := l.acked.Load() + n
	await(l.s.t, fmt.Sprintf("%d more writes", n), func() bool { return l.acked.Load() >= goal })
}

// finish stops the clients after what they are at.
func (l *load) finish() {
	l.s.t.Helper()
	l.stop.Store(true)
	done := make(chan struct{})
	go func() { l.running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		l.s.t.Fatal("clients hang")
	}
}

func (c *loadClient) run() {
	for !c.load.stop.Load() && !c.lost {
		if c.inBlocks {
			c.writeBlock()
		} else {
			c.writeOne()
		}
		c.readBack()
	}
}

func (c *loadClient) nextID() int64 {
	c.seq++
	return int64(c.number)*idsPerClient + c.seq
}

func (c *loadClient) exec(sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := c.conn.Exec(ctx, sql, append([]any{c.mode}, args...)...)
	return err
}

const insertWrite = "INSERT INTO ledger (id, client, at) VALUES ($1, $2, now())"

// writeOne is one write in autocommit; every third one updates what others do, too.
func (c *loadClient) writeOne() {
	id := c.nextID()
	sql := insertWrite
	if id%3 == 0 {
		sql = "WITH w AS (UPDATE account SET balance = balance + 1 WHERE id = $1 % 4) " + insertWrite
	}
	c.note(c.exec(sql, id, c.number), id)
}

// writeBlock is a transaction of several statements. Accounts are taken in order, so
// that no deadlock is the clients' own.
func (c *loadClient) writeBlock() {
	first, second := c.nextID(), c.nextID()
	low := first % (accounts - 1)
	err := c.inOrder(
		func() error { return c.exec("BEGIN") },
		func() error { return c.exec("UPDATE account SET balance = balance + 1 WHERE id = $1", low) },
		func() error { return c.exec(insertWrite, first, c.number) },
		func() error { return c.exec("UPDATE account SET balance = balance - 1 WHERE id = $1", low+1) },
		func() error { return c.exec(insertWrite, second, c.number) },
		func() error { return c.exec("COMMIT") },
	)
	c.note(err, first, second)
	if err != nil && !c.lost {
		_ = c.exec("ROLLBACK")
	}
}

func (c *loadClient) inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// unknownOutcome are the SQLSTATEs after which a client cannot know.
var unknownOutcome = []string{"08006", "08007", "40003"}

// note keeps what the client was told of its writes.
func (c *loadClient) note(err error, ids ...int64) {
	var told *pgconn.PgError
	switch {
	case err == nil:
		c.acknowledged = append(c.acknowledged, ids...)
		c.load.acked.Add(int64(len(ids)))
		return
	case errors.As(err, &told) && !slices.Contains(unknownOutcome, told.Code):
		for _, id := range ids {
			c.failed[id] = err
		}
	default:
		c.unknown = append(c.unknown, ids...)
	}
	c.errors = append(c.errors, err)
	c.lost = c.conn.IsClosed()
}

// readBack reads the client's last write, on whichever node: what was acknowledged is
// seen by every later read.
func (c *loadClient) readBack() {
	if c.lost || len(c.acknowledged) == 0 {
		return
	}
	id := c.acknowledged[len(c.acknowledged)-1]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var n int
	err := c.conn.QueryRow(ctx, "SELECT count(*) FROM ledger WHERE id = $1", c.mode, id).Scan(&n)
	switch {
	case err != nil:
		c.errors = append(c.errors, fmt.Errorf("read: %w", err))
		c.lost = c.conn.IsClosed()
	case n != 1:
		c.errors = append(c.errors, fmt.Errorf("read %d right after its write: %d rows", id, n))
	}
}

// wantUndisturbed fails the test if any client has noticed anything.
func (l *load) wantUndisturbed() {
	l.s.t.Helper()
	for _, c := range l.clients {
		for _, err := range c.errors[:min(len(c.errors), 3)] {
			l.s.t.Errorf("client %d (blocks %v, %v): %v", c.number, c.inBlocks, c.mode, err)
		}
		if c.lost {
			l.s.t.Errorf("client %d has lost its session", c.number)
		}
	}
}

// wantKept fails the test unless each node has all acknowledged writes and none that
// is known to have failed, and the nodes are equal.
func (l *load) wantKept(nodes ...*pgtest.Node) {
	l.s.t.Helper()
	for _, node := range nodes {
		present := map[int64]bool{}
		for _, text := range direct(node, "SELECT id FROM ledger") {
			id, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				l.s.t.Fatal(err)
			}
			present[id] = true
		}
		for _, c := range l.clients {
			c.wantIn(l.s.t, node.ID, present)
		}
	}
	if len(nodes) > 1 {
		pgtest.WantEqual(l.s.t, nodes...)
	}
	l.s.t.Logf("%d writes acknowledged", l.acked.Load())
}

func (c *loadClient) wantIn(t testing.TB, node int, present map[int64]bool) {
	t.Helper()
	missing := slices.DeleteFunc(slices.Clone(c.acknowledged), func(id int64) bool { return present[id] })
	if len(missing) > 0 {
		t.Errorf("node %d lacks %d acknowledged writes of client %d, the first is %d", node, len(missing), c.number, missing[0])
	}
	for id, err := range c.failed {
		if present[id] {
			t.Errorf("node %d has write %d of client %d (blocks %v, %v), which was told %v", node, id, c.number, c.inBlocks, c.mode, err)
		}
	}
}
