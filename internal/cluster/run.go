package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// Run applies events until ctx ends. When it returns, nothing that it started is
// still running: no probe, no health check, no command.
func (m *Manager) Run(ctx context.Context) error {
	l := &loop{
		Manager:  m,
		waiting:  make(map[config.NodeID][]suspicion),
		verdicts: make(chan probed),
		watched:  make(map[config.NodeID]bool),
	}
	defer close(m.ended)
	defer l.wg.Wait()

	l.wg.Go(func() { m.runCommands(ctx) })
	l.wg.Go(func() { m.awaitFirst(ctx) })
	l.watchAll(ctx)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case r := <-m.requests:
			l.answer(ctx, r)
		case s := <-m.suspicions:
			l.suspect(ctx, s)
		case p := <-l.verdicts:
			l.settle(p)
		}
	}
}

// loop is what belongs to Run's goroutine alone.
type loop struct {
	*Manager
	wg       sync.WaitGroup
	waiting  map[config.NodeID][]suspicion // who waits for the probe under way
	verdicts chan probed
	watched  map[config.NodeID]bool // nodes that have a health check goroutine
}

// suspicion is a session that waits to hear whether a node is dead.
type suspicion struct {
	node     config.NodeID
	cause    error
	shutdown bool         // the node said that it is shutting down
	reply    chan verdict // has room for the one answer
}

type verdict struct {
	view  *View
	alive bool
}

// probed is how the probe of a suspected node ended.
type probed struct {
	node config.NodeID
	seen uint64 // epoch in which the probe began
	err  error
}

func (l *loop) answer(ctx context.Context, r request) {
	if r.settings != nil {
		l.adopt(r.settings)
	}
	v, err := l.apply(r.event)
	if r.settings != nil {
		l.watchAll(ctx)
	}
	r.reply <- answer{v, err}
}

// adopt puts new settings in force. The nodes that they leave out keep their old
// ones, and every node its address, until a restart.
func (l *loop) adopt(next *settings) {
	old := l.settings.Load()
	for _, was := range old.Nodes {
		now, ok := next.node(was.ID)
		if !ok {
			l.log.Warn("node removed from the configuration stays until a restart", node(was.ID))
			next.Nodes = append(next.Nodes, was)
			continue
		}
		now.Host, now.Port = was.Host, was.Port
		next.replace(now)
	}
	l.settings.Store(next)
	close(old.replaced)
}

func (s *settings) replace(n NodeConfig) {
	for i := range s.Nodes {
		if s.Nodes[i].ID == n.ID {
			s.Nodes[i] = n
		}
	}
}

// watchAll starts a health check for each node that has none.
func (l *loop) watchAll(ctx context.Context) {
	for _, n := range l.settings.Load().Nodes {
		if !l.watched[n.ID] {
			l.watched[n.ID] = true
			l.wg.Go(func() { l.watch(ctx, n.ID) })
		}
	}
}

// suspect starts a probe, or joins the one under way.
func (l *loop) suspect(ctx context.Context, s suspicion) {
	v := l.View()
	n, ok := l.settings.Load().node(s.node)
	if !ok || !v.Up(s.node) {
		s.reply <- verdict{v, false}
		return
	}
	l.waiting[s.node] = append(l.waiting[s.node], s)
	if len(l.waiting[s.node]) > 1 {
		return
	}
	l.wg.Go(func() {
		p := probed{node: n.ID, seen: v.Epoch, err: l.probe(ctx, n, n.suspicionTimeout())}
		if ctx.Err() != nil {
			return // the probe may have failed for that reason: no verdict
		}
		select {
		case l.verdicts <- p:
		case <-ctx.Done():
		}
	})
}

// settle acts on the end of a probe and tells all who waited for it.
func (l *loop) settle(p probed) {
	waiting := l.waiting[p.node]
	delete(l.waiting, p.node)
	if p.err != nil {
		l.condemn(p, waiting)
	}
	for _, s := range waiting {
		s.reply <- verdict{l.View(), p.err == nil}
	}
}

