package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
)

func TestSuspectDetachesADeadNode(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		w.prober.kill(1)
		v, alive, err := w.Suspect(t.Context(), 1, errors.New("connection reset by peer"))
		if err != nil || alive || v.text() != "0 waiting, 1 down, 2 waiting @2" {
			t.Errorf("Suspect = %q, %t, %v", v.text(), alive, err)
		}
		n, _ := v.Node(1)
		if !strings.Contains(n.Reason, "connection reset by peer") || !strings.Contains(n.Reason, "connection refused") {
			t.Errorf("reason %q, want both what the session and what the probe saw", n.Reason)
		}
		w.diary.want(t, "change 1 to 2")
		w.wantLogged(t, zap.ErrorLevel, "node detached", 1)
		if got := readFile(t, w.status.Path()); got != "up\ndown\nup\n" {
			t.Errorf("status file %q", got)
		}
	})
}

func TestSuspectKeepsANodeThatAnswers(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		v, alive, err := w.Suspect(t.Context(), 1, errors.New("terminated by an administrator"))
		if err != nil || !alive || v.text() != "0 waiting, 1 waiting, 2 waiting @1" {
			t.Errorf("Suspect = %q, %t, %v", v.text(), alive, err)
		}
		w.diary.want(t)
	})
}

func TestSuspectOfANodeThatIsDownDoesNotProbe(t *testing.T) {
	inWorld(t, threeNodes(), []config.NodeID{1}, func(t *testing.T, w *world) {
		before := w.prober.count(1)
		v, alive, err := w.Suspect(t.Context(), 1, errRefused)
		if err != nil || alive || v != w.View() || w.prober.count(1) != before {
			t.Errorf("Suspect = %v, %t, %v after %d probes", v, alive, err, w.prober.count(1)-before)
		}
	})
}

func TestShutdownDetachesAlsoWithFailoverOnBackendErrorOff(t *testing.T) {
	tests := []struct {
		name            string
		error, shutdown bool
		dead            bool
		alive           bool
		want            string
	}{
		{"it shuts down", false, true, true, false, "0 waiting, 1 down, 2 waiting @2"},
		{"it shuts down, and that is no reason", false, false, true, false, "0 waiting, 1 waiting, 2 waiting @1"},
		{"it shuts down, and any error is a reason", true, false, true, false, "0 waiting, 1 down, 2 waiting @2"},
		{"an administrator ended the session", true, true, false, true, "0 waiting, 1 waiting, 2 waiting @1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := threeNodes()
			cfg.FailoverOnBackendError, cfg.FailoverOnBackendShutdown = tt.error, tt.shutdown
			inWorld(t, cfg, nil, func(t *testing.T, w *world) {
				if tt.dead {
					w.prober.kill(1)
				}
				v, alive, err := w.SuspectShutdown(t.Context(), 1, errors.New("57P01"))
				if v.text() != tt.want || alive != tt.alive || err != nil {
					t.Errorf("view %q, alive %t, %v", v.text(), alive, err)
				}
			})
		})
	}
}

func TestWaitForAPrimary(t *testing.T) {
	cfg := threeNodes()
	cfg.HasPrimary = true
	inWorld(t, cfg, nil, func(t *testing.T, w *world) {
		changed := w.Changed()
		if _, ok := w.View().Main(); ok {
			t.Fatal("there is a primary that nobody has found")
		}
		go func() {
			w.Connected(t.Context(), 1) // changes nothing that anybody waits for
			if _, err := w.SetPrimary(t.Context(), 2, "it is not in recovery"); err != nil {
				t.Error(err)
			}
		}()
		<-changed
		if main, _ := w.View().Main(); main != 2 {
			t.Errorf("main node %d", main)
		}
		w.wantLogged(t, zap.InfoLevel, "primary node found", 1)
		w.diary.want(t, "change 1 to 2")
		if _, err := w.SetPrimary(t.Context(), 7, ""); !errors.Is(err, ErrNotInService) {
			t.Errorf("SetPrimary of no such node = %v", err)
		}
	})
}

