package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// watch is the health check of one node: a round, then a pause of
// health_check_period, until ctx ends.
func (m *Manager) watch(ctx context.Context, id config.NodeID) {
	for {
		s := m.settings.Load()
		n, _ := s.node(id)
		due, ok := pause(ctx, n.HealthCheck.Period, s.replaced)
		if !ok {
			return
		}
		if due {
			m.round(ctx, n)
		}
	}
}

// pause waits for the time, or for ever if it is 0, and says whether it is over or
// only the settings have changed. It is not ok when ctx has ended.
func pause(ctx context.Context, d time.Duration, replaced <-chan struct{}) (due, ok bool) {
	var over <-chan time.Time
	if d > 0 {
		over = time.After(d)
	}
	select {
	case <-over:
		return true, true
	case <-replaced:
		return false, true
	case <-ctx.Done():
		return false, false
	}
}

// round checks the node once, with its retries, and reports it if all fail. A node
// that is out of service is skipped: its answer would change nothing.
func (m *Manager) round(ctx context.Context, n NodeConfig) {
	v := m.View()
	if !v.Up(n.ID) {
		m.count(n.ID, skipped())
		return
	}
	began := time.Now()
	retries, err := m.try(ctx, n)
	if ctx.Err() != nil {
		return
	}
	m.count(n.ID, checked(retries, time.Since(began), err))
	if err == nil {
		return
	}
	reason := fmt.Sprintf("health check: %v (%d retries)", err, retries)
	m.submit(ctx, Event{Kind: NotAnswering, Node: n.ID, Reason: reason, Seen: v.Epoch}) //nolint:errcheck // nobody to tell: ctx has ended
}

// try probes until the node answers, the retries are used up, or there is no point
// any more because somebody else has detached the node.
func (m *Manager) try(ctx context.Context, n NodeConfig) (retries int, err error) {
	for {
		err = m.probe(ctx, n, n.probeTimeout())
		if err == nil || retries >= n.HealthCheck.MaxRetries || !m.View().Up(n.ID) {
			return retries, err
		}
		if !sleep(ctx, n.HealthCheck.RetryDelay) {
			return retries, err
		}
		retries++
	}
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// probe is one try within the given time. This is the one place where
// health_check_timeout is applied.
func (m *Manager) probe(ctx context.Context, n NodeConfig, limit time.Duration) error {
	tryCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := m.prober.Probe(tryCtx, n)
	if err != nil && ctx.Err() == nil && tryCtx.Err() != nil {
		return fmt.Errorf("no answer within %v: %w", limit, err)
	}
	return err
}
