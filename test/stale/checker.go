package stale

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// patience ends what hangs.
const patience = 60 * time.Second

// checker writes and reads cells, and keeps the first thing that is wrong.
type checker struct {
	// keepsSnapshots: every block does.
	keepsSnapshots bool
	// lags: nodes that are behind are read, so what the readers that start makes are told
	// may be of any age.
	lags bool

	cells         []*cell
	wrong         atomic.Pointer[string]
	reads, writes atomic.Int64
	over          atomic.Bool
	busy          sync.WaitGroup
}

func newChecker() *checker {
	c := &checker{}
	for i := range kinds {
		for k := range keys {
			it := &cell{kind: &kinds[i], key: k, turn: make(chan struct{}, 1)}
			it.acked.Store(int64(k))
			it.sent.Store(int64(k))
			c.cells = append(c.cells, it)
		}
	}
	return c
}

// keepColumns is for several proxies; see addColumn.
func (c *checker) keepColumns() {
	for _, it := range c.cells {
		it.keepsColumns = true
	}
}

// pick is a cell, most often one whose kind is to be.
func (c *checker) pick(r *rand.Rand) *cell {
	it := c.cells[r.IntN(len(c.cells))]
	for !it.kind.often && r.IntN(6) > 0 {
		it = c.cells[r.IntN(len(c.cells))]
	}
	return it
}

func (c *checker) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.wrong.CompareAndSwap(nil, &text)
}

// start has so many writers and readers work through each proxy.
func (c *checker) start(seed uint64, proxies []*proxy.Proxy, database string, writers, readers int) {
	for n, p := range proxies {
		for w := range writers {
			conn, r := p.Connect(database), rand.New(rand.NewPCG(seed, uint64(n*1000+w)))
			c.play(func() { c.write(conn, r) })
		}
		for w := range readers {
			who := newReader(p.Connect(database), rand.New(rand.NewPCG(seed, uint64(n*1000+500+w))))
			who.lags = c.lags
			c.play(func() { c.read(who) })
		}
	}
}

func (c *checker) play(once func()) {
	c.busy.Go(func() {
		for !c.over.Load() && c.wrong.Load() == nil {
			once()
		}
	})
}

// rest has nobody write until the function that it returns is called.
func (c *checker) rest() (goOn func()) {
	for _, it := range c.cells {
		it.turn <- struct{}{}
	}
	return func() {
		for _, it := range c.cells {
			<-it.turn
		}
	}
}

// stop ends all work, and fails the test with what was wrong.
func (c *checker) stop(t testing.TB) {
	t.Helper()
	c.over.Store(true)
	c.busy.Wait()
	if wrong := c.wrong.Load(); wrong != nil {
		t.Error(*wrong)
	}
	t.Logf("%d reads, %d writes", c.reads.Load(), c.writes.Load())
}

// wantWork waits until so many more reads and writes were done.
func (c *checker) wantWork(t testing.TB, reads, writes int64) {
	t.Helper()
	reads, writes = reads+c.reads.Load(), writes+c.writes.Load()
	for end := time.Now().Add(patience); c.reads.Load() < reads || c.writes.Load() < writes; time.Sleep(5 * time.Millisecond) {
		if c.wrong.Load() != nil {
			return // stop tells
		}
		if time.Now().After(end) {
			t.Fatalf("%d reads and %d writes are missing", reads-c.reads.Load(), writes-c.writes.Load())
		}
	}
}

// tries bounds how often a transaction is repeated that met another one.
const tries = 100

// write raises a cell.
func (c *checker) write(conn *pgx.Conn, r *rand.Rand) {
	it := c.pick(r)
	it.turn <- struct{}{}
	defer func() { <-it.turn }()
	n := it.acked.Load() + keys
	it.sent.Store(n)
	for range tries {
		script := it.transaction(r, n)
		err := send(conn, script)
		if err == nil {
			it.acked.Store(n)
			c.writes.Add(1)
			return
		}
		if !mayRetry(err) {
			c.complain("%q: %v", script, err)
			return
		}
	}
	c.complain("a write of %s %d never succeeds", it.kind.name, it.key)
}

// mayRetry: the transaction was rolled back, and may succeed when it is tried again.
func mayRetry(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains([]string{"40001", "40P01", "55P03"}, e.Code)
}

// send runs statements, and takes back what is open if one fails.
func send(conn *pgx.Conn, script []string) error {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	for _, sql := range script {
		var err error
		if text, data, is := strings.Cut(sql, "\n"); is && strings.HasPrefix(sql, copyMark) {
			_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader(data+"\n"), text)
		} else {
			_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
		}
		if err != nil {
			_, rollback := conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
			return fmt.Errorf("%s: %w", sql, errors.Join(err, rollback))
		}
	}
	return nil
}

