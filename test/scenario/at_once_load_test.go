package scenario

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// mix is a load in which writes that go to all nodes at once meet everything that does not. Rows are
// few, so that most meet. Blocks take rows in the order of their keys: no deadlock is the clients' own.
type mix struct {
	s     *stage
	stop  atomic.Bool
	added atomic.Int64 // to the balances, by what was acknowledged
	done  atomic.Int64 // statements
	all   sync.WaitGroup
	mu    sync.Mutex
	told  map[string]int // errors, by SQLSTATE
	first map[string]error
}

const mixTables = `
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL, note text);
INSERT INTO account SELECT i, 0 FROM generate_series(1, 6) AS i;
CREATE TABLE total (at int PRIMARY KEY, sum bigint);
CREATE TABLE cell (a int, b bigint, v int NOT NULL, PRIMARY KEY (b, a));
INSERT INTO cell SELECT i, j, 0 FROM generate_series(1, 2) AS i, generate_series(1, 2) AS j;
CREATE FUNCTION spend(k int) RETURNS void LANGUAGE sql AS 'UPDATE account SET balance = balance + 1 WHERE id = k';`

// byKeys are clients whose writes may all go to all nodes at once.
func byKeys() []func(*mixClient) {
	return []func(*mixClient){(*mixClient).byKey, (*mixClient).byKey, (*mixClient).byKey, (*mixClient).byKey, (*mixClient).byKey, (*mixClient).byKey}
}

// amongOthers has other clients beside them.
func amongOthers() []func(*mixClient) {
	return append(byKeys(), (*mixClient).block, (*mixClient).block, (*mixClient).wide, (*mixClient).define)
}

// startMix makes the tables and lets clients with these works go.
func (s *stage) startMix(works ...func(*mixClient)) *mix {
	s.t.Helper()
	s.exec(s.connect(), mixTables)
	m := &mix{s: s, told: map[string]int{}, first: map[string]error{}}
	for i, work := range works {
		c := &mixClient{mix: m, conn: s.connect(), rng: rand.New(rand.NewPCG(1, uint64(i))), mode: pgx.QueryExecModeSimpleProtocol}
		if i%2 == 1 {
			c.mode = pgx.QueryExecModeCacheStatement
		}
		m.all.Go(func() {
			for !m.stop.Load() && !c.conn.IsClosed() {
				work(c)
				m.done.Add(1)
			}
		})
	}
	s.t.Cleanup(func() { m.stop.Store(true); m.all.Wait() })
	return m
}

// awaitWork waits until so much more was done.
func (m *mix) awaitWork(n int64) {
	m.s.t.Helper()
	goal := m.done.Load() + n
	await(m.s.t, fmt.Sprintf("%d more pieces of work", n), func() bool { return m.done.Load() >= goal })
}

// finish ends the load: nobody was told of an error, and the balances are what was acknowledged, on
// these nodes, which are equal.
func (m *mix) finish(nodes []*pgtest.Node) {
	t := m.s.t
	t.Helper()
	m.stop.Store(true)
	m.all.Wait()
	for code, n := range m.told {
		t.Errorf("%d times SQLSTATE %q, first %v", n, code, m.first[code])
	}
	pgtest.WantEqual(t, nodes...)
	want := strconv.FormatInt(m.added.Load(), 10)
	for _, node := range nodes {
		if got := direct(node, "SELECT (SELECT sum(balance) FROM account) + (SELECT sum(v) FROM cell)")[0]; got != want {
			t.Errorf("node %d: the sum of the balances is %s, %s was acknowledged", node.ID, got, want)
		}
	}
	t.Logf("%d pieces of work, told %v", m.done.Load(), m.told)
}

// mixClient belongs to its goroutine.
type mixClient struct {
	mix  *mix
	conn *pgx.Conn
	rng  *rand.Rand
	mode pgx.QueryExecMode
}

// exec runs a statement and reports whether it was acknowledged.
func (c *mixClient) exec(sql string, args ...any) bool {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	_, err := c.conn.Exec(ctx, sql, append([]any{c.mode}, args...)...)
	if err == nil {
		return true
	}
	code := "none"
	var told *pgconn.PgError
	if errors.As(err, &told) {
		code = told.Code
	}
	if code == "40001" && strings.Contains(told.Message, "was changed by another session") {
		return false // DDL under a block; docs/guarantees.md, "DDL while others write"
	}
	c.mix.mu.Lock()
	defer c.mix.mu.Unlock()
	if c.mix.told[code]++; c.mix.first[code] == nil {
		c.mix.first[code] = err
	}
	return false
}

