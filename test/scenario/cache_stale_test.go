package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
)

// staleTables: the value of key k is in one row of t, and comes to tables beside it by a
// trigger and by a foreign key.
const staleTables = `
CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL UNIQUE);
CREATE TABLE part (k int, v int NOT NULL) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (0, 1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2, 3);
CREATE TABLE follows (k int, v int REFERENCES t (v) ON UPDATE CASCADE);
CREATE TABLE copied (k int PRIMARY KEY, v int);
CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE copied SET v = NEW.v WHERE k = NEW.k; RETURN NEW; END';
CREATE TRIGGER copy AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION copy();
CREATE FUNCTION raise(i int, n int) RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = n WHERE k = i; UPDATE part SET v = n WHERE k = i; END';
CREATE PROCEDURE raise_now(i int, n int) LANGUAGE plpgsql AS 'BEGIN PERFORM raise(i, n); END';
CREATE VIEW v_all AS SELECT t.k, t.v FROM t JOIN part ON part.k = t.k AND part.v = t.v;
INSERT INTO copied SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO t SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO part SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO follows SELECT i, i FROM generate_series(0, 3) AS i;
`

// staleWrites set key $k to $n in one transaction; $x is a value that is never committed.
var staleWrites = [][]string{
	{"BEGIN", "UPDATE t SET v = $n WHERE k = $k", "UPDATE part SET v = $n WHERE k = $k", "COMMIT"},
	{"UPDATE t SET v = $n WHERE k = $k; UPDATE part SET v = $n WHERE k = $k"},
	{"SELECT raise($k, $n)"},
	{"CALL raise_now($k, $n)"},
	{"DO 'BEGIN PERFORM raise($k, $n); END'"},
	{"WITH p AS (UPDATE part SET v = $n WHERE k = $k) UPDATE t SET v = $n WHERE k = $k"},
	{"BEGIN", "SAVEPOINT s", "UPDATE t SET v = $x WHERE k = $k", "ROLLBACK TO s", "SELECT raise($k, $n)", "COMMIT"},
	{"BEGIN", "UPDATE t SET v = $x WHERE k = $k", "UPDATE part SET v = $x WHERE k = $k", "ROLLBACK", "SELECT raise($k, $n)"},
	{"BEGIN", "UPDATE t SET v = $n WHERE k = $k", "DELETE FROM part WHERE k = $k", "INSERT INTO part VALUES ($k, $n)", "COMMIT"},
	{"BEGIN", "ALTER TABLE part ADD COLUMN IF NOT EXISTS more int", "SELECT raise($k, $n)", "COMMIT"},
}

// staleReads bring the value of key $k.
var staleReads = []string{
	"SELECT v FROM t WHERE k = $k",
	"SELECT v FROM part WHERE k = $k",
	"SELECT max(v) FROM part WHERE k = $k",
	"SELECT v FROM follows WHERE k = $k",
	"SELECT v FROM copied WHERE k = $k",
	"SELECT max(v) FROM v_all WHERE k = $k",
	"SELECT t.v FROM t JOIN copied USING (k) WHERE t.v = copied.v AND k = $k",
}

// neverCommitted is added to values of transactions that are rolled back.
const neverCommitted = 1_000_000_000

// staleKey is what is known of a key: the value that was last acknowledged, and the newest
// that was ever sent.
type staleKey struct {
	mu          sync.Mutex // held by who writes
	acked, sent atomic.Int64
}

// staleness is one run of the checker.
type staleness struct {
	s    *stage
	keys [4]staleKey
	bad  atomic.Pointer[string]
}

func (c *staleness) complain(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.bad.CompareAndSwap(nil, &text)
}

// write raises a key in one of the ways.
func (c *staleness) write(ctx context.Context, conn *pgx.Conn, r *rand.Rand) {
	k := r.IntN(len(c.keys))
	key := &c.keys[k]
	key.mu.Lock()
	defer key.mu.Unlock()
	n := key.acked.Load() + int64(len(c.keys))
	key.sent.Store(n)
	words := strings.NewReplacer("$k", strconv.Itoa(k), "$n", strconv.FormatInt(n, 10), "$x", strconv.FormatInt(n+neverCommitted, 10))
	way := staleWrites[r.IntN(len(staleWrites))]
	for try := 0; ; try++ {
		err := c.attempt(ctx, conn, way, words)
		if err == nil {
			key.acked.Store(n)
			return
		}
		if try > 50 {
			c.complain("%q: %v", way, err)
			return
		}
		way = staleWrites[0] // it had a conflict, and was rolled back
	}
}

func (c *staleness) attempt(ctx context.Context, conn *pgx.Conn, way []string, words *strings.Replacer) error {
	for _, sql := range way {
		if _, err := conn.PgConn().Exec(ctx, words.Replace(sql)).ReadAll(); err != nil {
			_, _ = conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
			return err
		}
	}
	return nil
}

