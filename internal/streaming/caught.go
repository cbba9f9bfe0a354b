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