func (c *mixClient) byKey() {
	ok := false
	switch c.rng.IntN(4) {
	case 0:
		ok = c.exec("UPDATE cell SET v = v + 1 WHERE a = $1 AND b = $2", c.rng.IntN(2)+1, c.rng.IntN(2)+1)
	case 1:
		c.exec("UPDATE account SET note = now() WHERE id = $1", c.rng.IntN(8)+1) // some have no row
	default:
		ok = c.exec("UPDATE account SET balance = balance + 1 WHERE id = $1", c.rng.IntN(6)+1)
	}
	if ok {
		c.mix.added.Add(1)
	}
}

// block has two rows of accounts.
func (c *mixClient) block() {
	low := c.rng.IntN(5) + 1
	if !c.exec("BEGIN") {
		return
	}
	n := int64(2)
	ok := c.exec("UPDATE account SET balance = balance + 1 WHERE id = $1", low)
	switch c.rng.IntN(3) {
	case 0:
		ok = ok && c.exec("SELECT spend($1)", low+1)
	case 1:
		ok = ok && c.exec("SELECT FROM account WHERE id = $1 FOR UPDATE", low+1)
		n = 1
	default:
		ok = ok && c.exec("UPDATE account SET balance = balance + 1 WHERE id = $1", low+1)
	}
	if !ok || c.rng.IntN(4) == 0 {
		c.exec("ROLLBACK")
		return
	}
	if c.exec("COMMIT") {
		c.mix.added.Add(n)
	}
}

// wide writes to rows that it finds by a condition, to one of the accounts at most.
func (c *mixClient) wide() {
	switch c.rng.IntN(4) {
	case 0:
		c.exec("UPDATE cell SET v = v WHERE v > $1", c.rng.IntN(100))
		c.exec("UPDATE account SET note = balance::text WHERE abs(id) = $1", c.rng.IntN(6)+1)
	case 1:
		c.exec("INSERT INTO total SELECT $1, sum(balance) FROM account ON CONFLICT (at) DO UPDATE SET sum = excluded.sum", c.rng.IntN(5))
	case 2:
		c.exec("DELETE FROM total WHERE at = $1", c.rng.IntN(5))
	default:
		if c.exec("WITH moved AS (UPDATE account SET balance = balance + 1 WHERE id = $1 RETURNING balance) INSERT INTO total SELECT $1, balance FROM moved ON CONFLICT (at) DO NOTHING", c.rng.IntN(6)+1) {
			c.mix.added.Add(1)
		}
	}
}

// define changes what the tables are.
func (c *mixClient) define() {
	switch c.rng.IntN(5) {
	case 0:
		c.exec("ALTER TABLE account ADD COLUMN IF NOT EXISTS extra int DEFAULT 5")
	case 1:
		c.exec("ALTER TABLE account DROP COLUMN IF EXISTS extra")
	case 2:
		c.exec("CREATE INDEX IF NOT EXISTS account_balance ON account (balance)")
	case 3:
		c.exec("DROP INDEX IF EXISTS account_balance")
	default:
		c.exec("BEGIN; LOCK TABLE account IN SHARE MODE; COMMIT")
	}
	time.Sleep(time.Duration(c.rng.IntN(20)) * time.Millisecond) // so that others get their turn
}

// TestWritesAtAllNodesMeetEverythingElse is a load for as long as its work takes: nobody meets a
// deadlock over nodes, and the nodes are equal.
func TestWritesAtAllNodesMeetEverythingElse(t *testing.T) {
	for _, line := range []string{"pool_mode = session", "pool_mode = transaction", "autocommit_fast = on"} {
		t.Run(line, func(t *testing.T) {
			s := atOnce(t, line)
			m := s.startMix(amongOthers()...)
			for range 10 {
				m.awaitWork(writesBetween)
			}
			m.finish(s.nodes)
			s.wantAllUp()
		})
	}
}

// TestNobodyNoticesThatANodeIsLostUnderWritesAtAllNodes: no session is lost, and what was
// acknowledged is there.
func TestNobodyNoticesThatANodeIsLostUnderWritesAtAllNodes(t *testing.T) {
	for _, fault := range faults {
		for id := range 2 {
			t.Run(fmt.Sprintf("node %d is %s", id, fault.name), func(t *testing.T) {
				for name, works := range map[string][]func(*mixClient){"alone": byKeys(), "among others": amongOthers(), "in one message": amongOthers()} {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						s := atOnce(t, fmt.Sprintf("autocommit_fast = %t", name == "in one message"))
						m := s.startMix(works...)
						m.awaitWork(writesBetween)
						fault.cause(s.nodes[id])
						s.proxy.WaitLog("node detached")
						m.awaitWork(writesBetween)
						m.finish(without(s.nodes, id))
						fault.after(s.nodes[id])
					})
				}
			})
		}
	}
}