func TestStandbyReturnsWithoutABarrier(t *testing.T) {
	cfg := threeNodes()
	cfg.HasPrimary = true
	inWorld(t, cfg, []config.NodeID{1, 2}, func(t *testing.T, w *world) {
		if err := w.Return(t.Context(), 1, "it streams"); !errors.Is(err, errRefused) {
			t.Errorf("Return of a node that does not answer = %v", err)
		}
		w.prober.revive(1, 2)
		if err := w.Return(t.Context(), 1, "it streams"); err != nil {
			t.Error(err)
		}
		if err := w.Attach(t.Context(), 2); err != nil {
			t.Error(err)
		}
		w.diary.want(t, "change 1 to 2", "change 2 to 3")
		if err := w.Detach(t.Context(), 2); err != nil {
			t.Error(err)
		}
		if err := w.Return(t.Context(), 2, "it streams"); !errors.Is(err, ErrDismissed) {
			t.Errorf("Return of a node that an operator detached = %v", err)
		}
		if err := w.Return(t.Context(), 7, "it streams"); !errors.Is(err, ErrNoSuchNode) {
			t.Errorf("Return of no such node = %v", err)
		}
	})
}

func TestSuspicionsOfOneNodeShareAProbe(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		before := w.prober.count(1)
		w.prober.kill(1)
		w.prober.slow(1, time.Second)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if v, alive, err := w.Suspect(t.Context(), 1, errRefused); err != nil || alive || v.Up(1) {
					t.Errorf("Suspect = %q, %t, %v", v.text(), alive, err)
				}
			})
		}
		wg.Wait()
		if n := w.prober.count(1) - before; n != 1 {
			t.Errorf("%d probes for 50 suspicions, want 1", n)
		}
		w.diary.want(t, "change 1 to 2")
	})
}

func TestSuspectWaitsNoLongerThanTheShorterTimeout(t *testing.T) {
	tests := []struct {
		name                 string
		connect, healthCheck time.Duration
		want                 time.Duration
	}{
		{"connect_timeout", 3 * time.Second, 20 * time.Second, 3 * time.Second},
		{"health_check_timeout", 10 * time.Second, 2 * time.Second, 2 * time.Second},
		{"only one is set", 0, 4 * time.Second, 4 * time.Second},
		{"none is set", 0, 0, maxSuspicion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := withHealthCheck(threeNodes(), HealthCheck{Timeout: tt.healthCheck})
			cfg.Nodes[2].ConnectTimeout = tt.connect
			inWorld(t, cfg, nil, func(t *testing.T, w *world) {
				w.prober.hang(2)
				began := time.Now()
				_, alive, err := w.Suspect(t.Context(), 2, errRefused)
				if took := time.Since(began); took != tt.want || alive || err != nil {
					t.Errorf("Suspect took %v, want %v; alive = %t, %v", took, tt.want, alive, err)
				}
			})
		})
	}
}

func TestSuspectOnlyReportsWhereFailoverIsNotAllowed(t *testing.T) {
	off := threeNodes()
	off.FailoverOnBackendError = false
	disallowed := threeNodes()
	disallowed.Nodes[1].DisallowToFailover = true
	tests := []struct {
		name string
		cfg  Config
		dead []config.NodeID
		want string
		log  string
	}{
		{"failover_on_backend_error is off", off, nil, "0 waiting, 1 waiting, 2 waiting @1", "node does not answer, failover_on_backend_error is off"},
		{"DISALLOW_TO_FAILOVER", disallowed, nil, "0 waiting, 1 waiting, 2 waiting @1", "node should be detached but stays in service"},
		{"the last live node", threeNodes(), []config.NodeID{0, 2}, "0 down, 1 waiting, 2 down @1", "node should be detached but stays in service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, tt.cfg, tt.dead, func(t *testing.T, w *world) {
				w.prober.kill(1)
				for range 10 {
					v, alive, err := w.Suspect(t.Context(), 1, errRefused)
					if err != nil || alive || v.text() != tt.want {
						t.Errorf("Suspect = %q, %t, %v, want %q", v.text(), alive, err, tt.want)
					}
				}
				if n := w.logs.FilterMessage(tt.log).Len(); n != 1 {
					t.Errorf("%q was logged %d times for 10 suspicions, want once", tt.log, n)
				}
			})
		})
	}
}

func TestSuspectEndsWithItsContext(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		w.prober.hang(1)
		gone := errors.New("the frontend is gone")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, gone)
		defer cancel()
		if _, _, err := w.Suspect(ctx, 1, errRefused); !errors.Is(err, gone) {
			t.Errorf("Suspect = %v, want %v", err, gone)
		}
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting @1") // the probe goes on for others
	})
}

