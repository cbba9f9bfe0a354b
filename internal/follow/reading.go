package follow

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pgchorus/pgchorus/cache"
)

const (
	// maxPending is how many transactions may wait for being seen by others, beyond which
	// the stream waits.
	maxPending = 1024
	// firstLook and maxLook are the time between two looks at a transaction that others
	// cannot see yet.
	firstLook = time.Millisecond
	maxLook   = 100 * time.Millisecond
	// beats is how often in the time of the allowed delay a node is asked how far it is.
	beats = 4
)

// reading is one life of a stream. One goroutine reads it and marks what was changed as
// being written; run ends that when others see it.
type reading struct {
	l  *link
	at *asker
	s  *stream
	gatherer

	commits chan pending  // by the reader
	moved   chan struct{} // by the reader: position or asked has changed
	failed  chan error    // by the reader, at its end
	// position is up to where the stream was read, asked that the node wants a status.
	position atomic.Uint64
	asked    atomic.Bool

	waiting []pending
	pause   time.Duration // before the next look at them
	// first is greater than all transactions that were under way when the stream began;
	// started: they have ended.
	first   uint64
	started bool
	// goal is a position that the stream has not reached yet, if aims; pushed: it was
	// flushed for that.
	goal         sight
	aims, pushed bool
}

// pending is a transaction that was decoded.
type pending struct {
	xid   uint32
	whole bool // definitions may have changed
	write cache.Write
}

func newReading(l *link, at *asker, s *stream) *reading {
	c := l.f.Cache
	r := &reading{
		l: l, at: at, s: s, commits: make(chan pending, maxPending), moved: make(chan struct{}, 1), failed: make(chan error, 1), pause: firstLook,
		gatherer: gatherer{
			slotOf: func(relation string) cache.Slot { return c.Name(l.database.name, relation) },
			whole:  c.Database(l.database.name), utf8: at.utf8,
		},
	}
	if l.f.Epoch != 0 {
		r.mark = fmt.Appendf(nil, " epoch[bigint]:%d ", l.f.Epoch)
	}
	return r
}

// run reads until the stream or ctx ends.
func (r *reading) run(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.failed <- r.read(ctx)
	}()
	err := r.settle(ctx)
	r.s.close()
	r.giveUp(ended)
	return err
}

// giveUp ends what was marked: whoever follows next makes everything worthless.
func (r *reading) giveUp(ended <-chan struct{}) {
	for {
		select {
		case p := <-r.commits:
			r.waiting = append(r.waiting, p)
			continue
		case <-ended:
		}
		break
	}
	for len(r.commits) > 0 {
		r.waiting = append(r.waiting, <-r.commits)
	}
	for _, p := range r.waiting {
		p.write.End(true)
	}
}

// read is the goroutine that reads the stream.
func (r *reading) read(ctx context.Context) error {
	for {
		n, err := r.s.read()
		if err != nil {
			return err
		}
		if n.line == nil {
			r.position.Store(max(r.position.Load(), n.position))
			r.asked.Store(r.asked.Load() || n.asks)
			r.wake()
			continue
		}
		l, ok := readLine(n.line)
		if !ok {
			return fmt.Errorf("a line that test_decoding does not write: %.20q", n.line)
		}
		r.take(l)
		if l.kind == kindCommit {
			r.committed(l.xid)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func (r *reading) wake() {
	select {
	case r.moved <- struct{}{}:
	default: // run is going to look
	}
}

// committed marks what a transaction has changed, from where on nothing of it is given out.
func (r *reading) committed(xid uint32) {
	if slots := r.changed(); len(slots) > 0 {
		r.commits <- pending{xid: xid, whole: r.tx.whole, write: r.l.f.Cache.Begin(slots)}
	}
}

// settle does what is to be done beside reading.
func (r *reading) settle(ctx context.Context) (err error) {
	if r.first, err = r.at.newest(ctx); err != nil {
		return err
	}
	beat := time.NewTicker(r.l.f.Delay / beats)
	defer beat.Stop()
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-r.failed:
			return err
		case p := <-r.commits:
			r.waiting = append(r.waiting, p)
			err = r.look(ctx)
		case <-look.C:
			err = r.look(ctx)
		case <-beat.C:
			err = r.beat(ctx)
		case <-r.moved:
			err = r.arrive()
		}
		if err != nil {
			return err
		}
		if len(r.waiting) > 0 {
			look.Reset(r.pause)
		}
	}
}

// beat asks the node how far it is.
func (r *reading) beat(ctx context.Context) error {
	if r.aims && !r.pushed && time.Since(r.goal.at) > r.l.f.Delay/beats {
		r.pushed = true
		if err := r.at.flush(ctx); err != nil {
			return err
		}
	}
	if err := r.s.status(r.position.Load()); err != nil {
		return err
	}
	return r.look(ctx)
}

// look ends what others see by now.
func (r *reading) look(ctx context.Context) error {
	for len(r.commits) > 0 {
		r.waiting = append(r.waiting, <-r.commits)
	}
	now, err := r.at.look(ctx)
	if err != nil {
		return err
	}
	r.end(now.snapshot)
	if !r.started && now.xmin >= r.first {
		r.started = true
		r.l.f.makeWorthless(r.l.database.name)
	}
	if r.started && !r.aims {
		r.goal, r.aims, r.pushed = now, true, false
	}
	return r.arrive()
}

// end ends the writes that everybody sees.
func (r *reading) end(seen snapshot) {
	left := r.waiting[:0]
	for _, p := range r.waiting {
		if !seen.ended(p.xid) {
			left = append(left, p)
			continue
		}
		if p.whole {
			r.l.f.Forget(r.l.database.name)
		}
		p.write.End(true)
	}
	if len(left) < len(r.waiting) {
		r.pause = firstLook
	} else {
		r.pause = min(2*r.pause, maxLook)
	}
	clear(r.waiting[len(left):])
	r.waiting = left
}

// arrive looks whether the stream has come to the goal: then everything is known that was
// committed before the goal was set.
func (r *reading) arrive() error {
	position := r.position.Load()
	if r.aims && position >= r.goal.position {
		r.aims = false
		r.l.gain(r.goal.at)
	}
	if r.asked.Swap(false) {
		return r.s.status(position)
	}
	return nil
}
