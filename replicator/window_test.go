package replicator

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestWindow plays scripts: +s1 a snapshot asks for the window, +c1 a commit does, -s1 it
// has done its work, !s1 its context ends, ~ windowPatience passes, =s1,c1 who is inside.
func TestWindow(t *testing.T) {
	tests := []struct{ name, script string }{
		{"snapshots overlap", "+s1 +s2 =s1,s2 -s1 =s2 -s2 ="},
		{"commits overlap", "+c1 +c2 =c1,c2 -c2 =c1 -c1 ="},
		{"a commit waits for a snapshot", "+s1 +c1 =s1 -s1 =c1"},
		{"a snapshot waits for a commit", "+c1 +s1 =c1 -c1 =s1"},
		{"a commit waits for the last snapshot", "+s1 +s2 +c1 -s1 =s2 -s2 =c1"},
		{"no snapshot joins while a commit waits", "+s1 +c1 +s2 =s1 -s1 =c1 -c1 =s2"},
		{"no commit joins while a snapshot waits", "+c1 +s1 +c2 =c1 -c1 =s1 -s1 =c2"},
		{"all that wait are let in together", "+s1 +c1 +s2 +c2 +s3 +c3 -s1 =c1,c2,c3 -c2 -c1 -c3 =s2,s3"},
		{"who comes later waits for the next turn", "+s1 +c1 +s2 -s1 =c1 +c2 +s3 =c1 -c1 =s2,s3 -s2 -s3 =c2"},
		{"who is inside and leaves late keeps the other group out", "+s1 +c1 +s2 -s1 -c1 =s2 +c2 =s2 -s2 =c2"},
		{"the only one that waited gives up: nobody is next", "+s1 +c1 !c1 =s1 -s1 = +c2 =c2"},
		{"the only one that waited gives up: those behind join", "+s1 +c1 +s2 +s3 !c1 =s1,s2,s3 -s1 -s2 -s3 +c2 =c2"},
		{"one of two that wait gives up: the other keeps his turn", "+s1 +c1 +c2 +s2 !c1 =s1 -s1 =c2 -c2 =s2"},
		{"all that wait give up", "+s1 +c1 +s2 +c2 !c1 !s2 !c2 =s1 -s1 = +c3 =c3"},
		{"a context that ends inside changes nothing", "+s1 +c1 !s1 =s1 -s1 =c1"},
		{"a commit that the one inside may wait for overtakes a snapshot", "+c1 +s1 +c2 =c1 ~ =c1,c2 -c1 =c2 -c2 =s1"},
		{"a snapshot overtakes a commit", "+s1 +c1 +s2 =s1 ~ =s1,s2 -s1 -s2 =c1"},
		{"patience opens nothing to the other group", "+c1 +s1 ~ ~ =c1 -c1 =s1"},
		{"who was patient while the others were inside keeps his turn", "+c1 +s1 +c2 -c1 =s1 ~ =s1 -s1 =c2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newScene(t).play(tt.script) })
		})
	}
}

// scene is a window and those who want inside, by name.
type scene struct {
	t      *testing.T
	window *Window
	guests map[string]*guest

	mu     sync.Mutex // guards inside
	inside []string
}

// guest stays inside until he is sent out.
type guest struct {
	out    chan struct{}
	cancel context.CancelCauseFunc
	err    chan error
}

var errGivesUp = errors.New("gives up")

func newScene(t *testing.T) *scene {
	return &scene{t: t, window: NewWindow(), guests: map[string]*guest{}}
}

// play follows the script and sends out who is still there at its end.
func (s *scene) play(script string) {
	for _, step := range strings.Fields(script) {
		name := step[1:]
		switch step[0] {
		case '+':
			s.come(name)
		case '-':
			close(s.guests[name].out)
		case '!':
			s.guests[name].cancel(errGivesUp)
		case '~':
			time.Sleep(windowPatience)
		}
		synctest.Wait()
		if step[0] == '=' {
			s.want(name)
		}
	}
	s.end(script)
}

func (s *scene) come(name string) {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	g := &guest{out: make(chan struct{}), cancel: cancel, err: make(chan error, 1)}
	s.guests[name] = g
	enter := s.window.Snapshot
	if name[0] == 'c' {
		enter = s.window.Commit
	}
	go func() {
		g.err <- enter(ctx, func() {
			s.note(func() { s.inside = append(s.inside, name) })
			<-g.out
			s.note(func() { s.inside = slices.DeleteFunc(s.inside, func(it string) bool { return it == name }) })
		})
	}()
}

func (s *scene) note(what func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what()
}

func (s *scene) want(names string) {
	s.t.Helper()
	s.note(func() {
		slices.Sort(s.inside)
		if got := strings.Join(s.inside, ","); got != names {
			s.t.Fatalf("inside are %q, want %q", got, names)
		}
	})
}

// end waits for all: only those who gave up while they waited have got an error.
func (s *scene) end(script string) {
	for name, g := range s.guests {
		if !strings.Contains(script, "-"+name) {
			close(g.out)
		}
	}
	for name, g := range s.guests {
		gaveUp := strings.Contains(script, "!"+name) && !strings.Contains(script, "-"+name)
		if err := <-g.err; errors.Is(err, errGivesUp) != gaveUp {
			s.t.Errorf("%s: error %v", name, err)
		}
		g.cancel(nil)
	}
	wantEmpty(s.t, s.window)
}

