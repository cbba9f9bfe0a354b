package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A bank moves money between accounts, and auditors write down what they see: whoever
// sees half a transfer writes down a wrong sum, and whoever sees one on one node but not
// on another makes the nodes differ.

const (
	bankAccounts = 10
	bankBalance  = 100 // of each account at the beginning
	tellers      = 6
	auditors     = 6
)

var bankTables = fmt.Sprintf(`
CREATE TABLE account (id int PRIMARY KEY, v int NOT NULL);
INSERT INTO account SELECT i, %d FROM generate_series(1, %d) AS i;
CREATE TABLE log (id bigint PRIMARY KEY, sum int, count int, state int); -- state: no two states have the same, nearly`, bankBalance, bankAccounts)

// bank is tellers and auditors at work. Each has a session of its own.
type bank struct {
	s         *stage
	stop      atomic.Bool
	running   sync.WaitGroup
	transfers atomic.Int64 // that were acknowledged
	audits    atomic.Int64
	refused   atomic.Int64 // could not serialize, or a deadlock

	mu     sync.Mutex // guards errors
	errors []error    // all others
}

// openBank makes the tables and lets everybody go. A quarter of each works by simple and
// extended query, in autocommit and in blocks.
func (s *stage) openBank() *bank {
	s.t.Helper()
	s.exec(s.connect(), bankTables)
	b := &bank{s: s}
	for i := range tellers {
		b.employ(i, (*clerk).transfer)
	}
	for i := range auditors {
		b.employ(tellers+i, (*clerk).audit)
	}
	s.t.Cleanup(b.close)
	return b
}

func (b *bank) close() {
	b.stop.Store(true)
	b.running.Wait()
}

// clerk is a session of the bank. It belongs to one goroutine.
type clerk struct {
	bank     *bank
	conn     *pgx.Conn
	mode     pgx.QueryExecMode
	inBlocks bool
	number   int
	seq      int
}

func (b *bank) employ(number int, work func(*clerk) error) {
	c := &clerk{bank: b, conn: b.s.connect(), mode: pgx.QueryExecModeSimpleProtocol, inBlocks: number%2 == 1, number: number}
	if number/2%2 == 1 {
		c.mode = pgx.QueryExecModeCacheStatement
	}
	b.running.Go(func() {
		for !b.stop.Load() && !c.conn.IsClosed() {
			b.note(work(c))
		}
	})
}

func (b *bank) note(err error) {
	switch {
	case err == nil:
	case codeOf(err) == "40001", codeOf(err) == "40P01":
		b.refused.Add(1)
	default:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.errors = append(b.errors, err)
	}
}

func (c *clerk) exec(sql string, args ...any) (pgconn.CommandTag, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.conn.Exec(ctx, sql, append([]any{c.mode}, args...)...)
}

// together runs the statements in one transaction: in a block, or else as one string.
func (c *clerk) together(block bool, statements ...string) error {
	if !block {
		for _, sql := range statements {
			if _, err := c.exec(sql); err != nil {
				return err
			}
		}
		return nil
	}
	for _, sql := range append(append([]string{"BEGIN"}, statements...), "COMMIT") {
		if _, err := c.exec(sql); err != nil {
			_, _ = c.exec("ROLLBACK") // the error counts
			return err
		}
	}
	return nil
}

// transfer moves one unit: in a block by two statements, else by one.
func (c *clerk) transfer() error {
	from, to := 1+rand.IntN(bankAccounts), 1+rand.IntN(bankAccounts)
	var err error
	switch {
	case from == to:
		return nil
	case c.inBlocks:
		err = c.together(true, fmt.Sprintf("UPDATE account SET v = v - 1 WHERE id = %d", min(from, to)), fmt.Sprintf("UPDATE account SET v = v + 1 WHERE id = %d", max(from, to)))
	default:
		err = c.together(false, fmt.Sprintf("UPDATE account SET v = v + CASE id WHEN %d THEN 1 ELSE -1 END WHERE id IN (%[1]d, %d)", from, to))
	}
	if err == nil {
		c.bank.transfers.Add(1)
	}
	return err
}

// audit writes down what it sees; in a block after having looked.
func (c *clerk) audit() error {
	c.seq++
	statements := []string{fmt.Sprintf("INSERT INTO log SELECT %d, sum(v), count(*), sum(v * id * id) FROM account", c.number*1_000_000+c.seq)}
	if c.inBlocks {
		statements = append([]string{"SELECT count(*) FROM log"}, statements...)
	}
	err := c.together(c.inBlocks, statements...)
	if err == nil {
		c.bank.audits.Add(1)
	}
	return err
}

// awaitWork waits until so many more transfers and audits have been done.
func (b *bank) awaitWork(n int64) {
	b.s.t.Helper()
	transfers, audits := b.transfers.Load()+n, b.audits.Load()+n
	await(b.s.t, fmt.Sprintf("%d more transfers and audits", n), func() bool {
		return b.transfers.Load() >= transfers && b.audits.Load() >= audits
	})
}

// finish stops everybody after what they are at.
func (b *bank) finish() {
	b.s.t.Helper()
	done := make(chan struct{})
	go func() { b.close(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		b.s.t.Fatal("clerks hang")
	}
	b.s.t.Logf("%d transfers, %d audits, %d refused", b.transfers.Load(), b.audits.Load(), b.refused.Load())
}

// wantNoErrors fails the test on any error but those that ask for a repetition.
func (b *bank) wantNoErrors() {
	b.s.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, err := range b.errors[:min(len(b.errors), 3)] {
		b.s.t.Errorf("one of %d errors: %v", len(b.errors), err)
	}
}

// wrongAudits is what the log has that nobody can have seen.
func (b *bank) wrongAudits() []string {
	const right = bankAccounts * bankBalance
	return direct(b.s.nodes[0], "SELECT * FROM log WHERE sum <> "+strconv.Itoa(right)+" OR count <> "+strconv.Itoa(bankAccounts))
}

// wantRight fails the test unless every audit is right and no money is lost.
func (b *bank) wantRight(t testing.TB) {
	t.Helper()
	if wrong := b.wrongAudits(); len(wrong) > 0 {
		t.Errorf("%d audits saw half a transfer, such as %q", len(wrong), wrong[0])
	}
	want := []string{strconv.Itoa(bankAccounts * bankBalance)}
	if got := direct(b.s.nodes[0], "SELECT sum(v) FROM account"); !slices.Equal(got, want) {
		t.Errorf("the accounts hold %q, want %q", got, want)
	}
}
