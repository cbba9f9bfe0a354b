package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Prober finds out whether a node is alive.
//
// Probe makes one try and returns nil if the node is alive, else why it is not.
// It returns when ctx ends at the latest; the deadline is in ctx and nowhere else.
// Calls overlap, also for one node.
type Prober interface {
	Probe(ctx context.Context, n NodeConfig) error
}

// Barrier pauses writing transactions at their boundaries.
//
// Hold returns when no transaction that writes is open, and none begins until
// release is called, which is called once and soon. Calls of Hold do not overlap.
// With an error nothing is held and release is nil.
type Barrier interface {
	Hold(ctx context.Context) (release func(), err error)
}

// Checker finds out which nodes are so unlike the others that they must not be in
// service, though they answer.
//
// Check returns an entry for each of the candidates that must not come in. The nodes in
// service are what they are held against, main first; at start there are none, and the
// candidate with the lowest number stands for them. It returns when ctx ends at the latest.
type Checker interface {
	Check(ctx context.Context, inService, candidates []config.NodeID) map[config.NodeID]error
}

// Manager owns the states of the nodes. Once Init is through only Run changes them;
// everybody else reads a View or reports something, from any goroutine.
//
// Run has to outlive the sessions: a Fence after its end is answered with
// ErrStopped and is not remembered by the next start.
type Manager struct {
	prober   Prober
	barrier  Barrier     // nil: nothing to pause
	status   *StatusFile // nil: nothing is remembered
	log      *zap.Logger
	onChange func(old, new *View)
	admit    func(ctx context.Context, id config.NodeID) error // nil: all; set before Init
	checker  Checker                                           // nil: what answers may come in; set before Init

	view       atomic.Pointer[View]          // stored by Init, then by Run only
	changed    atomic.Pointer[chan struct{}] // likewise; closed after a newer view was stored
	settings   atomic.Pointer[settings]      // stored by New, then by Run only
	requests   chan request
	suspicions chan suspicion
	commands   chan command
	ended      chan struct{} // closed by Run when nothing of it is left
	attaching  chan struct{} // holds a token while an Attach is under way

	statsMu sync.Mutex // guards the field below
	stats   map[config.NodeID]*counters

	complaints complaints // of Init, then of Run only
}

// NewManager returns a manager whose View has no live node; Init and Run change
// that. barrier, status and onChange may be nil.
//
// onChange is called after each change of who is in service, by the goroutine that
// made it, before the one who asked for the change hears of it; everything waits
// for it. It must not call the manager, except for View.
func NewManager(cfg Config, prober Prober, barrier Barrier, status *StatusFile, log *zap.Logger, onChange func(old, new *View)) *Manager {
	m := &Manager{
		prober: prober, barrier: barrier, status: status, log: log, onChange: onChange,
		requests:   make(chan request),
		suspicions: make(chan suspicion),
		commands:   make(chan command, maxCommands),
		ended:      make(chan struct{}),
		attaching:  make(chan struct{}, 1),
		stats:      make(map[config.NodeID]*counters),
		complaints: make(complaints),
	}
	m.settings.Store(newSettings(cfg))
	m.view.Store(firstView(cfg, nil, time.Now()))
	m.nextChange()
	return m
}

// UseAdmission has Attach ask, while writing transactions are held, whether a node has all
// that it must have. Call it before Init.
func (m *Manager) UseAdmission(admit func(ctx context.Context, id config.NodeID) error) {
	m.admit = admit
}

// UseChecker has nodes looked at before they come into service. Call it before Init.
func (m *Manager) UseChecker(c Checker) { m.checker = c }

// View returns the present state of the nodes. It is one load of a pointer.
func (m *Manager) View() *View { return m.view.Load() }

// Changed returns a channel that is closed when a view of another epoch is shown.
// Take it before the view that is not to one's liking, then wait for it.
func (m *Manager) Changed() <-chan struct{} { return *m.changed.Load() }

// nextChange lets those who wait look again, at a view that was stored before.
func (m *Manager) nextChange() {
	next := make(chan struct{})
	if old := m.changed.Swap(&next); old != nil {
		close(*old)
	}
}

