package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/pgchorus/pgchorus/internal/config"
)

var errRefused = errors.New("connection refused")

// fakeProber answers as the test says and counts.
type fakeProber struct {
	mu    sync.Mutex
	dead  map[config.NodeID]error         // why the node is dead, if it is
	hangs map[config.NodeID]bool          // it accepts, and says nothing
	takes map[config.NodeID]time.Duration // how long an answer takes
	tries map[config.NodeID]int
}

func (p *fakeProber) Probe(ctx context.Context, n NodeConfig) error {
	p.mu.Lock()
	p.tries[n.ID]++
	hangs, takes := p.hangs[n.ID], p.takes[n.ID]
	p.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if !sleep(ctx, takes) {
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead[n.ID]
}

func (p *fakeProber) kill(ids ...config.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.dead[id] = errRefused
	}
}

func (p *fakeProber) revive(ids ...config.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		delete(p.dead, id)
		delete(p.hangs, id)
	}
}

func (p *fakeProber) hang(id config.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangs[id] = true
}

func (p *fakeProber) slow(id config.NodeID, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes[id] = d
}

func (p *fakeProber) count(id config.NodeID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tries[id]
}

// fakeBarrier notes when it was held and released.
type fakeBarrier struct {
	diary *diary
	err   error
}

func (b fakeBarrier) Hold(context.Context) (func(), error) {
	if b.err != nil {
		return nil, b.err
	}
	b.diary.add("hold")
	return func() { b.diary.add("release") }, nil
}

// diary collects what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// want compares and starts a new page.
func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("happened: %q, want %q", d.lines, want)
	}
	d.lines = nil
}

// world is a manager with everything around it faked but the status file.
type world struct {
	*Manager
	prober *fakeProber
	diary  *diary
	logs   *observer.ObservedLogs
}

// threeNodes is a configuration with the health check off.
func threeNodes() Config {
	cfg := Config{FailoverOnBackendError: true}
	for id := range config.NodeID(3) {
		cfg.Nodes = append(cfg.Nodes, NodeConfig{ID: id, Host: fmt.Sprintf("host%d", id), Port: 5432, ConnectTimeout: 10 * time.Second})
	}
	return cfg
}

// withHealthCheck gives every node the same.
func withHealthCheck(cfg Config, hc HealthCheck) Config {
	cfg.Nodes = slices.Clone(cfg.Nodes)
	for i := range cfg.Nodes {
		cfg.Nodes[i].HealthCheck = hc
	}
	return cfg
}

func newManager(file *StatusFile, cfg Config) *world {
	d := &diary{}
	p := &fakeProber{
		dead: map[config.NodeID]error{}, hangs: map[config.NodeID]bool{},
		takes: map[config.NodeID]time.Duration{}, tries: map[config.NodeID]int{},
	}
	core, logs := observer.New(zapcore.InfoLevel)
	onChange := func(old, new *View) { d.add(fmt.Sprintf("change %d to %d", old.Epoch, new.Epoch)) }
	return &world{NewManager(cfg, p, fakeBarrier{diary: d}, file, zap.New(core), onChange), p, d, logs}
}

// inWorld runs a test in a bubble of its own time, in which a manager with the nodes
// that are not dead has been started. The bubble's end fails the test if a goroutine
// of the manager is left.
func inWorld(t *testing.T, cfg Config, dead []config.NodeID, test func(t *testing.T, w *world)) {
	t.Helper()
	file := NewStatusFile(filepath.Join(t.TempDir(), "pgpool_status"))
	inWorldWith(t, file, cfg, dead, test)
}

func inWorldWith(t *testing.T, file *StatusFile, cfg Config, dead []config.NodeID, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newManager(file, cfg)
		w.prober.kill(dead...)
		if err := w.Init(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.diary.mu.Lock()
		w.diary.lines = nil // what Init did is for the tests of Init
		w.diary.mu.Unlock()

		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- w.Run(ctx) }()
		test(t, w)
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}

func (w *world) wantView(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := w.View().text(); got != want {
		t.Errorf("view %q, want %q", got, want)
	}
}

func (w *world) wantLogged(t *testing.T, level zapcore.Level, message string, count int) {
	t.Helper()
	synctest.Wait()
	got := w.logs.FilterMessage(message).FilterLevelExact(level).Len()
	if got != count {
		var all []string
		for _, e := range w.logs.All() {
			all = append(all, fmt.Sprint(e.Level, " ", e.Message, " ", e.ContextMap()))
		}
		t.Errorf("%q was logged %d times at %v, want %d; log:\n%s", message, got, level, count, strings.Join(all, "\n"))
	}
}
