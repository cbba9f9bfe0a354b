package replicator

import (
	"context"
	"sync"
)

// Barrier lets writing transactions pass, any number at a time, until somebody
// holds it: then new ones wait at their beginning, and Hold returns once the last
// of those under way has ended. Safe for concurrent use.
type Barrier struct {
	mu      sync.Mutex // guards the fields below
	inside  int
	held    chan struct{} // closed by release; nil while nobody holds
	drained chan struct{} // closed when inside reaches 0 under a hold
}

// NewBarrier returns a barrier that nobody holds.
func NewBarrier() *Barrier { return &Barrier{} }

// Enter begins a writing transaction; it waits while the barrier is held. Every
// Enter without an error is followed by one Leave.
func (b *Barrier) Enter(ctx context.Context) error {
	for {
		b.mu.Lock()
		if b.held == nil {
			b.inside++
			b.mu.Unlock()
			return nil
		}
		held := b.held
		b.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Leave ends a writing transaction.
func (b *Barrier) Leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inside--
	if b.inside == 0 && b.drained != nil {
		close(b.drained)
		b.drained = nil
	}
}

// Hold waits until no writing transaction is under way and keeps new ones waiting
// until release is called. When ctx ends first, nothing is held. Only one holds at
// a time; a second Hold waits for the first.
func (b *Barrier) Hold(ctx context.Context) (release func(), err error) {
	held, drained, err := b.close(ctx)
	if err != nil {
		return nil, err
	}
	release = func() { b.open(held) }
	select {
	case <-drained:
		return release, nil
	case <-ctx.Done():
		release()
		return nil, context.Cause(ctx)
	}
}

// close keeps new transactions out.
func (b *Barrier) close(ctx context.Context) (held, drained chan struct{}, err error) {
	for {
		b.mu.Lock()
		if b.held == nil {
			break
		}
		other := b.held
		b.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
	defer b.mu.Unlock()
	b.held = make(chan struct{})
	drained = make(chan struct{})
	if b.inside == 0 {
		close(drained)
	} else {
		b.drained = drained
	}
	return b.held, drained, nil
}

func (b *Barrier) open(held chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held, b.drained = nil, nil
	close(held)
}
