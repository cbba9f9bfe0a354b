package cluster

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
)

func TestHealthCheckDetachesADeadNodeWithinItsTime(t *testing.T) {
	tests := []struct {
		name string
		hc   HealthCheck
		hang bool
		want time.Duration // after the start
	}{
		{"at the first round", HealthCheck{Period: 10 * time.Second}, false, 10 * time.Second},
		{"after retries", HealthCheck{Period: 10 * time.Second, MaxRetries: 3, RetryDelay: 2 * time.Second}, false, 16 * time.Second},
		{"after a timeout", HealthCheck{Period: 10 * time.Second, Timeout: 5 * time.Second}, true, 15 * time.Second},
		{"after timeouts and retries", HealthCheck{Period: 10 * time.Second, Timeout: 5 * time.Second, MaxRetries: 1, RetryDelay: time.Second}, true, 21 * time.Second},
		{"without a timeout", HealthCheck{Period: 10 * time.Second}, true, 10*time.Second + maxProbe},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, withHealthCheck(threeNodes(), tt.hc), nil, func(t *testing.T, w *world) {
				if tt.hang {
					w.prober.hang(2)
				} else {
					w.prober.kill(2)
				}
				time.Sleep(tt.want - time.Millisecond)
				w.wantView(t, "0 waiting, 1 waiting, 2 waiting @1")
				time.Sleep(time.Millisecond)
				w.wantView(t, "0 waiting, 1 waiting, 2 down @2")
				w.wantLogged(t, zap.ErrorLevel, "node detached", 1)
			})
		})
	}
}

func TestHealthCheckForgivesWhatARetryFindsAlive(t *testing.T) {
	hc := HealthCheck{Period: 10 * time.Second, MaxRetries: 3, RetryDelay: 2 * time.Second}
	inWorld(t, withHealthCheck(threeNodes(), hc), nil, func(t *testing.T, w *world) {
		w.prober.kill(2)
		time.Sleep(13 * time.Second)
		w.prober.revive(2)
		time.Sleep(time.Minute)
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting @1")
		s := w.Stats()[2]
		if s.Fail != 0 || s.Retry != 2 || s.MaxRetry != 2 {
			t.Errorf("stats %+v, want no failure and 2 retries", s)
		}
	})
}

func TestHealthCheckIsOffWithoutAPeriod(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		w.prober.kill(2)
		probes := w.prober.count(2)
		time.Sleep(24 * time.Hour)
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting @1")
		if w.prober.count(2) != probes {
			t.Error("the node was probed")
		}
	})
}

func TestHealthCheckHasAPeriodForEachNode(t *testing.T) {
	cfg := threeNodes()
	for i := range cfg.Nodes {
		cfg.Nodes[i].HealthCheck.Period = time.Duration(i) * 10 * time.Second
	}
	inWorld(t, cfg, nil, func(t *testing.T, w *world) {
		time.Sleep(60 * time.Second)
		synctest.Wait()
		for id, want := range []uint64{0, 6, 3} {
			if got := w.Stats()[id].Total; got != want {
				t.Errorf("node %d: %d rounds in a minute, want %d", id, got, want)
			}
		}
	})
}

func TestHealthCheckKeepsTheLastNode(t *testing.T) {
	cfg := withHealthCheck(threeNodes(), HealthCheck{Period: time.Second})
	inWorld(t, cfg, nil, func(t *testing.T, w *world) {
		w.prober.kill(0, 1, 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.View().Live()); n != 1 {
			t.Errorf("%d live nodes, want 1: %q", n, w.View().text())
		}
		n := w.logs.FilterMessage("node should be detached but stays in service").Len()
		if n < 1 || n > 3 {
			t.Errorf("%d log lines in a minute, want one now and then", n)
		}
	})
}

func TestHealthCheckReloads(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		w.prober.kill(2)
		time.Sleep(time.Hour)
		if err := w.Reload(t.Context(), withHealthCheck(threeNodes(), HealthCheck{Period: 5 * time.Second})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		w.wantView(t, "0 waiting, 1 waiting, 2 down @2")
	})
}