// Suspect is for a session that lost its connection to a node, with cause as the
// error it saw. The node is probed now, once, and detached if it is dead. Sessions
// that suspect the same node meanwhile share the probe.
//
// It returns the view after the verdict and whether the node is alive. A node that
// is dead may still be in service in that view (failover_on_backend_error is off, it
// must not fail over, or it is the last one); the session cannot use it then. With
// an error there is no verdict.
func (m *Manager) Suspect(ctx context.Context, id config.NodeID, cause error) (v *View, alive bool, err error) {
	return m.suspect(ctx, suspicion{node: id, cause: cause, reply: make(chan verdict, 1)})
}

// SuspectShutdown is Suspect for a session that a node has told that it is shutting
// down (SQLSTATE 57P01 or 57P02). The same message comes to a session that an
// administrator ends, so the node is probed too: one that is shutting down refuses
// sessions. It is detached then if either failover_on_backend_shutdown or
// failover_on_backend_error is on.
func (m *Manager) SuspectShutdown(ctx context.Context, id config.NodeID, cause error) (v *View, alive bool, err error) {
	return m.suspect(ctx, suspicion{node: id, cause: cause, shutdown: true, reply: make(chan verdict, 1)})
}

func (m *Manager) suspect(ctx context.Context, s suspicion) (v *View, alive bool, err error) {
	if v := m.View(); !v.Up(s.node) {
		return v, false, nil
	}
	select {
	case m.suspicions <- s:
	case <-ctx.Done():
		return m.View(), false, context.Cause(ctx)
	case <-m.ended:
		return m.View(), false, ErrStopped
	}
	select {
	case got := <-s.reply:
		return got.view, got.alive, nil
	case <-ctx.Done():
		return m.View(), false, context.Cause(ctx)
	case <-m.ended:
		return m.View(), false, ErrStopped
	}
}

// Fence takes a node out of service at once, without asking it: it is known to lack
// a committed transaction, or it refused a COMMIT that others have. reason names
// transaction and error, for the log. When it returns without an error the node is
// out of the view, out of the status file, and its connections are cut. A node that
// is out of service already is no error. ErrLastNode: nothing was changed.
func (m *Manager) Fence(ctx context.Context, id config.NodeID, reason string) (*View, error) {
	v, err := m.submit(ctx, Event{Kind: Fenced, Node: id, Reason: "fenced: " + reason})
	if err != nil {
		return v, fmt.Errorf("fence %w", err)
	}
	return v, nil
}

// Detach takes a node out of service for an operator. It is refused for the last
// live node and for one with DISALLOW_TO_FAILOVER.
func (m *Manager) Detach(ctx context.Context, id config.NodeID) error {
	if _, err := m.submit(ctx, Event{Kind: Detached, Node: id, Reason: "detached by an operator"}); err != nil {
		return fmt.Errorf("detach %w", err)
	}
	return nil
}

// SetPrimary says which live node is the primary, or with -1 that none is. When it
// returns without an error the view says so.
func (m *Manager) SetPrimary(ctx context.Context, id config.NodeID, reason string) (*View, error) {
	follow := m.settings.Load().FollowPrimaryCommand != ""
	v, err := m.submit(ctx, Event{Kind: PrimaryFound, Node: id, Reason: reason, Follow: follow})
	if err != nil {
		return v, fmt.Errorf("set primary: %w", err)
	}
	return v, nil
}

// DetachFalsePrimary takes a node out of service that takes writes though it is
// proven that another node is the primary (detach_false_primary). failover_command
// is run for it.
func (m *Manager) DetachFalsePrimary(ctx context.Context, id config.NodeID, reason string) error {
	if _, err := m.submit(ctx, Event{Kind: FalsePrimary, Node: id, Reason: "false primary: " + reason}); err != nil {
		return fmt.Errorf("detach false primary %w", err)
	}
	return nil
}

