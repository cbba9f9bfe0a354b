package routing

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const (
	// measuredReads is how many reads the weights are measured over.
	measuredReads = 100_000
	// measuredSessions is how many sessions the ratio of a redirect is measured over:
	// it is drawn once for each.
	measuredSessions = 1000
	// clients work at the same time.
	clients = 8
	// tolerance is how far a node may be from its share, in parts of the share.
	tolerance = 0.03
	// deviations is how far it may be besides, in standard deviations of as many
	// independent draws: a fair choice is further off once in 150,000 runs.
	deviations = 4.5
)

// counting makes servers count what they run: their extension knows every statement,
// with its constants cut out.
var counting = pgtest.WithSettings(map[string]string{
	"shared_preload_libraries": "pg_stat_statements",
	// The statement of the test must not be pushed out by those of checks.
	"pg_stat_statements.max": "5000",
})

// countedSQL is what is counted.
const countedSQL = "SELECT 1 AS counted"

// counted is how often each node has run it.
func counted(nodes []*pgtest.Node) []int {
	counts := make([]int, len(nodes))
	for i, node := range nodes {
		rows := node.Query("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE 'SELECT % AS counted'")
		counts[i], _ = strconv.Atoi(rows[0][0])
	}
	return counts
}

// wantShares fails the test unless each node has had its share of the sum.
func wantShares(t *testing.T, counts []int, shares ...float64) {
	t.Helper()
	total := 0
	for _, n := range counts {
		total += n
	}
	for id, n := range counts {
		want := shares[id] * float64(total)
		deviation := math.Sqrt(want * (1 - shares[id]))
		if off := math.Abs(float64(n) - want); off > max(tolerance*want, deviations*deviation) {
			t.Errorf("node %d ran %d of %d reads, want %.0f", id, n, total, want)
		}
	}
	t.Logf("reads: %v", counts)
}

func TestReadsFollowTheWeights(t *testing.T) {
	stages := []struct {
		mode  string
		start func(*testing.T) []*pgtest.Node
	}{
		{"native_replication", func(t *testing.T) []*pgtest.Node { return pgtest.Start(t, nodeCount, counting) }},
		{"streaming_replication", func(t *testing.T) []*pgtest.Node { return pgtest.StartStreaming(t, nodeCount, counting) }},
	}
	for _, stage := range stages {
		t.Run(stage.mode, func(t *testing.T) {
			nodes := stage.start(t)
			makeCounters(t, nodes)
			s := &Stage{Mode: stage.mode, settings: primarySettings}
			p := proxy.Start(t, nodes, proxy.WithConfig(s.Config([]string{
				"statement_level_load_balance = on",
				"backend_weight0 = 1", "backend_weight1 = 2", "backend_weight2 = 7",
			})...))
			atOnce(t, func(ctx context.Context, _ int) error { return readOften(ctx, p, measuredReads/clients) })
			wantShares(t, counted(nodes), 0.1, 0.2, 0.7)
		})
	}
}

// makeCounters has the nodes show what they count; standbys have it from their primary.
func makeCounters(t *testing.T, nodes []*pgtest.Node) {
	t.Helper()
	nodes[mainNode].Exec("CREATE EXTENSION pg_stat_statements")
	for _, node := range nodes[1:] {
		if node.Query("SELECT pg_is_in_recovery()")[0][0] == "t" {
			node.WaitCaughtUp(nodes[mainNode])
			continue
		}
		node.Exec("CREATE EXTENSION pg_stat_statements")
	}
}

// atOnce runs all clients and waits for them.
func atOnce(t *testing.T, client func(ctx context.Context, number int) error) {
	t.Helper()
	errs := make([]error, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { errs[i] = client(t.Context(), i) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// readOften reads in one session.
func readOften(ctx context.Context, p *proxy.Proxy, times int) error {
	conn, err := pgconn.Connect(ctx, p.DSN(pgtest.Database, p.User))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for range times {
		if _, err := conn.Exec(ctx, countedSQL).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

func TestSessionsFollowTheRatioOfARedirect(t *testing.T) {
	nodes := pgtest.StartStreaming(t, nodeCount, counting)
	nodes[mainNode].Exec("CREATE DATABASE " + Database)
	makeCounters(t, nodes)
	tests := []struct {
		name     string
		settings []string
		shares   []float64
	}{
		{"a node: the others share the rest by weight",
			[]string{"app_name_redirect_preference_list = 'ratio:2(0.6)'", "backend_weight0 = 1", "backend_weight1 = 3", "backend_weight2 = 1"},
			[]float64{0.1, 0.3, 0.6}},
		{"the primary",
			[]string{"app_name_redirect_preference_list = 'ratio:primary(0.5)'", "backend_weight0 = 1", "backend_weight1 = 1", "backend_weight2 = 1"},
			[]float64{0.5, 0.25, 0.25}},
		{"the standbys: the rest is the primary's",
			[]string{"app_name_redirect_preference_list = 'ratio:standby(0.8)'", "backend_weight0 = 5", "backend_weight1 = 1", "backend_weight2 = 3"},
			[]float64{0.2, 0.2, 0.6}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Stage{Mode: "streaming_replication", settings: primarySettings}
			p := proxy.Start(t, nodes, proxy.WithConfig(s.Config(tt.settings)...))
			p.Exec("DO $$ BEGIN END $$") // waits until the primary is known
			before := counted(nodes)
			atOnce(t, func(ctx context.Context, _ int) error {
				for range measuredSessions / clients {
					if err := readInNewSession(ctx, p, "ratio"); err != nil {
						return err
					}
				}
				return nil
			})
			counts := counted(nodes)
			for id := range counts {
				counts[id] -= before[id]
			}
			wantShares(t, counts, tt.shares...)
		})
	}
}

// readInNewSession reads once, in a session of an application.
func readInNewSession(ctx context.Context, p *proxy.Proxy, application string) error {
	conn, err := pgconn.Connect(ctx, p.DSN(Database, p.User)+"&application_name="+application)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, countedSQL).ReadAll()
	return err
}
