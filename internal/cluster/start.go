package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// Init reads the status file, probes every node that it does not say is down, and
// shows the first View with a live node in it; until then no node is live. It
// returns once each node was probed, at the latest after the longest timeout plus
// StartWait. That none answers is no error: Run goes on probing. A status file that
// is there but cannot be read is one, because it may name a node that must not come
// back. Call it once, before Run.
func (m *Manager) Init(ctx context.Context) error {
	saved, err := m.readStatus()
	if err != nil {
		return err
	}
	m.view.Store(firstView(m.settings.Load().Config, saved, time.Now()))

	answers := m.probeCandidates(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m.checkCandidates(ctx, answers)
	m.apply(Event{Kind: StartRound, Answers: answers})
	return nil
}

func (m *Manager) readStatus() ([]Status, error) {
	if m.status == nil {
		return nil, nil
	}
	file := zap.String(logkey.File, m.status.Path())
	if m.settings.Load().DiscardStatus {
		m.log.Info("status file discarded", file)
		return nil, m.status.Discard()
	}
	saved, invalid, err := m.status.Read()
	if invalid > 0 {
		m.log.Warn("invalid data in status file, ignoring...", file, zap.Int("lines", invalid))
	}
	return saved, err
}

// firstView is how things stand before any node was probed. If the file has no node
// up it says nothing of use, and all nodes are taken as equals (as Pgpool-II does).
func firstView(cfg Config, saved []Status, now time.Time) *View {
	usable := slices.Contains(saved, Up)
	var first []Node
	for _, c := range cfg.Nodes {
		n := newNode(c, Down, "not probed yet", now)
		if usable {
			remember(&n, saved)
		}
		first = append(first, n)
	}
	if cfg.HasPrimary {
		return NewPrimaryView(0, first, -1)
	}
	return NewView(0, first)
}

// remember lets a node be what the file says; one that the file does not know is
// new, so nothing is known of its data either.
func remember(n *Node, saved []Status) {
	last := Unused
	if int(n.ID) < len(saved) {
		last = saved[n.ID]
	}
	if last == Up {
		n.resume = Up
		return
	}
	n.Status, n.held = last, true
	n.Reason = "the status file says " + last.String()
}

// probeCandidates asks all candidates at the same time. If some answer and some do
// not, the silent ones are asked again for StartWait, because machines that start
// together are not ready together.
func (m *Manager) probeCandidates(ctx context.Context) map[config.NodeID]error {
	answers := make(map[config.NodeID]error)
	var patience <-chan time.Time
	for {
		m.probeSilent(ctx, answers)
		silent := countErrors(answers)
		wait := m.settings.Load().StartWait
		if silent == 0 || silent == len(answers) || wait <= 0 {
			return answers
		}
		if patience == nil {
			patience = time.After(wait)
		}
		select {
		case <-time.After(startRetry):
		case <-patience:
			return answers
		case <-ctx.Done():
			return answers
		}
	}
}

// probeSilent probes the candidates that have no good answer yet.
func (m *Manager) probeSilent(ctx context.Context, answers map[config.NodeID]error) {
	var wg sync.WaitGroup
	var mu sync.Mutex // guards answers
	asked := m.silentCandidates(answers)
	for _, n := range asked {
		wg.Go(func() {
			err := m.probe(ctx, n, n.suspicionTimeout())
			mu.Lock()
			defer mu.Unlock()
			answers[n.ID] = err
		})
	}
	wg.Wait()
}

func (m *Manager) silentCandidates(answers map[config.NodeID]error) []NodeConfig {
	var silent []NodeConfig
	s := m.settings.Load()
	for _, n := range m.View().Nodes {
		err, asked := answers[n.ID]
		if c, ok := s.node(n.ID); ok && n.candidate() && (!asked || err != nil) {
			silent = append(silent, c)
		}
	}
	return silent
}

func countErrors(answers map[config.NodeID]error) int {
	count := 0
	for _, err := range answers {
		if err != nil {
			count++
		}
	}
	return count
}

// awaitFirst goes on with start rounds until a node is in service.
func (m *Manager) awaitFirst(ctx context.Context) {
	for !m.View().served {
		select {
		case <-time.After(startRetry):
		case <-ctx.Done():
			return
		}
		answers := m.probeCandidates(ctx)
		if ctx.Err() != nil {
			return
		}
		m.checkCandidates(ctx, answers)
		if _, err := m.submit(ctx, Event{Kind: StartRound, Answers: answers}); err != nil {
			return
		}
	}
}
