package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// contentionTables are few rows that many sessions are after.
const contentionTables = `
CREATE TABLE acc (id int PRIMARY KEY, grp int NOT NULL, v int NOT NULL);
INSERT INTO acc SELECT i, i % 3, 100 FROM generate_series(1, 12) AS i;
CREATE TABLE sums (id bigint PRIMARY KEY, v bigint, made timestamptz DEFAULT clock_timestamp());
CREATE TABLE queue (id bigint PRIMARY KEY, payload text);
CREATE TABLE done (id bigint PRIMARY KEY, payload text);
CREATE TABLE latest (grp int PRIMARY KEY, v bigint);
`

// rival is a session that contends. It belongs to one goroutine.
type rival struct {
	number, seq int
	conn        *pgx.Conn
	mode        pgx.QueryExecMode
	rng         *rand.Rand
}

func (r *rival) next() int { r.seq++; return r.number*1_000_000 + r.seq }

// statement is one of the kinds that are the same on all nodes only if something is done for
// it, or that change the rows which those read.
func (r *rival) statement() string {
	account, group := r.rng.IntN(14)+1, r.rng.IntN(3)
	switch r.rng.IntN(11) {
	case 0:
		return fmt.Sprintf("UPDATE acc SET v = v + 1 WHERE id = %d", account)
	case 1:
		return fmt.Sprintf("INSERT INTO sums (id, v) SELECT %d, sum(v) FROM acc", r.next())
	case 2:
		return fmt.Sprintf("UPDATE acc SET v = v + 1 WHERE grp = %d", group)
	case 3:
		return fmt.Sprintf("DELETE FROM acc WHERE id = %d", account)
	case 4:
		return fmt.Sprintf("INSERT INTO acc VALUES (%d, %d, 7) ON CONFLICT (id) DO UPDATE SET grp = excluded.grp", account, group)
	case 5:
		return fmt.Sprintf("UPDATE acc SET v = (SELECT max(v) FROM acc) WHERE id = %d", account)
	case 6:
		return fmt.Sprintf("INSERT INTO queue SELECT %d, string_agg(v::text, ',') FROM acc", r.next())
	case 7:
		return "DELETE FROM queue WHERE id = (SELECT id FROM queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, payload"
	case 8:
		return "INSERT INTO latest SELECT grp, sum(v) FROM acc GROUP BY grp ON CONFLICT (grp) DO UPDATE SET v = excluded.v"
	case 9:
		return "UPDATE acc SET v = latest.v % 1000 FROM latest WHERE latest.grp = acc.grp AND acc.id % 2 = 0"
	}
	return "WITH moved AS (DELETE FROM queue WHERE id = (SELECT min(id) FROM queue) RETURNING id, payload) INSERT INTO done SELECT id, payload FROM moved"
}

// play runs one transaction: a statement alone, or some in a block that may be rolled back.
func (r *rival) play(ctx context.Context) error {
	if r.rng.IntN(2) == 0 {
		return r.run(ctx, r.statement())
	}
	if err := r.run(ctx, "BEGIN"); err != nil {
		return err
	}
	for range r.rng.IntN(3) + 1 {
		if err := r.run(ctx, r.statement()); err != nil {
			_ = r.run(ctx, "ROLLBACK")
			return err
		}
	}
	if r.rng.IntN(5) == 0 {
		return r.run(ctx, "ROLLBACK")
	}
	return r.run(ctx, "COMMIT")
}

// run also reads what is returned.
func (r *rival) run(ctx context.Context, sql string) error {
	rows, err := r.conn.Query(ctx, sql, r.mode)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

const (
	rivals      = 8
	rivalRounds = 60
)

// contend has all rivals play; it returns how many transactions were done and how many
// could not be serialized.
func (s *stage) contend() (done, refused int64) {
	s.t.Helper()
	s.exec(s.connect(), contentionTables)
	modes := []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement}
	var all sync.WaitGroup
	var committed, aborted atomic.Int64
	for i := range rivals {
		r := &rival{number: i, conn: s.connect(), mode: modes[i%len(modes)], rng: rand.New(rand.NewPCG(uint64(i), 1))}
		all.Go(func() {
			for range rivalRounds {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				err := r.play(ctx)
				cancel()
				switch code := codeOf(err); {
				case err == nil:
					committed.Add(1)
				case code == "40001" || code == "40P01":
					aborted.Add(1)
				default:
					s.t.Errorf("rival %d: %v", r.number, err)
					return
				}
			}
		})
	}
	all.Wait()
	return committed.Load(), aborted.Load()
}

// TestContentionLeavesTheNodesEqual plays all kinds of statements against each other.
func TestContentionLeavesTheNodesEqual(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"auto", "lock"} {
		t.Run(strategy, func(t *testing.T) {
			s := newStage(t, proxy.WithConfig("set_write_strategy = "+strategy))
			done, refused := s.contend()
			t.Logf("%d transactions done, %d refused", done, refused)
			s.wantAllUp()
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

// TestTheBankInNativeReplication writes down what is read while it changes.
func TestTheBankInNativeReplication(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	b := s.openBank()
	b.awaitWork(300)
	b.finish()
	b.wantNoErrors()
	s.wantAllUp()
	s.wantEqual()
}