func TestStoppingIsNoEvidenceAgainstANode(t *testing.T) {
	cfg := withHealthCheck(threeNodes(), HealthCheck{Period: time.Second, Timeout: time.Minute})
	var w *world
	inWorld(t, cfg, nil, func(t *testing.T, inner *world) {
		w = inner
		for id := range config.NodeID(3) {
			w.prober.hang(id)
		}
		go w.Suspect(t.Context(), 1, errRefused) //nolint:errcheck
		time.Sleep(2 * time.Second)              // all health checks are under way
	})
	if got := w.View().text(); got != "0 waiting, 1 waiting, 2 waiting @1" {
		t.Errorf("view after the end %q", got)
	}
	if got := readFile(t, w.status.Path()); got != "up\nup\nup\n" {
		t.Errorf("status file after the end %q", got)
	}
}

func TestFenceIsInTheFileBeforeAnybodyHearsOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := NewStatusFile(filepath.Join(t.TempDir(), "pgpool_status"))
		w := newManager(file, threeNodes())
		w.onChange = func(old, new *View) {
			w.diary.add("file " + strings.ReplaceAll(readFile(t, file.Path()), "\n", " "))
			if w.View() != new {
				t.Error("onChange before the view was stored")
			}
		}
		if err := w.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx) //nolint:errcheck
		v, err := w.Fence(t.Context(), 2, "COMMIT of session 7 was refused")
		if err != nil || v.text() != "0 waiting, 1 waiting, 2 down @2" {
			t.Errorf("Fence = %q, %v", v.text(), err)
		}
		w.diary.want(t, "file up up up ", "file up up down ")
		cancel()
		<-w.ended
	})
}

func TestFence(t *testing.T) {
	disallowed := threeNodes()
	disallowed.Nodes[2].DisallowToFailover = true
	tests := []struct {
		name string
		cfg  Config
		dead []config.NodeID
		node config.NodeID
		want string
		err  error
	}{
		{"a node that answers", threeNodes(), nil, 2, "0 waiting, 1 waiting, 2 down @2", nil},
		{"the main node", threeNodes(), nil, 0, "0 down, 1 waiting, 2 waiting @2", nil},
		{"whatever the flag says", disallowed, nil, 2, "0 waiting, 1 waiting, 2 down @2", nil},
		{"a node that is down", threeNodes(), []config.NodeID{2}, 2, "0 waiting, 1 waiting, 2 down @1", nil},
		{"the last live node", threeNodes(), []config.NodeID{0, 1}, 2, "0 down, 1 down, 2 waiting @1", ErrLastNode},
		{"no such node", threeNodes(), nil, 9, "0 waiting, 1 waiting, 2 waiting @1", ErrNoSuchNode},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, tt.cfg, tt.dead, func(t *testing.T, w *world) {
				probes := w.prober.count(tt.node)
				v, err := w.Fence(t.Context(), tt.node, "COMMIT refused")
				if !errors.Is(err, tt.err) || v.text() != tt.want || v != w.View() {
					t.Errorf("Fence = %q, %v, want %q, %v", v.text(), err, tt.want, tt.err)
				}
				if w.prober.count(tt.node) != probes {
					t.Error("Fence asked the node")
				}
			})
		})
	}
}

func TestFencedNodeStaysOutAfterARestart(t *testing.T) {
	file := NewStatusFile(filepath.Join(t.TempDir(), "pgpool_status"))
	inWorldWith(t, file, threeNodes(), nil, func(t *testing.T, w *world) {
		if _, err := w.Fence(t.Context(), 0, "COMMIT refused"); err != nil {
			t.Fatal(err)
		}
	})
	inWorldWith(t, file, threeNodes(), nil, func(t *testing.T, w *world) {
		w.wantView(t, "0 down, 1 up, 2 up @1")
		time.Sleep(time.Hour)
		w.wantView(t, "0 down, 1 up, 2 up @1")
		if err := w.Attach(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	})
	inWorldWith(t, file, threeNodes(), nil, func(t *testing.T, w *world) {
		w.wantView(t, "0 up, 1 up, 2 up @1")
	})
}

func TestFenceGoesOnWhenTheFileCannotBeWritten(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	inWorldWith(t, NewStatusFile(filepath.Join(folder, "pgpool_status")), threeNodes(), nil, func(t *testing.T, w *world) {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		if v, err := w.Fence(t.Context(), 2, "COMMIT refused"); err != nil || v.Up(2) {
			t.Errorf("Fence = %q, %v", v.text(), err)
		}
		w.wantLogged(t, zap.ErrorLevel, "the state of the nodes will not survive a restart", 1)
	})
}

func TestDetachAndAttach(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		if err := w.Detach(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		w.wantView(t, "0 down, 1 waiting, 2 waiting @2")
		w.diary.want(t, "change 1 to 2")
		w.wantLogged(t, zap.InfoLevel, "node detached", 1)

		if err := w.Attach(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting @3")
		w.diary.want(t, "hold", "change 2 to 3", "release")
	})
}

func TestDetachRefusals(t *testing.T) {
	cfg := threeNodes()
	cfg.Nodes[1].DisallowToFailover = true
	tests := []struct {
		name string
		dead []config.NodeID
		node config.NodeID
		want error
	}{
		{"the last live node", []config.NodeID{1, 2}, 0, ErrLastNode},
		{"DISALLOW_TO_FAILOVER", nil, 1, ErrDisallowed},
		{"down already", []config.NodeID{2}, 2, ErrNotInService},
		{"no such node", nil, 5, ErrNoSuchNode},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, cfg, tt.dead, func(t *testing.T, w *world) {
				before := w.View()
				if err := w.Detach(t.Context(), tt.node); !errors.Is(err, tt.want) {
					t.Errorf("Detach = %v, want %v", err, tt.want)
				}
				if w.View() != before {
					t.Errorf("view %q", w.View().text())
				}
			})
		})
	}
}