// read asks for a key, and compares with what was acknowledged before and sent until after.
func (c *staleness) read(ctx context.Context, conn *pgx.Conn, r *rand.Rand) {
	k := r.IntN(len(c.keys))
	key := &c.keys[k]
	sql := staleReads[r.IntN(len(staleReads))]
	least := key.acked.Load()
	var value []byte
	if r.IntN(2) == 0 {
		results, err := conn.PgConn().Exec(ctx, strings.ReplaceAll(sql, "$k", strconv.Itoa(k))).ReadAll()
		if err != nil || len(results[0].Rows) != 1 {
			c.complain("%s: %d rows, %v", sql, len(results), err)
			return
		}
		value = results[0].Rows[0][0]
	} else {
		result := conn.PgConn().ExecParams(ctx, strings.ReplaceAll(sql, "$k", "$1"), [][]byte{[]byte(strconv.Itoa(k))}, nil, nil, nil).Read()
		if result.Err != nil || len(result.Rows) != 1 {
			c.complain("%s: %d rows, %v", sql, len(result.Rows), result.Err)
			return
		}
		value = result.Rows[0][0]
	}
	v, _ := strconv.ParseInt(string(value), 10, 64)
	if most := key.sent.Load(); v < least || v > most {
		c.complain("%s with %d = %d, acknowledged was %d before, and %d was sent until after", sql, k, v, least, most)
	}
}

// TestNoReadIsStale writes in many ways, with transactions that are rolled back among them,
// while others read. No read may miss what was acknowledged before it began, nor show what
// was never committed.
func TestNoReadIsStale(t *testing.T) {
	const writes, readers = 120, 3
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStageIn(t, mode, "memory_cache_enabled = on", "health_check_period = 0", "cache_safe_memqcache_table_list = 'v_all'")
			admin := s.proxy.Connect(database)
			run(t, admin, staleTables)
			c := &staleness{s: s}
			for k := range c.keys {
				c.keys[k].acked.Store(int64(k))
				c.keys[k].sent.Store(int64(k))
			}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			var writing, reading sync.WaitGroup
			for w := range 2 {
				conn := s.proxy.Connect(database)
				writing.Go(func() {
					r := rand.New(rand.NewPCG(1, uint64(w)))
					for i := 0; i < writes/2 && c.bad.Load() == nil; i++ {
						c.write(ctx, conn, r)
					}
				})
			}
			var over atomic.Bool
			for n := range readers {
				conn := s.proxy.Connect(database)
				reading.Go(func() {
					r := rand.New(rand.NewPCG(2, uint64(n)))
					for !over.Load() && c.bad.Load() == nil {
						c.read(ctx, conn, r)
					}
				})
			}
			writing.Wait()
			over.Store(true)
			reading.Wait()
			if bad := c.bad.Load(); bad != nil {
				t.Error(*bad)
			}
			if s.hits() == 0 {
				t.Error("nothing was answered from memory")
			}
			t.Logf("%s", s.proxy.Query("SHOW POOL_CACHE"))
			s.wantEqual()
		})
	}
}

// TestStandbyThatLagsFillsNothing: what a standby shows that has not replayed a write is
// given to who may read it, and not kept.
func TestStandbyThatLagsFillsNothing(t *testing.T) {
	s := newStreamingStage(t, "memory_cache_enabled = on", "read_consistency = eventual")
	a, b := s.proxy.Connect(database), s.proxy.Connect(database)
	run(t, a, "CREATE TABLE t (v int)", "INSERT INTO t VALUES (1)")
	s.settle()
	s.wantKept(b, "SELECT v FROM t", "1")
	for _, standby := range s.nodes[1:] {
		standby.PauseReplay()
	}
	run(t, a, "UPDATE t SET v = 2")
	for range 20 {
		s.wantAsked(b, "SELECT v FROM t", "1") // as configured
	}
	for _, standby := range s.nodes[1:] {
		standby.ResumeReplay()
	}
	s.settle()
	if got := one(t, b, "SELECT v FROM t"); got != "2" {
		t.Errorf("v = %s, what the standby showed before was kept", got)
	}
	s.wantKept(b, "SELECT v FROM t", "2")
}

// TestManyWhoMissAskOnce has many sessions ask at the same time for what nobody has yet.
func TestManyWhoMissAskOnce(t *testing.T) {
	const sessions = 20
	s := cacheStage(t)
	admin := s.proxy.Connect(database)
	run(t, admin, "CREATE TABLE t (v int)", "INSERT INTO t SELECT i FROM generate_series(1, 120) AS i")
	const heavy = "SELECT count(*) FROM t AS a, t AS b, t AS c WHERE a.v + b.v > c.v"
	var conns []*pgx.Conn
	for range sessions {
		conn := s.proxy.Connect(database)
		one(t, conn, "SELECT count(*) FROM t") // its scope is known
		conns = append(conns, conn)
	}
	before := s.misses()
	var asking sync.WaitGroup
	answers := make([]string, sessions)
	for i, conn := range conns {
		asking.Go(func() {
			results, err := conn.PgConn().Exec(context.Background(), heavy).ReadAll()
			if err == nil {
				answers[i] = string(results[0].Rows[0][0])
			}
		})
	}
	asking.Wait()
	for i := range answers {
		if answers[i] == "" || answers[i] != answers[0] {
			t.Fatalf("answers are %q", answers)
		}
	}
	if asked := s.misses() - before; asked > 2 {
		t.Errorf("%d of %d sessions have asked a node", asked, sessions)
	}
}

// misses is how many reads that could have been answered from memory were not.
func (s *stage) misses() int {
	s.t.Helper()
	n, err := strconv.Atoi(s.proxy.Query("SHOW POOL_CACHE")[0][1])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
