package streaming

import (
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