func (l *loop) condemn(p probed, waiting []suspicion) {
	reason := fmt.Sprintf("a session lost its connection (%v) and a probe got: %v", waiting[0].cause, p.err)
	if !l.settings.Load().mayFailOver(waiting) {
		l.complain(zap.WarnLevel, p.node, "node does not answer, failover_on_backend_error is off", zap.String(logkey.Reason, reason))
		return
	}
	// No error can come back: nobody asked for this.
	l.apply(Event{Kind: NotAnswering, Node: p.node, Reason: reason, Seen: p.seen}) //nolint:errcheck
}

// mayFailOver: what one session has heard from the node counts for all.
func (s *settings) mayFailOver(waiting []suspicion) bool {
	announced := slices.ContainsFunc(waiting, func(s suspicion) bool { return s.shutdown })
	return s.FailoverOnBackendError || s.FailoverOnBackendShutdown && announced
}

// apply makes an event true, in the order that doc.go explains. Run's goroutine
// only, or Init's before it.
func (m *Manager) apply(e Event) (*View, error) {
	e.At = time.Now()
	old := m.View()
	next, actions := transition(old, e)
	for _, a := range actions {
		if a.Kind == SaveStatus {
			m.save(next)
		}
	}
	m.view.Store(next)
	if m.onChange != nil && next.Epoch != old.Epoch {
		m.onChange(old, next)
	}
	if next.Epoch != old.Epoch {
		m.nextChange()
	}
	var refused error
	for _, a := range actions {
		refused = errors.Join(refused, m.perform(a, old, next))
	}
	return next, refused
}

// save goes on after an error: a node that is to leave must leave, and a full disk
// must not keep it in.
func (m *Manager) save(v *View) {
	if m.status == nil {
		return
	}
	if err := m.status.Write(v); err != nil {
		m.log.Error("the state of the nodes will not survive a restart",
			zap.String(logkey.File, m.status.Path()), zap.Error(err))
	}
}

// perform does what is left of an action once the view is stored. Its error is the
// refusal, if the action is one.
func (m *Manager) perform(a Action, old, next *View) error {
	epoch := zap.Uint64(logkey.Epoch, next.Epoch)
	reason := zap.String(logkey.Reason, a.Reason)
	switch a.Kind {
	case Refuse:
		return a.Err
	case LogAttached:
		m.log.Info("node attached", node(a.Node), epoch, reason)
	case LogDetached:
		m.log.Info("node detached", node(a.Node), epoch, reason)
	case LogKeptOut:
		m.log.Error("node not attached", node(a.Node), epoch, reason)
	case LogLost:
		m.log.Error("node detached", node(a.Node), epoch, reason)
	case LogDownAtStart:
		m.log.Error("node is out of service at start, attach it when its data is equal", node(a.Node), epoch, reason)
	case LogKept:
		m.complain(zap.ErrorLevel, a.Node, "node should be detached but stays in service", reason, zap.Error(a.Err))
	case LogNoneAnswers:
		m.complain(zap.ErrorLevel, -1, "no node can be taken into service, trying again", zap.Error(a.Err))
	case LogAddressKept:
		m.log.Warn("another address of a node needs a restart", node(a.Node))
	case RunFailover:
		m.enqueue(failoverCommand, m.settings.Load().FailoverCommand, a.Node, old, next)
	case LogPrimary:
		m.log.Info("primary node found", node(a.Node), epoch, reason)
	case LogNoPrimary:
		m.log.Warn("there is no primary node any more", node(a.Node), epoch, reason)
	case RunFollow:
		m.enqueue(followPrimaryCommand, m.settings.Load().FollowPrimaryCommand, a.Node, old, next)
	case RunFailback:
		m.enqueue(failbackCommand, m.settings.Load().FailbackCommand, a.Node, old, next)
	}
	return nil
}

func node(id config.NodeID) zap.Field { return zap.Int(logkey.Node, int(id)) }
