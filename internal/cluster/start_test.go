package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
)

func TestStart(t *testing.T) {
	const none = "-"
	tests := []struct {
		name string
		file string // "-": there is none
		dead []config.NodeID
		want string
		now  string // the file afterwards
	}{
		{"the first time", none, nil, "0 waiting, 1 waiting, 2 waiting @1", "up\nup\nup\n"},
		{"all were up", "up\nup\nup\n", nil, "0 up, 1 up, 2 up @1", "up\nup\nup\n"},
		{"one was down and answers", "up\ndown\nup\n", nil, "0 up, 1 down, 2 up @1", "up\ndown\nup\n"},
		{"one was up and is dead", "up\nup\nup\n", []config.NodeID{0}, "0 down, 1 up, 2 up @1", "down\nup\nup\n"},
		{"all were down", "down\ndown\ndown\n", nil, "0 waiting, 1 waiting, 2 waiting @1", "up\nup\nup\n"},
		{"a node more than the file knows", "up\nup\n", nil, "0 up, 1 up, 2 unused @1", "up\nup\nunused\n"},
		{"all are dead", none, []config.NodeID{0, 1, 2}, "0 down, 1 down, 2 down @0", none},
		{"all that were up are dead", "down\nup\nup\n", []config.NodeID{1, 2}, "0 down, 1 down, 2 down @0", "down\nup\nup\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pgpool_status")
			if tt.file != none {
				writeFile(t, path, tt.file)
			}
			w := newManager(NewStatusFile(path), threeNodes())
			if len(w.View().Live()) != 0 {
				t.Errorf("view before the first probe: %q", w.View().text())
			}
			w.prober.kill(tt.dead...)
			if err := w.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := w.View().text(); got != tt.want {
				t.Errorf("view %q, want %q", got, tt.want)
			}
			now := none
			if _, err := os.Stat(path); err == nil {
				now = readFile(t, path)
			}
			if now != tt.now {
				t.Errorf("status file %q, want %q", now, tt.now)
			}
		})
	}
}

func TestStartDiscardsTheStatusFileIfAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pgpool_status")
	writeFile(t, path, "up\ndown\nup\n")
	cfg := threeNodes()
	cfg.DiscardStatus = true
	w := newManager(NewStatusFile(path), cfg)
	if err := w.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.View().text(); got != "0 waiting, 1 waiting, 2 waiting @1" {
		t.Errorf("view %q", got)
	}
}

func TestStartRefusesAStatusFileThatItCannotRead(t *testing.T) {
	w := newManager(NewStatusFile(t.TempDir()), threeNodes()) // a folder
	if err := w.Init(t.Context()); err == nil || len(w.View().Live()) != 0 {
		t.Errorf("Init = %v, view %q: a node that was fenced might be in service", err, w.View().text())
	}
}

func TestStartSaysHowManyLinesItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pgpool_status")
	writeFile(t, path, "up\nnonsense\nup\n")
	w := newManager(NewStatusFile(path), threeNodes())
	if err := w.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.View().text(); got != "0 up, 1 unused, 2 up @1" {
		t.Errorf("view %q", got)
	}
	w.logs = w.logs.FilterMessage("invalid data in status file, ignoring...")
	if w.logs.Len() != 1 {
		t.Errorf("%d log lines, want 1", w.logs.Len())
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newManager(nil, threeNodes())
		w.prober.hang(1)
		stop := errors.New("stopped while starting")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, stop)
		defer cancel()
		if err := w.Init(ctx); !errors.Is(err, stop) || len(w.View().Live()) != 0 {
			t.Errorf("Init = %v, view %q", err, w.View().text())
		}
	})
}

func TestFirstNodesToAnswerComeUpByThemselves(t *testing.T) {
	all := []config.NodeID{0, 1, 2}
	inWorld(t, threeNodes(), all, func(t *testing.T, w *world) {
		time.Sleep(25 * time.Second)
		w.wantView(t, "0 down, 1 down, 2 down @0")
		w.wantLogged(t, zap.ErrorLevel, "no node can be taken into service, trying again", 1)

		w.prober.revive(1, 2)
		time.Sleep(startRetry)
		w.wantView(t, "0 down, 1 waiting, 2 waiting @1")
		w.diary.want(t, "change 0 to 1")

		w.prober.revive(0)
		probes := w.prober.count(0)
		time.Sleep(time.Hour)
		w.wantView(t, "0 down, 1 waiting, 2 waiting @1")
		if w.prober.count(0) != probes {
			t.Error("the start rounds went on after the first node was in service")
		}
	})
}

func TestNodeThatWasDownDoesNotComeUpByItselfThoughNoneElseDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pgpool_status")
	writeFile(t, path, "up\ndown\nup\n")
	inWorldWith(t, NewStatusFile(path), threeNodes(), []config.NodeID{0, 2}, func(t *testing.T, w *world) {
		time.Sleep(time.Minute)
		w.wantView(t, "0 down, 1 down, 2 down @0")
		if err := w.Attach(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		w.prober.revive(0, 2)
		time.Sleep(time.Minute)
		w.wantView(t, "0 down, 1 waiting, 2 down @1")
	})
}

func TestStartWaitsForNodesThatAreLate(t *testing.T) {
	tests := []struct {
		name string
		late time.Duration
		want string
	}{
		{"ready in time", 4500 * time.Millisecond, "0 waiting, 1 waiting, 2 waiting @1"},
		{"too late", 15 * time.Second, "0 waiting, 1 down, 2 waiting @1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := threeNodes()
				cfg.StartWait = 10 * time.Second
				w := newManager(nil, cfg)
				w.prober.kill(1)
				time.AfterFunc(tt.late, func() { w.prober.revive(1) })
				began := time.Now()
				if err := w.Init(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := w.View().text(); got != tt.want {
					t.Errorf("view %q, want %q", got, tt.want)
				}
				if took, most := time.Since(began), min(tt.late+startRetry, cfg.StartWait); took > most {
					t.Errorf("the start took %v, want at most %v", took, most)
				}
				if n := w.prober.count(0); n != 1 {
					t.Errorf("a node that had answered was probed %d times", n)
				}
				time.Sleep(time.Minute) // the late one's timer is of this bubble
			})
		})
	}
}
