package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// flightShards parts the table of flights, so that sessions seldom meet at a lock.
const flightShards = 64

// unfitSlots is how many keys are remembered whose answers cannot be kept.
const unfitSlots = 1 << 12

// Patience is how long a session waits for another one's answer: a frontend that does not
// read must not keep others from theirs.
const Patience = 5 * time.Second

// Flights are the reads under way whose answers will be kept. Of many sessions that miss
// the same answer one asks for it, and the others wait. Safe for concurrent use.
type Flights struct {
	shards [flightShards]flightShard
	// unfit are hashes of keys whose answer could not be kept when it last came.
	unfit [unfitSlots]atomic.Uint64
}

type flightShard struct {
	mu   sync.Mutex               // guards open
	open map[uint64]chan struct{} // by hash, reads under way; nil while nobody waits for one
}

// NewFlights returns an empty table.
func NewFlights() *Flights { return &Flights{} }

// Join returns the flight of a key that is under way, closed when it has ended, or begins
// one and returns nil: the caller has to call Land. ok is false if the key's answer would
// not be kept, so that there is nothing to wait for nor to end.
func (f *Flights) Join(hash uint64) (other <-chan struct{}, ok bool) {
	if f.unfit[hash%unfitSlots].Load() == hash {
		return nil, false
	}
	sh := &f.shards[hash%flightShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	done, flying := sh.open[hash]
	switch {
	case !flying && sh.open == nil:
		sh.open = map[uint64]chan struct{}{hash: nil}
	case !flying:
		sh.open[hash] = nil
	case done == nil:
		done = make(chan struct{})
		sh.open[hash] = done
	}
	return done, true
}

// Awaited reports whether somebody waits for the end of the flight of a key.
func (f *Flights) Awaited(hash uint64) bool {
	sh := &f.shards[hash%flightShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.open[hash] != nil
}

// Land ends a flight. fits is false if the answer is one that cannot be kept, such as one
// that is too long. settle is called if somebody waits.
func (f *Flights) Land(hash uint64, fits bool, settle func()) {
	if !fits {
		f.unfit[hash%unfitSlots].Store(hash)
	}
	sh := &f.shards[hash%flightShards]
	sh.mu.Lock()
	waiters := sh.open[hash]
	delete(sh.open, hash)
	sh.mu.Unlock()
	if waiters != nil {
		settle()
		close(waiters)
	}
}

// Fits forgets that the key's answer could not be kept: it has become shorter.
func (f *Flights) Fits(hash uint64) { f.unfit[hash%unfitSlots].CompareAndSwap(hash, 0) }

// Await waits until a flight has ended, for Patience at most.
func Await(ctx context.Context, flight <-chan struct{}) {
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	select {
	case <-flight:
	case <-limit.C:
	case <-ctx.Done():
	}
}
