package replicator

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Order keeps statements apart that could get locks in another order on each node because
// the main node that ordered them is being lost.
//
// When main is lost, a statement that main had executed may still be on its way to the
// others. If another statement now ran on the new main first, each could get a lock first
// on a different node, and wait for the other on the next: a deadlock that no server
// sees. So a statement waits until those that a lost main has ordered have been answered
// everywhere (enter).
//
// And a main that shuts down ends its backends one by one. The locks of one that has ended
// are given to the next, whose statement goes to the others, where it waits for the owner
// that lives on; then that backend ends, and the locks are given to a third. The second
// and the third are on their way at the same time. So a statement that main has answered
// waits for those before it whose connection to main has ended: the server says so before
// it lets go of the locks (follow). Every other statement that is on its way holds what it
// has locked on main, so they do not conflict.
//
// The statements that are waited for wait for nobody but for commits under way
// (replication-correctness 1.3, lemma 2), or for one that waits here. So the wait is
// bounded, and short for a transaction that holds locks. Beyond it a deadlock is possible,
// and to be found: PostgreSQL gives a row that was updated to whoever comes first, not to
// who has waited longest.
//
// One for all sessions; safe for concurrent use. A nil Order orders nothing.
type Order struct {
	under   [config.MaxNodes]atomic.Int32 // statements under each main
	waiting atomic.Int32

	spoke func([]Node) bool

	mu      sync.Mutex
	sent    []Node // main's connections of statements that are on their way to the others
	looked  []Node // memory
	changed sync.Cond
}

// NewOrder returns an Order that nobody waits at. spoke reports whether one of many nodes is not
// Silent; nil to look at them one by one.
func NewOrder(spoke func(nodes []Node) bool) *Order {
	o := &Order{spoke: spoke}
	o.changed.L = &o.mu
	return o
}

// How long a statement waits here: one of a transaction that others may be waiting for,
// and one that nobody can be waiting for. A COPY whose frontend takes its time may be
// under a lost main for longer.
const (
	holderWait    = 300 * time.Millisecond
	newcomersWait = 2 * time.Second
)

func waitOf(holds bool) time.Duration {
	if holds {
		return holderWait
	}
	return newcomersWait
}

// enter begins a statement under the given main. Main is always the lowest live node, so
// only lower numbers have to be looked at: with node 0 as main it costs an addition.
// holds: its transaction may have locks that others wait for.
func (o *Order) enter(main config.NodeID, holds bool) {
	if o == nil {
		return
	}
	o.under[main].Add(1)
	if o.clearBelow(main) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.await(waitOf(holds), func() bool { return o.clearBelow(main) })
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
	if o.under[main].Add(-1) == 0 {
		o.tell()
	}
}

// follow begins to send a statement to the others that main has answered.
func (o *Order) follow(main Node, holds bool) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending(main.ID()) {
		o.await(waitOf(holds), func() bool { return !o.ending(main.ID()) })
	}
	o.sent = append(o.sent, main)
}

// ending reports whether the connection to main of a statement on its way has ended. The
// lock keeps their sessions from reading there.
func (o *Order) ending(main config.NodeID) bool {
	o.looked = o.looked[:0]
	for _, node := range o.sent {
		if node.ID() == main {
			o.looked = append(o.looked, node)
		}
	}
	defer clear(o.looked)
	if o.spoke != nil && len(o.looked) > fewToLookAt {
		return o.spoke(o.looked)
	}
	return slices.ContainsFunc(o.looked, func(node Node) bool { return !node.Silent() })
}

// fewToLookAt is how many connections are looked at one by one.
const fewToLookAt = 2

// arrived ends what follow began: the others have answered.
func (o *Order) arrived(main Node) {
	if o == nil {
		return
	}
	o.mu.Lock()
	if i := slices.Index(o.sent, main); i >= 0 {
		o.sent = slices.Delete(o.sent, i, i+1)
	}
	o.mu.Unlock()
	o.tell()
}

// tell wakes those that wait, if there are any.
func (o *Order) tell() {
	if o.waiting.Load() > 0 {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.changed.Broadcast()
	}
}

// await waits until done reports true, with the lock held, but not for ever.
func (o *Order) await(limit time.Duration, done func() bool) {
	o.waiting.Add(1)
	defer o.waiting.Add(-1)
	deadline := time.Now().Add(limit)
	alarm := time.AfterFunc(limit, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.changed.Broadcast()
	})
	defer alarm.Stop()
	for !done() && time.Now().Before(deadline) {
		o.changed.Wait()
	}
}
