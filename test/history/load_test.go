package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const (
	clients = 8
	each    = 60 // transactions of a client
	lists   = 5
	// patience ends what hangs.
	patience = 60 * time.Second
)

// run is a load of clients on lists.
type run struct {
	t       testing.TB
	nodes   []*pgtest.Node
	proxy   *proxy.Proxy
	begin   string
	numbers atomic.Int64
	done    atomic.Int64 // transactions

	mu      sync.Mutex
	history []Transaction
}

// serverSettings: deadlocks end soon, which clients make that take lists in any order.
var serverSettings = map[string]string{"deadlock_timeout": "20ms"}

func newRun(t testing.TB, mode, begin string) *run {
	t.Helper()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(serverSettings))
	r := &run{t: t, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig("backend_clustering_mode = "+mode)), begin: begin}
	r.proxy.Exec("CREATE TABLE lst (k int PRIMARY KEY, v int[] NOT NULL)")
	return r
}

// client runs its transactions one after the other.
func (r *run) client(number int) {
	conn := r.proxy.Connect(pgtest.Database)
	random := rand.New(rand.NewPCG(uint64(number), 1))
	for range each {
		t := r.transaction(conn, number, random)
		r.mu.Lock()
		r.history = append(r.history, t)
		r.mu.Unlock()
		r.done.Add(1)
		if conn.IsClosed() {
			r.t.Errorf("client %d has lost its session", number)
			return
		}
	}
}

func (r *run) transaction(conn *pgx.Conn, client int, random *rand.Rand) Transaction {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t := Transaction{Client: client}
	_, err := conn.Exec(ctx, r.begin)
	for range 1 + random.IntN(4) {
		if err != nil {
			break
		}
		op := Operation{Key: random.IntN(lists)}
		if random.IntN(2) == 0 {
			op.Append = int(r.numbers.Add(1))
		}
		err = op.do(ctx, conn)
		t.Operations = append(t.Operations, op)
	}
	if err == nil {
		var tag pgconn.CommandTag
		if tag, err = conn.Exec(ctx, "COMMIT"); err == nil && tag.String() != "COMMIT" {
			err = errRolledBack
		}
	}
	t.Outcome = r.outcome(err)
	if err != nil && !conn.IsClosed() {
		conn.Exec(ctx, "ROLLBACK") //nolint:errcheck // what failed is told
	}
	return t
}

func (op *Operation) do(ctx context.Context, conn *pgx.Conn) error {
	if op.Append != 0 {
		_, err := conn.Exec(ctx, "INSERT INTO lst VALUES ($1, ARRAY[$2::int]) ON CONFLICT (k) DO UPDATE SET v = lst.v || $2::int", op.Key, op.Append)
		return err
	}
	err := conn.QueryRow(ctx, "SELECT v FROM lst WHERE k = $1", op.Key).Scan(&op.Read)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

var errRolledBack = errors.New("rolled back")

// retryable are what a client may be told to begin again for.
var retryable = []string{"40001", "40P01"}

func (r *run) outcome(err error) Outcome {
	var told *pgconn.PgError
	switch {
	case err == nil:
		return Committed
	case errors.As(err, &told) && slices.Contains(retryable, told.Code):
		return Aborted
	case errors.As(err, &told) && slices.Contains([]string{"08006", "08007", "40003"}, told.Code):
		return Unknown
	}
	r.t.Errorf("a client was told %v", err)
	return Unknown
}

// play runs all clients, and fault when half of it is done.
func (r *run) play(fault func(), client func(number int)) {
	var running sync.WaitGroup
	for number := range clients {
		running.Go(func() { client(number) })
	}
	finished := make(chan struct{})
	go func() { running.Wait(); close(finished) }()
	for r.done.Load() < clients*each/2 {
		select {
		case <-finished:
			return // clients have given up, and said so
		case <-time.After(time.Millisecond):
		}
	}
	fault()
	<-finished
}

// check compares the nodes that are left and judges the history.
func (r *run) check(level Level, nodes ...*pgtest.Node) {
	r.t.Helper()
	pgtest.WantEqual(r.t, nodes...)
	counts := map[Outcome]int{}
	for i := range r.history {
		counts[r.history[i].Outcome]++
	}
	r.t.Logf("%d transactions committed, %d aborted, %d unknown", counts[Committed], counts[Aborted], counts[Unknown])
	for i, anomaly := range Check(level, r.history, r.final(nodes[0])) {
		if i == 3 {
			r.t.Fatal("and more")
		}
		r.t.Error(anomaly)
	}
}

func (r *run) final(node *pgtest.Node) map[int][]int {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn := node.Connect()
	rows, err := conn.Query(ctx, "SELECT k, v FROM lst")
	if err != nil {
		r.t.Fatal(err)
	}
	final, key, list := map[int][]int{}, 0, []int{}
	if _, err := pgx.ForEachRow(rows, []any{&key, &list}, func() error {
		final[key] = slices.Clone(list)
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	return final
}

func TestHistories(t *testing.T) {
	levels := []struct {
		name, mode, begin string
		level             Level
	}{
		{"read committed", "native_replication", "BEGIN", ReadCommitted},
		{"repeatable read", "native_replication", "BEGIN ISOLATION LEVEL REPEATABLE READ", SnapshotIsolation},
		{"serializable", "native_replication", "BEGIN ISOLATION LEVEL SERIALIZABLE", Serializable},
		{"snapshot_isolation", "snapshot_isolation", "BEGIN", SnapshotIsolation},
	}
	for _, l := range levels {
		t.Run(l.name+", no node is lost", func(t *testing.T) {
			r := newRun(t, l.mode, l.begin)
			r.play(func() {}, r.client)
			r.check(l.level, r.nodes...)
		})
		for id := range 2 { // main and another
			t.Run(fmt.Sprintf("%s, node %d is killed", l.name, id), func(t *testing.T) {
				r := newRun(t, l.mode, l.begin)
				r.play(r.nodes[id].Kill, r.client)
				r.check(l.level, slices.Delete(slices.Clone(r.nodes), id, id+1)...)
			})
		}
	}
}