// Return takes a standby into service that was lost, follows the primary again and
// answers a probe (auto_failback). Nothing is held meanwhile: its data comes from
// the primary. A node that an operator detached is refused, and so is every node in
// a mode without a primary.
func (m *Manager) Return(ctx context.Context, id config.NodeID, reason string) error {
	n, ok := m.settings.Load().node(id)
	if !ok {
		return fmt.Errorf("return node %d: %w", id, ErrNoSuchNode)
	}
	if now, _ := m.View().Node(id); now.dismissed {
		return fmt.Errorf("return node %d: %w", id, ErrDismissed)
	}
	if err := m.probe(ctx, n, n.probeTimeout()); err != nil {
		return fmt.Errorf("return node %d: %w", id, err)
	}
	if _, err := m.submit(ctx, Event{Kind: Returned, Node: id, Reason: reason}); err != nil {
		return fmt.Errorf("return %w", err)
	}
	return nil
}

// Attach takes a node into service for an operator: it has to answer, then (in the
// modes without a primary, where it has to have every write from then on)
// transactions that write are held at their boundaries while the view changes, so
// that each of them has the node as a member from its beginning or not at all. That
// its data is equal is for the caller to know.
func (m *Manager) Attach(ctx context.Context, id config.NodeID) error {
	select {
	case m.attaching <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-m.attaching }()

	if err := m.attach(ctx, id); err != nil {
		return fmt.Errorf("attach %w", err)
	}
	return nil
}

func (m *Manager) attach(ctx context.Context, id config.NodeID) error {
	n, ok := m.settings.Load().node(id)
	switch {
	case !ok:
		return fmt.Errorf("node %d: %w", id, ErrNoSuchNode)
	case m.View().Up(id):
		return fmt.Errorf("node %d: %w", id, ErrInService)
	}
	if err := m.probe(ctx, n, n.probeTimeout()); err != nil {
		return fmt.Errorf("node %d: %w", id, err)
	}
	if err := m.check(ctx, id); err != nil {
		return err
	}
	if m.barrier != nil && !m.View().HasPrimary() {
		release, err := m.barrier.Hold(ctx)
		if err != nil {
			return fmt.Errorf("node %d: hold writing transactions: %w", id, err)
		}
		defer release()
	}
	if m.admit != nil {
		if err := m.admit(ctx, id); err != nil {
			return fmt.Errorf("node %d: %w", id, err)
		}
	}
	_, err := m.submit(ctx, Event{Kind: Attached, Node: id, Reason: "attached by an operator"})
	return err
}

// Connected says that a session has opened a connection to the node, which makes
// Pgpool-II show it as up instead of waiting. It costs a look at the view except for
// the first time.
func (m *Manager) Connected(ctx context.Context, id config.NodeID) {
	if n, ok := m.View().Node(id); ok && n.Status == Waiting {
		m.submit(ctx, Event{Kind: Connected, Node: id}) //nolint:errcheck // the next connection says it again
	}
}

// Reload puts a configuration in force: weights, flags, health checks, commands and
// when to fail over. A new node is out of service until it is attached. A
// node that is gone from the configuration, or has another address, stays as it is
// until a restart; that is logged.
func (m *Manager) Reload(ctx context.Context, cfg Config) error {
	_, err := m.submit(ctx, Event{Kind: Reloaded, Nodes: cfg.Nodes}, withSettings(cfg))
	return err
}

// request is an event on its way to Run, which answers every one that it takes.
type request struct {
	event    Event
	settings *settings // for Reloaded only
	reply    chan answer
}

type answer struct {
	view *View
	err  error
}

func withSettings(cfg Config) func(*request) {
	return func(r *request) { r.settings = newSettings(cfg) }
}

// submit hands the event to Run and waits for what came of it. ctx bounds the
// handing over only: an error of ctx means that nothing was and will be changed.
func (m *Manager) submit(ctx context.Context, e Event, options ...func(*request)) (*View, error) {
	r := request{event: e, reply: make(chan answer, 1)}
	for _, option := range options {
		option(&r)
	}
	select {
	case m.requests <- r:
		a := <-r.reply
		return a.view, a.err
	case <-ctx.Done():
		return m.View(), fmt.Errorf("node %d: %w", e.Node, context.Cause(ctx))
	case <-m.ended:
		return m.View(), fmt.Errorf("node %d: %w", e.Node, ErrStopped)
	}
}
