package streaming

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// failBack brings back the nodes that are out of service but stream from the primary
// again (auto_failback). Whether one streams is known from the primary, by the
// node's backend_application_name.
func (m *Monitor) failBack(ctx context.Context, s Settings) {
	primary, ok := m.cluster.View().Main()
	if !ok || !s.AutoFailback || s.Logical {
		return
	}
	for _, c := range s.Nodes {
		n := m.node(c.ID)
		if n == nil || c.ID == primary || m.cluster.View().Up(c.ID) || !m.streaming(c.ApplicationName) {
			continue
		}
		if time.Since(n.returned) < s.AutoFailbackInterval || !n.trying.CompareAndSwap(false, true) {
			continue
		}
		n.returned = time.Now()
		m.wg.Go(func() {
			defer n.trying.Store(false)
			if err := m.cluster.Return(ctx, n.id, "it streams from the primary again"); err != nil {
				m.log.Info("node is not attached by itself", nodeField(n.id), zap.Error(err))
			}
		})
	}
}

// streaming reports whether the primary streams to a standby of this name, as of the
// last look.
func (m *Monitor) streaming(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return name != "" && m.history.senders[name].State == "streaming"
}