// reader is one session with what it has read.
type reader struct {
	conn *pgx.Conn
	r    *rand.Rand
	seen map[*cell]int64
	// block: it is in one. keeps: one that keeps its snapshot, which is on main, where a commit
	// that was seen on another node may still be under way.
	block, keeps bool
	// lags: what it is told may be of any age.
	lags bool
}

func newReader(conn *pgx.Conn, r *rand.Rand) *reader {
	return &reader{conn: conn, r: r, seen: map[*cell]int64{}}
}

// least is what a read of the cell has to show that begins now.
func (who *reader) least(it *cell) int64 {
	if who.lags {
		return 0
	}
	return it.acked.Load()
}

// sees keeps what was read.
func (who *reader) sees(it *cell, value int64) {
	if !who.lags {
		who.seen[it] = max(who.seen[it], value)
	}
}

// read reads a cell, in a block now and then.
func (c *checker) read(who *reader) {
	if who.r.IntN(10) == 0 {
		c.readInBlock(who)
		return
	}
	it := c.pick(who.r)
	c.check(who, it, who.least(it))
}

// readInBlock reads a cell several times, in a transaction that keeps its snapshot or not.
func (c *checker) readInBlock(who *reader) {
	it := c.pick(who.r)
	keeps, begin := c.keepsSnapshots, "BEGIN"
	if who.r.IntN(3) == 0 {
		keeps = true
		begin = "BEGIN ISOLATION LEVEL REPEATABLE READ"
	}
	if err := send(who.conn, []string{begin}); err != nil {
		c.complain("%v", err)
		return
	}
	who.block, who.keeps = true, keeps
	defer func() { who.block, who.keeps = false, false }()
	least := who.least(it)
	for range 3 {
		if !keeps {
			least = who.least(it)
		}
		if !c.check(who, it, least) {
			break
		}
	}
	if err := send(who.conn, []string{"COMMIT"}); err != nil {
		c.complain("%v", err)
	}
}

// check reads a cell by a way that is picked. least was acknowledged before. It is false if
// the read failed as it may.
func (c *checker) check(who *reader, it *cell, least int64) bool {
	sql := it.kind.reads[who.r.IntN(len(it.kind.reads))]
	how := protocols[who.r.IntN(len(protocols))]
	values, err := who.ask(sql, it, how)
	if who.block {
		how += ", in a block"
	}
	switch {
	case mayRetry(err):
		return false
	case err != nil:
		c.complain("%s with %d: %v", sql, it.key, err)
		return false
	}
	most := it.sent.Load()
	if values == nil && it.kind.mayBeEmpty && most > least {
		return true
	}
	for _, v := range values {
		if v < least || v < who.seen[it] && !who.keeps || v > most || v != values[0] {
			c.complain("%s with %d, %s, shows %d; %d was acknowledged before, %d was seen by the session, %d was sent until after",
				sql, it.key, how, values, least, who.seen[it], most)
			return false
		}
	}
	if len(values) == 0 {
		c.complain("%s with %d shows nothing", sql, it.key)
		return false
	}
	who.sees(it, values[0])
	c.reads.Add(1)
	return true
}

var protocols = []string{"simple", "extended", "prepared"}

// ask runs a read by one of the protocols. A name of a table has the key in it, so that it
// is no parameter.
func (who *reader) ask(sql string, it *cell, how string) ([]int64, error) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	plain := it.fill(sql, 0, 0)
	withKey := strings.Replace(sql, "k = $k", "k = $1", 1)
	args := [][]byte{[]byte(strconv.Itoa(it.key))}
	if withKey == sql {
		withKey, args = plain, nil
	}
	switch how {
	case "simple":
		results, err := who.conn.PgConn().Exec(ctx, plain).ReadAll()
		if err != nil {
			return nil, err
		}
		return numbers(results[len(results)-1])
	case "extended":
		return numbers(who.conn.PgConn().ExecParams(ctx, withKey, args, nil, nil, nil).Read())
	}
	if strings.Contains(withKey, "anew") {
		withKey += fmt.Sprintf(" /* %d */", who.r.Uint64()) // its plan dies with the table
	}
	statement, err := who.conn.Prepare(ctx, withKey, withKey)
	if err != nil {
		return nil, err
	}
	values, err := numbers(who.conn.PgConn().ExecPrepared(ctx, statement.Name, args, nil, nil).Read())
	if strings.Contains(withKey, "anew") {
		err = errors.Join(err, who.conn.Deallocate(ctx, withKey))
	}
	return values, err
}

// numbers are all columns of the one row, nil if there is none or they are null.
func numbers(result *pgconn.Result) ([]int64, error) {
	if result.Err != nil {
		return nil, result.Err
	}
	if len(result.Rows) == 0 || result.Rows[0][0] == nil {
		return nil, nil
	}
	if len(result.Rows) != 1 {
		return nil, fmt.Errorf("%d rows", len(result.Rows))
	}
	var all []int64
	for _, value := range result.Rows[0] {
		v, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
