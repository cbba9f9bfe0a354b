package replicator

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Order keeps statements that one main node has ordered apart from those that the next
// one orders. When main is lost, a statement that main had executed may still be on its
// way to the others. If another statement now ran on the new main first, each could
// get a lock first on a different node, and wait for the other on the next: a deadlock
// that no server sees. So a statement waits until those that a lost main has ordered
// have been answered everywhere. They wait for nobody but for commits under way
// (replication-correctness 1.3, lemma 2), so that takes a moment.
//
// Main is always the lowest live node, so only lower numbers have to be looked at: with
// node 0 as main it costs two atomic additions. One for all sessions; safe for
// concurrent use. A nil Order orders nothing.
type Order struct {
	under   [config.MaxNodes]atomic.Int32 // statements under each main
	waiting atomic.Int32

	mu      sync.Mutex
	drained sync.Cond
}

// NewOrder returns an Order that nobody waits at.
func NewOrder() *Order {
	o := &Order{}
	o.drained.L = &o.mu
	return o
}

// maxOrderWait bounds the wait, which may be for a statement that waits for a lock of the one
// that waits here; and a COPY whose frontend takes its time may be under a
// lost main for long.
const maxOrderWait = 300 * time.Millisecond

// enter begins a statement under the given main.
func (o *Order) enter(main config.NodeID) {
	if o == nil {
		return
	}
	o.under[main].Add(1)
	if o.clearBelow(main) {
		return
	}
	o.waiting.Add(1)
	defer o.waiting.Add(-1)
	deadline := time.Now().Add(maxOrderWait)
	alarm := time.AfterFunc(maxOrderWait, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.drained.Broadcast()
	})
	defer alarm.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.clearBelow(main) && time.Now().Before(deadline) {
		o.drained.Wait()
	}
}

// clearBelow reports whether no statement is under a main with a lower number.
func (o *Order) clearBelow(main config.NodeID) bool {
	for id := range main {
		if o.under[id].Load() > 0 {
			return false
		}
	}
	return true
}

// leave ends a statement: it was answered everywhere, or its main was lost before it
// had answered.
func (o *Order) leave(main config.NodeID) {
	if o == nil {
		return
	}
	if o.under[main].Add(-1) == 0 && o.waiting.Load() > 0 {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.drained.Broadcast()
	}
}
