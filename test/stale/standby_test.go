package stale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/memcachedtest"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// careful is an application whose reads go to the primary. Its sessions share answers with
// those whose reads go to the standbys.
const careful = "careful"

// standbyGame is played with a primary and two standbys: one stops replaying at times, the
// other is always late.
type standbyGame struct {
	*checker
	nodes   []*pgtest.Node
	proxies []*proxy.Proxy
	// balanced and onPrimary are the test's own sessions, one of them careful.
	balanced, onPrimary *pgx.Conn
}

// TestNoReadIsStaleBesideStandbys: with read_consistency = eventual a standby is read that is
// behind, and yet a session that reads on the primary is told nothing old from memory. With
// strict nobody is.
func TestNoReadIsStaleBesideStandbys(t *testing.T) {
	for _, tt := range []struct {
		name, consistency string
		shared            bool
	}{
		{"eventual", "eventual", false},
		{"strict", "strict", false},
		{"eventual, with two proxies", "eventual", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := &standbyGame{checker: newChecker(), nodes: pgtest.StartStreaming(t, 3)}
			g.lags = tt.consistency == "eventual"
			beLate(g.nodes[2])
			lines := g.config("read_consistency = " + tt.consistency)
			if tt.shared {
				g.proxies, _ = sharing(t, g.nodes, memcachedtest.Start(t, 64), lines...)
				g.keepColumns()
			} else {
				g.proxies = []*proxy.Proxy{proxy.Start(t, g.nodes, proxy.WithConfig(append(lines, cached...)...))}
			}
			prepare(t, g.proxies[0])
			g.settle()
			g.start(seed(t), g.proxies, database, 2, 3)
			g.startCareful(t, 3)
			g.balanced, g.onPrimary = g.proxies[0].Connect(database), connectCareful(t, g.proxies[0])
			g.wantHits(t, g.proxies)
			for end, n := time.Now().Add(length(t)), 0; n == 0 || time.Now().Before(end) && g.wrong.Load() == nil; n++ {
				g.turn(t)
			}
			g.stop(t)
			wantHits(t, g.proxies)
			g.settle()
			pgtest.WantEqual(t, g.nodes...)
		})
	}
}

// config has each read of others than the careful go to one of the standbys.
func (g *standbyGame) config(more ...string) []string {
	return append([]string{
		"backend_clustering_mode = streaming_replication", "sr_check_period = 1", "sr_check_user = " + g.nodes[0].Superuser,
		"backend_application_name0 = node0", "backend_application_name1 = node1", "backend_application_name2 = node2",
		"backend_weight0 = 0", "statement_level_load_balance = on", "app_name_redirect_preference_list = '" + careful + ":primary'",
		"allow_sql_comments = on", // see wantFills
	}, more...)
}

// beLate has a standby show each commit some time after it was made.
func beLate(standby *pgtest.Node) {
	standby.Exec("ALTER SYSTEM SET recovery_min_apply_delay = '100ms'")
	standby.Exec("SELECT pg_reload_conf()")
	standby.WaitRows("SHOW recovery_min_apply_delay", "100ms")
}

// settle waits until the standbys show everything.
func (g *standbyGame) settle() {
	for _, standby := range g.nodes[1:] {
		standby.WaitCaughtUp(g.nodes[0])
	}
}

// startCareful has so many readers at each proxy who have to be told everything.
func (g *standbyGame) startCareful(t *testing.T, readers int) {
	for n, p := range g.proxies {
		for i := range readers {
			who := newReader(connectCareful(t, p), rand.New(rand.NewPCG(seed(t), uint64(n*1000+700+i))))
			g.play(func() { g.read(who) })
		}
	}
}

func connectCareful(t testing.TB, p *proxy.Proxy) *pgx.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	conn, err := pgx.Connect(ctx, p.DSN(database, p.User)+"&application_name="+careful)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		_ = conn.Close(ctx) // the server may have gone
	})
	return conn
}

// turn has a standby stop, and go on while nobody writes.
func (g *standbyGame) turn(t *testing.T) {
	t.Helper()
	goOn := g.rest()
	g.nodes[1].WaitCaughtUp(g.nodes[0]) // or it might stop with a lock that its readers wait for
	g.nodes[1].PauseReplay()
	goOn()
	g.wantWork(t, 50, 20)
	goOn = g.rest()
	defer goOn()
	g.wantWork(t, 200, 0) // no write ends what is kept of a standby that is behind
	g.nodes[1].ResumeReplay()
	g.wantFills(t)
}

// wantFills waits until what a standby has said is told to a careful session. Nobody may
// write meanwhile. Where the cache is full, an answer is kept from the second time on that it is asked for.
func (g *standbyGame) wantFills(t *testing.T) {
	t.Helper()
	for end, n := time.Now().Add(patience), 0; g.wrong.Load() == nil; n++ {
		text := fmt.Sprintf("/*FORCE QUERY CACHE*/ SELECT current_setting('port'), %d FROM plain WHERE k = 0", n)
		oneNumber(t, g.balanced, text)
		if port := oneNumber(t, g.balanced, text); port != g.nodes[0].Port && port == oneNumber(t, g.onPrimary, text) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("nothing that a standby says is kept")
		}
	}
}

// oneNumber is the first column of the only row.
func oneNumber(t testing.TB, conn *pgx.Conn, sql string) int {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(results[0].Rows[0][0]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
