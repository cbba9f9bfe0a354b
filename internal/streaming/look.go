package streaming

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

const (
	// lookTime bounds a look at all nodes.
	lookTime = 3 * time.Second
	// lookGrace is how long the others are waited for once a primary has answered.
	lookGrace = 200 * time.Millisecond
)

// look asks all live nodes at the same time. One that hangs is not waited for when
// another one has said that it takes writes, which means something where a standby does
// not.
func (m *Monitor) look(ctx context.Context, s Settings) []finding {
	v := m.cluster.View()
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel() // first, so that nobody is waited for
	answers := make(chan finding, len(s.Nodes))
	var found []finding
	for _, c := range s.Nodes {
		if n := m.node(c.ID); n != nil && v.Up(c.ID) {
			found = append(found, finding{Node: c})
			asking.Go(func() { answers <- n.find(ctx, c) }) // has room for all
		}
	}
	for range found {
		select {
		case f := <-answers:
			found[slices.IndexFunc(found, func(other finding) bool { return other.ID == f.ID })] = f
			if f.answered && !f.inRecovery && !s.Logical {
				time.AfterFunc(lookGrace, cancel)
			}
		case <-ctx.Done():
		}
	}
	return found
}

func (n *node) find(ctx context.Context, c Node) finding {
	r, err := n.link.ask(ctx, question{facts: true})
	if err != nil {
		return finding{Node: c}
	}
	return finding{
		Node: c, answered: true, inRecovery: r.inRecovery, timeline: r.timeline,
		facts: *r.facts, subscriptions: r.subscriptions,
	}
}

// settle makes the view know the primary that was found.
func (m *Monitor) settle(ctx context.Context, s Settings, found []finding) {
	if ctx.Err() != nil || len(found) == 0 {
		return
	}
	present, ok := m.cluster.View().Main()
	if !ok {
		present = -1
	}
	c := choose(s.Logical, present, found, sameHost(ctx))
	news := m.sayDoubt(c)
	if c.primary >= 0 {
		// First, so that no session finds the new primary in the view while the
		// standbys are still compared with the old one.
		m.follows(c.primary)
	}
	if c.primary == present {
		m.detachFalse(ctx, s, c, news)
		return
	}
	if _, err := m.cluster.SetPrimary(ctx, c.primary, c.reason); err != nil {
		m.log.Warn("primary node is not taken over", nodeField(c.primary), zap.Error(err))
		return
	}
	m.detachFalse(ctx, s, c, news)
}

// said remembers what was logged, so that a state that lasts is logged once.
type said struct {
	others  []config.NodeID
	primary config.NodeID
}

// sayDoubt returns whether there was something new to say.
func (m *Monitor) sayDoubt(c choice) bool {
	now := said{c.others, c.primary}
	if slices.Equal(m.said.others, now.others) && (m.said.primary == now.primary || len(now.others) == 0) {
		return false
	}
	m.said = now
	if len(c.others) == 0 {
		m.log.Info("only one node takes writes again", nodeField(c.primary))
		return true
	}
	m.log.Warn("more than one node is not in recovery", nodeField(c.primary), zap.String("false_primaries", names(c.others)),
		zap.String(logkey.Reason, c.reason), zap.Bool("proven", c.proven))
	return true
}

// detachFalse takes the other nodes that take writes out of service, if a standby
// proves that they are the false ones. A refusal that lasts is logged once.
func (m *Monitor) detachFalse(ctx context.Context, s Settings, c choice, news bool) {
	if !s.DetachFalsePrimary || !c.proven {
		return
	}
	for _, id := range c.others {
		reason := "the standbys follow node " + c.primary.String()
		if err := m.cluster.DetachFalsePrimary(ctx, id, reason); err != nil && news {
			m.log.Warn("false primary stays in service", nodeField(id), zap.Error(err))
		}
	}
}
