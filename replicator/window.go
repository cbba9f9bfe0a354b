package replicator

import (
	"context"
	"sync"
	"time"
)

// Window keeps the taking of snapshots and commits apart, as groups: any number of
// snapshots may overlap, any number of commits may, but never one of each. So a
// snapshot that is taken on several nodes shows the same transactions on each of them
// (replication-correctness 1.7). For clustering mode snapshot_isolation.
//
// The groups take turns: once somebody of the other group waits, nobody joins the one
// that is inside, and when its last member has left, all that wait of the other one
// are let in together. One for all sessions; safe for concurrent use. A nil Window
// keeps nothing apart.
type Window struct {
	mu      sync.Mutex // guards the fields below
	inside  int
	turn    group     // of those inside; without meaning when there are none
	waiting [2]*batch // by group; nil when none of it waits
}

// group is what somebody wants inside for.
type group uint8

const (
	snapshots group = iota
	commits
)

func (g group) other() group { return 1 - g }

// batch is those of one group who wait and will be let in together.
type batch struct {
	size     int
	admitted chan struct{} // closed, under the Window's lock, when they are let in
}

// windowPatience is how long somebody waits for the other group's turn before joining
// the own group, if that is inside. COMMIT may wait for a lock (a deferred constraint
// looks for its row), whose owner must be able to commit too: with a snapshot waiting
// between them all three would wait for ever. As long as PostgreSQL waits before it
// looks for a deadlock (deadlock_timeout).
const windowPatience = time.Second

// NewWindow returns a window that nobody is inside of.
func NewWindow() *Window { return &Window{} }

// Snapshot calls take while no commit is under way. ctx bounds the wait only; its end
// is the error that comes back, and take was not called then.
//
// What take does must not wait for anybody but the nodes, nor use the Window.
func (w *Window) Snapshot(ctx context.Context, take func()) error {
	return w.run(ctx, snapshots, nil, take)
}

// Commit calls commit while nobody takes a snapshot. As with Snapshot, ctx bounds the
// wait, and commit must wait for nobody but the nodes.
func (w *Window) Commit(ctx context.Context, commit func()) error {
	return w.run(ctx, commits, nil, commit)
}

// Bound makes the context that bounds a wait; stop is called behind the wait.
type Bound func(ctx context.Context) (bounded context.Context, stop func())

// run is the only way in, so that everybody leaves once, also by a panic. bound, if it is not
// nil, is called when there is something to wait for, which is seldom.
func (w *Window) run(ctx context.Context, g group, bound Bound, do func()) error {
	if w != nil {
		if err := w.enter(ctx, g, bound); err != nil {
			return err
		}
		defer w.leave()
	}
	do()
	return nil
}

func (w *Window) enter(ctx context.Context, g group, bound Bound) error {
	b := w.ask(g)
	if b == nil {
		return nil
	}
	if bound != nil {
		bounded, stop := bound(ctx)
		defer stop()
		ctx = bounded
	}
	return w.await(ctx, g, b)
}

func (w *Window) await(ctx context.Context, g group, b *batch) error {
	patience := time.NewTimer(windowPatience)
	defer patience.Stop()
	for {
		select {
		case <-b.admitted:
			return nil
		case <-patience.C:
			// Once is enough: with the other group inside, b is next.
			if w.overtake(g, b) {
				return nil
			}
		case <-ctx.Done():
			if w.withdraw(g, b) {
				return context.Cause(ctx)
			}
			return nil
		}
	}
}

// ask lets somebody in at once, or returns the batch that he waits with.
func (w *Window) ask(g group) *batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inside == 0 || w.turn == g && w.waiting[g.other()] == nil {
		w.turn = g
		w.inside++
		return nil
	}
	if w.waiting[g] == nil {
		w.waiting[g] = &batch{admitted: make(chan struct{})}
	}
	w.waiting[g].size++
	return w.waiting[g]
}

// leave gives the turn to the other group behind the last one inside. If nobody of it
// waits then nobody waits at all.
func (w *Window) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inside--
	if w.inside == 0 {
		w.admit(w.turn.other())
	}
}

// admit lets in all who wait of a group.
func (w *Window) admit(g group) {
	if b := w.waiting[g]; b != nil {
		w.waiting[g] = nil
		w.turn = g
		w.inside += b.size
		close(b.admitted)
	}
}

// overtake lets one of the batch join its group, if that is inside; also when all of
// the batch have been let in.
func (w *Window) overtake(g group, b *batch) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[g] != b {
		return true
	}
	if w.turn != g {
		return false
	}
	w.inside++
	w.remove(g)
	return true
}

// withdraw takes one of the batch out; false when it has been let in before. Whoever
// waited only because the other group did need not wait any longer.
func (w *Window) withdraw(g group, b *batch) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[g] != b {
		return false
	}
	w.remove(g)
	if w.waiting[g] == nil && w.turn == g.other() {
		w.admit(g.other())
	}
	return true
}

func (w *Window) remove(g group) {
	w.waiting[g].size--
	if w.waiting[g].size == 0 {
		w.waiting[g] = nil
	}
}