func TestAttachRefusals(t *testing.T) {
	held := errors.New("writers did not finish in time")
	tests := []struct {
		name    string
		barrier error
		dead    []config.NodeID
		node    config.NodeID
		want    error
	}{
		{"does not answer", nil, []config.NodeID{2}, 2, errRefused},
		{"in service already", nil, nil, 1, ErrInService},
		{"no such node", nil, nil, 5, ErrNoSuchNode},
		{"transactions cannot be held", held, nil, 2, held},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, threeNodes(), tt.dead, func(t *testing.T, w *world) {
				w.barrier = fakeBarrier{diary: w.diary, err: tt.barrier}
				if tt.barrier != nil {
					if err := w.Detach(t.Context(), tt.node); err != nil {
						t.Fatal(err)
					}
				}
				before := w.View()
				w.diary.want(t, w.diary.lines...)
				if err := w.Attach(t.Context(), tt.node); !errors.Is(err, tt.want) {
					t.Errorf("Attach = %v, want %v", err, tt.want)
				}
				if w.View() != before {
					t.Errorf("view %q", w.View().text())
				}
				w.diary.want(t)
			})
		})
	}
}

func TestConnectedMakesAWaitingNodeUp(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		w.Connected(t.Context(), 1)
		w.wantView(t, "0 waiting, 1 up, 2 waiting @1")
		before := w.View()
		w.Connected(t.Context(), 1)
		if w.View() != before {
			t.Error("another view for another connection")
		}
		w.diary.want(t)
	})
}

func TestAfterTheEndNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newManager(nil, threeNodes())
		if err := w.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		w.Run(ended) //nolint:errcheck

		ctx := t.Context()
		if _, err := w.Fence(ctx, 1, "late"); !errors.Is(err, ErrStopped) {
			t.Errorf("Fence = %v, want ErrStopped", err)
		}
		if _, _, err := w.Suspect(ctx, 1, errRefused); !errors.Is(err, ErrStopped) {
			t.Errorf("Suspect = %v, want ErrStopped", err)
		}
		if err := w.Detach(ctx, 1); !errors.Is(err, ErrStopped) {
			t.Errorf("Detach = %v, want ErrStopped", err)
		}
		w.wantView(t, "0 waiting, 1 waiting, 2 waiting @1")
	})
}

func TestReportsFromManySessionsAtOnce(t *testing.T) {
	inWorld(t, threeNodes(), nil, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for id := range config.NodeID(3) {
			for range 20 {
				wg.Go(func() { w.Fence(t.Context(), id, "COMMIT refused") })              //nolint:errcheck
				wg.Go(func() { w.Suspect(t.Context(), id, errRefused) })                  //nolint:errcheck
				wg.Go(func() { w.Attach(t.Context(), id); w.View().Live() })              //nolint:errcheck
				wg.Go(func() { w.Detach(t.Context(), id); w.Connected(t.Context(), id) }) //nolint:errcheck
				wg.Go(func() { w.Stats() })
			}
		}
		wg.Wait()
		if len(w.View().Live()) == 0 {
			t.Error("no node is left in service")
		}
	})
}
