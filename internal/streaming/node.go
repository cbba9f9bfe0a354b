package streaming

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// node is what the monitor knows of one node, and who waits for it.
type node struct {
	id   config.NodeID
	link *link

	standing atomic.Pointer[standing]     // stored under Monitor.mu
	reported atomic.Pointer[commandDelay] // by replication_delay_source_cmd; nil: none
	returned time.Time                    // when auto_failback tried last; of Run only
	trying   atomic.Bool                  // auto_failback is under way

	wake chan struct{} // holds a token if somebody waits

	mu      sync.Mutex // guards the field below
	waiting []*waiter
}

// waiter is a session that waits for the node to be fresh as of a moment.
type waiter struct {
	since time.Time
	done  chan struct{} // closed when it is
}

// caught reports whether the node is known to have all commits before since.
func (n *node) caught(since time.Time) bool {
	s := n.standing.Load()
	return !s.fresh.IsZero() && !s.fresh.Before(since)
}

func (n *node) join(since time.Time) *waiter {
	w := &waiter{since: since, done: make(chan struct{})}
	n.mu.Lock()
	n.waiting = append(n.waiting, w)
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
	return w
}

func (n *node) leave(w *waiter) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, other := range n.waiting {
		if other == w {
			n.drop(i)
			return
		}
	}
}

// drop removes the waiter in place i. The order of the others is of no use.
func (n *node) drop(i int) {
	last := len(n.waiting) - 1
	n.waiting[i] = n.waiting[last]
	n.waiting[last] = nil
	n.waiting = n.waiting[:last]
}

// release lets those go on whose moment has come.
func (n *node) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := len(n.waiting) - 1; i >= 0; i-- {
		if n.caught(n.waiting[i].since) {
			close(n.waiting[i].done)
			n.drop(i)
		}
	}
}

// latestNeed is the latest moment that somebody waits for.
func (n *node) latestNeed() (need time.Time, any bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.waiting {
		if w.since.After(need) {
			need = w.since
		}
	}
	return need, len(n.waiting) > 0
}

const (
	// firstPause and lastPause are those between two questions to a standby that
	// somebody waits for. They grow while nothing moves.
	firstPause = time.Millisecond
	lastPause  = 8 * time.Millisecond
	// sampleTime is how long the primary's position is waited for, before the
	// standby is asked without a new one.
	sampleTime = 100 * time.Millisecond
)

// follow asks the node while somebody waits for it, until ctx ends.
func (m *Monitor) follow(ctx context.Context, n *node) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		m.serve(ctx, n)
	}
}

// serve takes the primary's position if somebody needs a newer one, then that of the
// node, until nobody waits any more.
func (m *Monitor) serve(ctx context.Context, n *node) {
	pause, looks := firstPause, 0
	for {
		need, any := n.latestNeed()
		if !any || ctx.Err() != nil {
			return
		}
		before := n.standing.Load().fresh
		m.sample(ctx, need)
		n.link.ask(ctx, question{}) //nolint:errcheck // observe has heard of it
		if n.standing.Load().fresh.After(before) {
			pause, looks = firstPause, 0
		}
		if looks++; looks >= patientLooks && n.standing.Load().stuck {
			m.flush(ctx)
		}
		sleep(ctx, pause)
		pause = min(2*pause, lastPause)
	}
}

// sample asks the primary unless it was asked after the moment already.
func (m *Monitor) sample(ctx context.Context, after time.Time) {
	m.mu.Lock()
	primary := m.node(m.history.primary)
	taken := len(m.history.samples) > 0 && !m.history.latest().last.Add(-m.history.asyncGrace).Before(after)
	m.mu.Unlock()
	if taken || primary == nil || !m.cluster.View().Up(primary.id) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sampleTime)
	defer cancel()
	primary.link.ask(ctx, question{}) //nolint:errcheck // observe has heard of it
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