func TestReloadAddsANodeThatHasToBeAttached(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		cfg := withHealthCheck(threeNodes(), HealthCheck{Period: 5 * time.Second})
		cfg.Nodes = append(cfg.Nodes, NodeConfig{ID: 3, Host: "host3", Port: 5432, HealthCheck: HealthCheck{Period: time.Second}})
		if err := w.Reload(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting, 3 unused @1")
		if err := w.Attach(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting, 3 waiting @2")
		w.prober.kill(3)
		time.Sleep(time.Second)
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting, 3 down @3")
	})
}

func TestReloadKeepsRemovedNodesAndAddresses(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		cfg := threeNodes()
		cfg.Nodes = cfg.Nodes[:2]
		cfg.Nodes[1].Host = "elsewhere"
		if err := w.Reload(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting @1")
		w.wantLogged(t, zap.WarnLevel, "node removed from the configuration stays until a restart", 1)
		w.wantLogged(t, zap.WarnLevel, "another address of a node needs a restart", 1)
		if n, _ := w.settings.Load().node(1); n.Host != "host1" {
			t.Errorf("node 1 is probed at %q", n.Host)
		}
		if _, _, err := w.Suspect(t.Context(), 2, errRefused); err != nil {
			t.Errorf("Suspect of the removed node: %v", err)
		}
	})
}

func TestOldVerdictDoesNotDetachANodeThatCameBack(t *testing.T) {
	cfg := withHealthCheck(threeNodes(), HealthCheck{Period: 10 * time.Second, Timeout: 20 * time.Second})
	inWorld(t, cfg, nil, func(t *testing.T, w *world) {
		w.prober.hang(2)
		time.Sleep(11 * time.Second) // a round is under way and will fail
		if err := w.Detach(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		w.prober.revive(2)
		if err := w.Attach(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting @3")
	})
}

func TestStats(t *testing.T) {
	hc := HealthCheck{Period: 10 * time.Second, MaxRetries: 1, RetryDelay: time.Second}
	inWorld(t, withHealthCheck(threeNodes(), hc), nil, func(t *testing.T, w *world) {
		started := time.Now()
		w.prober.slow(1, 200*time.Millisecond)
		time.Sleep(11 * time.Second) // one good round, until 10.2 s
		w.prober.kill(1)
		time.Sleep(11 * time.Second) // one bad one, from 20.2 to 21.6 s
		time.Sleep(11 * time.Second) // one skipped, at 31.6 s
		synctest.Wait()

		at := func(d time.Duration) time.Time { return started.Add(d) }
		want := HealthStats{
			Node: 1, Host: "host1", Port: 5432, Status: Down, Role: "replica", LastStatusChange: at(21600 * time.Millisecond),
			Total: 3, Success: 1, Fail: 1, Skip: 1, Retry: 1, AverageRetry: 0.5, MaxRetry: 1,
			MaxDuration: 1400 * time.Millisecond, MinDuration: 200 * time.Millisecond, AverageDuration: 800,
			LastCheck: at(31600 * time.Millisecond), LastSuccess: at(10200 * time.Millisecond),
			LastSkip: at(31600 * time.Millisecond), LastFail: at(21600 * time.Millisecond),
		}
		if got := w.Stats()[1]; got != want {
			t.Errorf("stats\n%+v, want\n%+v", got, want)
		}
		if got := w.Stats()[0].Role; got != "main" {
			t.Errorf("role of node 0: %q", got)
		}
	})
}

func TestStatsBeforeTheFirstRound(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		s := w.Stats()[0]
		if s.Total != 0 || s.MinDuration.Milliseconds() != math.MaxInt32 || !math.IsNaN(s.AverageRetry) || !math.IsNaN(s.AverageDuration) || !s.LastCheck.IsZero() {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestComplaintsAreCountedWhileTheyRepeat(t *testing.T) {
	inWorld(t, threeNodes(), []config.NodeID{1, 2}, func(t *testing.T, w *world) {
		for range 5 {
			w.Fence(t.Context(), 0, "COMMIT refused") //nolint:errcheck
		}
		time.Sleep(complaintInterval)
		if _, err := w.Fence(t.Context(), 0, "COMMIT refused"); !errors.Is(err, ErrLastNode) {
			t.Errorf("Fence = %v", err)
		}
		lines := w.logs.FilterMessage("node should be detached but stays in service").All()
		if len(lines) != 2 || lines[1].ContextMap()["left_out"] != int64(4) {
			t.Errorf("log %v, want two lines, the second with 4 left out", lines)
		}
	})
}
