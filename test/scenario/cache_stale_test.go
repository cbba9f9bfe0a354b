package scenario

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestStandbyThatLagsFillsNothing: what a standby shows that has not replayed a write is
// given to who may read it, and not kept.
func TestStandbyThatLagsFillsNothing(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
