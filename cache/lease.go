package cache

import (
	"sync/atomic"
	"time"
)

// Lease says how long answers of a database may be given out and kept without news of what
// others have written there. A nil Lease always holds: nobody is asked for news.
//
// It is for writers that go around this process, of which somebody else tells (Touch,
// Begin). Safe for concurrent use.
type Lease struct {
	start time.Time
	until atomic.Int64 // time since start
}

// NewLease returns a Lease that does not hold yet.
func NewLease() *Lease { return &Lease{start: time.Now()} }

// Holds costs a load and a look at the clock.
func (l *Lease) Holds() bool {
	return l == nil || int64(time.Since(l.start)) < l.until.Load()
}

// Set makes it hold until a moment. One that has passed ends it.
func (l *Lease) Set(until time.Time) { l.until.Store(int64(until.Sub(l.start))) }

// End makes it hold no longer.
func (l *Lease) End() { l.until.Store(0) }
