package streaming

import (
	"context"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Caught reports whether a standby has replayed everything that was committed on
// the primary before since, a reading of this process's monotonic clock taken after
// the commit was acknowledged. What is known already costs no I/O. Otherwise the
// positions of both are looked at until they say so or wait is over; with 0 they are
// not. Thousands of sessions may wait for one node.
//
// The primary has everything. False is no proof of the contrary: nothing may be
// known of the node.
func (m *Monitor) Caught(ctx context.Context, id config.NodeID, since time.Time, wait time.Duration) bool {
	if primary, ok := m.cluster.View().Main(); ok && primary == id {
		return true
	}
	n := m.node(id)
	if n == nil {
		return false
	}
	if n.caught(since) {
		return true
	}
	return wait > 0 && m.await(ctx, n, since, wait)
}

func (m *Monitor) await(ctx context.Context, n *node, since time.Time, wait time.Duration) bool {
	over := time.NewTimer(wait)
	defer over.Stop()
	w := n.join(since)
	select {
	case <-w.done:
		return true
	case <-over.C:
	case <-ctx.Done():
	}
	n.leave(w)
	return n.caught(since)
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
