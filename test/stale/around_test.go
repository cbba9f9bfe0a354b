package stale

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// delay is cache_follow_wal_delay: what was committed around pgchorus is to be seen that much
// later.
const delay = time.Second

// number is a row with one writer. Those of even keys are written around pgchorus.
type number struct {
	key  int
	sent atomic.Int64
	// due is what a read that begins now has to see at least.
	due atomic.Int64
}

func (n *number) around() bool { return n.key%2 == 0 }

// Ways to write number $n of key $k, and to read it. Those of one kind have tables of their
// own, so that answers from them are ended by nobody else.
var (
	aroundWrites = []string{
		"UPDATE $t_plain SET v = $n WHERE k = $k",
		"UPDATE $t_parts SET v = $n WHERE k = $k",
		"BEGIN; DELETE FROM $t_parts WHERE k = $k; INSERT INTO $t_parts VALUES ($k, $n); UPDATE $t_plain SET v = $n WHERE k = $k; COMMIT",
	}
	aroundReads = []string{"SELECT v FROM $t_plain WHERE k = $k", "SELECT max(v) FROM $t_parts WHERE k = $k"}
)

const aroundSchema = `CREATE TABLE $t_plain (k int PRIMARY KEY, v int);
CREATE TABLE $t_parts (k int, v int) PARTITION BY LIST (k);
CREATE TABLE $t_low PARTITION OF $t_parts FOR VALUES IN (0, 1, 2, 3);
CREATE TABLE $t_high PARTITION OF $t_parts FOR VALUES IN (4, 5, 6, 7);
INSERT INTO $t_plain SELECT k, 0 FROM generate_series(0, 7) AS k;
INSERT INTO $t_parts SELECT k, 0 FROM generate_series(0, 7) AS k`

// in puts the number's tables into a statement.
func (n *number) in(sql string) string {
	if n.around() {
		return strings.ReplaceAll(sql, "$t", "around")
	}
	return strings.ReplaceAll(sql, "$t", "own")
}

// aroundGame is what the players share.
type aroundGame struct {
	*checker
	nodes   []*pgtest.Node
	numbers []*number
}

// TestReadsAroundAreNoOlderThanTheDelay: half of the writers go to the nodes by themselves,
// while streams are ended and definitions change; the others' writes are seen at once.
func TestReadsAroundAreNoOlderThanTheDelay(t *testing.T) {
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"wal_level": "logical"}))
	p := proxy.Start(t, nodes, proxy.WithConfig(append([]string{"cache_follow_wal = on", "cache_follow_wal_delay = " + strconv.FormatInt(delay.Milliseconds(), 10)}, cached...)...))
	p.Exec("CREATE DATABASE " + database)
	for k := range 2 {
		if err := send(p.Connect(database), []string{(&number{key: k}).in(aroundSchema)}); err != nil {
			t.Fatal(err)
		}
	}
	g := &aroundGame{checker: newChecker(), nodes: nodes}
	for k := range 8 {
		n := &number{key: k}
		g.numbers = append(g.numbers, n)
		g.write(p, n)
	}
	for i := range 4 {
		g.read(p.Connect(database), rand.New(rand.NewPCG(seed(t), uint64(100+i))))
	}
	proxies := []*proxy.Proxy{p}
	g.wantHits(t, proxies)
	streams := "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_replication WHERE application_name = 'pgchorus follower'"
	for end, n := time.Now().Add(length(t)), 0; n < 2 || time.Now().Before(end) && g.wrong.Load() == nil; n++ {
		g.wantHits(t, proxies)
		// What is missed shows when it is due, if nothing else ends the answer before.
		for calm := time.Now().Add(3 * delay); time.Now().Before(calm) && g.wrong.Load() == nil; time.Sleep(10 * time.Millisecond) {
		}
		if n%2 == 0 {
			nodes[n/2%3].Exec(streams)
		} else {
			for _, node := range nodes {
				if err := send(node.ConnectTo(database), []string{fmt.Sprintf("CREATE TABLE more%d AS SELECT 1 AS v", n)}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	g.wantHits(t, proxies)
	g.stop(t)
	wantHits(t, proxies)
	pgtest.WantEqual(t, nodes...)
}

// write raises a number again and again.
func (g *aroundGame) write(p *proxy.Proxy, n *number) {
	conns := []*pgx.Conn{p.Connect(database)}
	if n.around() {
		conns = conns[:0]
		for _, node := range g.nodes {
			conns = append(conns, node.ConnectTo(database))
		}
	}
	g.play(func() {
		next := n.sent.Add(1)
		ways := aroundWrites[:2]
		if next%3 == 0 {
			ways = aroundWrites[2:]
		}
		for _, way := range ways {
			for _, conn := range conns {
				if err := send(conn, []string{n.cell().fill(n.in(way), next, 0)}); err != nil {
					if !mayRetry(err) || n.around() {
						g.complain("%v", err)
					}
					return // the number is not due
				}
			}
		}
		g.writes.Add(1)
		if n.around() {
			time.AfterFunc(delay, func() { n.raise(next) })
			time.Sleep(time.Millisecond) // the others are to have a turn
			return
		}
		n.raise(next)
	})
}

func (n *number) cell() *cell { return &cell{key: n.key} }

// raise says that a value is due. Calls come late, and in any order.
func (n *number) raise(value int64) {
	for {
		due := n.due.Load()
		if due >= value || n.due.CompareAndSwap(due, value) {
			return
		}
	}
}

// read reads numbers again and again.
func (g *aroundGame) read(conn *pgx.Conn, r *rand.Rand) {
	who := &reader{conn: conn, r: r}
	g.play(func() {
		n := g.numbers[r.IntN(len(g.numbers))]
		sql, how := n.in(aroundReads[r.IntN(len(aroundReads))]), protocols[r.IntN(len(protocols))]
		due := n.due.Load()
		values, err := who.ask(sql, n.cell(), how)
		switch sent := n.sent.Load(); {
		case err != nil || len(values) != 1:
			g.complain("%s of %d, %s: %d, %v", sql, n.key, how, values, err)
		case values[0] < due || values[0] > sent:
			g.complain("%s of %d, %s, shows %d; %d is due, and %d was sent", sql, n.key, how, values, due, sent)
		}
		g.reads.Add(1)
	})
}