// wantEmpty: nobody is inside, nobody waits.
func wantEmpty(t *testing.T, w *Window) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside != 0 || w.waiting[snapshots] != nil || w.waiting[commits] != nil {
		t.Errorf("%d are inside, %v wait", w.inside, w.waiting)
	}
}

func TestWindowIsLeftHoweverTheWorkEnds(t *testing.T) {
	tests := []struct {
		name string
		work func()
	}{
		{"by a panic", func() { panic("a bug") }},
		{"by the end of its goroutine", runtime.Goexit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, done := NewWindow(), make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_ = w.Commit(t.Context(), tt.work)
			}()
			<-done
			wantEmpty(t, w)
		})
	}
}

func TestNoWindowKeepsNobodyApart(t *testing.T) {
	var w *Window
	ran := 0
	err := w.Snapshot(t.Context(), func() {
		if err := w.Commit(t.Context(), func() { ran++ }); err != nil {
			t.Error(err)
		}
	})
	if err != nil || ran != 1 {
		t.Errorf("error %v, ran %d times", err, ran)
	}
}

// TestWindowUnderLoad: many at once, some of whom give up, never meet the other group.
func TestWindowUnderLoad(t *testing.T) {
	w := NewWindow()
	var inside [2]atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		g := group(i % 2)
		all.Go(func() {
			for turn := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if turn%5 == 0 {
					go cancel()
				}
				_ = w.run(ctx, g, nil, func() {
					inside[g].Add(1)
					if n := inside[g.other()].Load(); n > 0 {
						t.Errorf("%d of the other group are inside", n)
					}
					runtime.Gosched()
					inside[g].Add(-1)
				})
				cancel()
			}
		})
	}
	all.Wait()
	wantEmpty(t, w)
}

// TestWindowIsFair lets them ask, leave, give up and overtake in any order. Nobody waits
// without a reason, and nobody is passed by more than one batch of the other group.
func TestWindowIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := queue{w: NewWindow()}
		t.Repeat(map[string]func(*rapid.T){
			"snapshot":  func(*rapid.T) { line.ask(snapshots) },
			"commit":    func(*rapid.T) { line.ask(commits) },
			"leave":     line.leave,
			"give up":   line.giveUp,
			"overtakes": line.overtake,
			"":          line.check,
		})
	})
}

// queue follows one window from outside, with no goroutine: those inside are a number,
// those who wait are known one by one.
type queue struct {
	w       *Window
	inside  int
	turn    group
	waiting []*waiter
}

type waiter struct {
	group  group
	batch  *batch
	passed int // batches of the other group that were let in meanwhile
}

func (q *queue) ask(g group) {
	if b := q.w.ask(g); b != nil {
		q.waiting = append(q.waiting, &waiter{group: g, batch: b})
		return
	}
	q.inside++
	q.turn = g
}

func (q *queue) leave(t *rapid.T) {
	if q.inside == 0 {
		t.Skip("nobody is inside")
	}
	q.w.leave()
	q.inside--
	q.letIn(t)
}

func (q *queue) giveUp(t *rapid.T) {
	it := q.draw(t)
	if !q.w.withdraw(it.group, it.batch) {
		t.Fatal("was inside and did not know")
	}
	q.drop(it)
	q.letIn(t)
}

func (q *queue) overtake(t *rapid.T) {
	it := q.draw(t)
	if q.w.overtake(it.group, it.batch) != (it.group == q.turn) {
		t.Fatal("met the other group, or did not join his own")
	}
	if it.group == q.turn {
		q.drop(it)
		q.inside++
	}
	q.letIn(t)
}

func (q *queue) draw(t *rapid.T) *waiter {
	if len(q.waiting) == 0 {
		t.Skip("nobody waits")
	}
	return rapid.SampledFrom(q.waiting).Draw(t, "waiter")
}

func (q *queue) drop(it *waiter) {
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool { return w == it })
}

// letIn moves those inside whose batch was admitted.
func (q *queue) letIn(t *rapid.T) {
	var in, still []*waiter
	for _, it := range q.waiting {
		select {
		case <-it.batch.admitted:
			in = append(in, it)
		default:
			still = append(still, it)
		}
	}
	if len(in) == 0 {
		return
	}
	g := in[0].group
	q.wantInside(t, in)
	if q.inside > 0 && q.turn != g {
		t.Fatal("let in on top of the other group")
	}
	for _, it := range still {
		if it.group == g {
			t.Fatal("left behind by his own group")
		}
		if q.turn != g {
			it.passed++
		}
	}
	q.inside, q.turn, q.waiting = q.inside+len(in), g, still
}

// wantInside: to lose patience or give up changes nothing for those who are inside.
func (q *queue) wantInside(t *rapid.T, in []*waiter) {
	before := q.w.inside
	for _, it := range in {
		if q.w.withdraw(it.group, it.batch) || !q.w.overtake(it.group, it.batch) || q.w.inside != before {
			t.Fatal("was let in and did not know")
		}
	}
}

func (q *queue) check(t *rapid.T) {
	if q.w.inside != q.inside || q.inside > 0 && q.w.turn != q.turn {
		t.Fatalf("the window has %d inside, of group %d; really %d of group %d", q.w.inside, q.w.turn, q.inside, q.turn)
	}
	other := slices.ContainsFunc(q.waiting, func(it *waiter) bool { return it.group != q.turn })
	for _, it := range q.waiting {
		switch {
		case q.inside == 0:
			t.Fatal("waits before an empty window")
		case !other:
			t.Fatal("waits for his own group")
		case it.passed > 1:
			t.Fatalf("passed by %d batches of the other group", it.passed)
		}
	}
}
