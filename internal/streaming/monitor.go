package streaming

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
)

// Monitor finds the primary and watches the standbys. Run has to be under way for
// anything to be known; the other methods may be called from any goroutine, before
// and after, too.
type Monitor struct {
	settings func() Settings
	current  atomic.Pointer[Settings] // as of the last round
	cluster  Cluster
	connect  Connect
	log      *zap.Logger

	nodes   [config.MaxNodes]atomic.Pointer[node] // stored by Run only
	recheck chan struct{}                         // holds a token if somebody wants a round now

	mu      sync.Mutex // guards the fields below
	history history
	flushes flushes

	measuring atomic.Bool // the measurement of a round is under way
	said      said        // of Run only
	wg        sync.WaitGroup
}

// New returns a monitor that knows nothing yet. settings is called in each round, so
// Recheck puts new ones in force.
func New(settings func() Settings, manager Cluster, connect Connect, log *zap.Logger) *Monitor {
	m := &Monitor{
		settings: settings, cluster: manager, connect: connect, log: log,
		recheck: make(chan struct{}, 1),
		history: newHistory(-1),
	}
	m.refresh()
	return m
}

// refresh takes over the settings for a round.
func (m *Monitor) refresh() Settings {
	s := m.settings()
	m.current.Store(&s)
	return s
}

const (
	// searchPause and searchPauseMax are between two looks while there is no
	// primary.
	searchPause    = 100 * time.Millisecond
	searchPauseMax = time.Second
	// recheckPause keeps those who ask for looks from having them without end.
	recheckPause = 20 * time.Millisecond
	// idleRound is between two looks at a cluster whose lag is not measured.
	idleRound = 10 * time.Second
)

// Run watches until ctx ends. When it returns, nothing that it started is still
// running.
func (m *Monitor) Run(ctx context.Context) error {
	defer m.wg.Wait()
	search := searchPause
	for {
		changed := m.cluster.Changed()
		m.round(ctx)
		pause := m.current.Load().CheckPeriod
		if pause <= 0 {
			pause = idleRound
		}
		if _, ok := m.cluster.View().Main(); ok {
			search = searchPause
		} else {
			pause, search = search, min(2*search, searchPauseMax)
		}
		if err := m.rest(ctx, pause, changed); err != nil {
			return err
		}
	}
}

// rest waits for the time, or for something that makes a look worth while.
func (m *Monitor) rest(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-m.recheck:
		sleep(ctx, recheckPause)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// Recheck asks for a look at the servers' roles now, for a session that has found
// the primary to refuse writes. It never waits.
func (m *Monitor) Recheck() {
	select {
	case m.recheck <- struct{}{}:
	default:
	}
}

// Doubt forgets how a standby stands until it has been asked again, for a session
// that has lost its connection: a server that was restarted after a crash may be
// behind what it had replayed before. It never waits for the node.
func (m *Monitor) Doubt(id config.NodeID) {
	if n := m.node(id); n != nil {
		m.forget(n)
		n.link.renew()
		m.Recheck()
	}
}

// node returns nil for a node that Run has not started to watch.
func (m *Monitor) node(id config.NodeID) *node {
	if id < 0 || id >= config.MaxNodes {
		return nil
	}
	return m.nodes[id].Load()
}

// round looks at all live nodes, then lets the measurement begin.
func (m *Monitor) round(ctx context.Context) {
	s := m.refresh()
	m.adopt(ctx, s)
	found := m.look(ctx, s)
	m.settle(ctx, s, found)
	m.failBack(ctx, s)
	if s.CheckPeriod > 0 && m.measuring.CompareAndSwap(false, true) {
		m.wg.Go(func() {
			defer m.measuring.Store(false)
			m.measure(ctx, s)
		})
	}
}

// adopt starts to watch the nodes that are new, and closes the connections to those
// that are not in service.
func (m *Monitor) adopt(ctx context.Context, s Settings) {
	v := m.cluster.View()
	for _, c := range s.Nodes {
		n := m.node(c.ID)
		switch {
		case c.ID < 0 || c.ID >= config.MaxNodes:
		case n == nil:
			m.watch(ctx, c.ID)
		case !v.Up(c.ID):
			m.forget(n)
			n.link.release()
		}
	}
}

func (m *Monitor) watch(ctx context.Context, id config.NodeID) {
	n := &node{id: id, wake: make(chan struct{}, 1)}
	n.standing.Store(&standing{})
	n.link = newLink(id, m.connect, func() bool { return m.current.Load().Logical },
		func(r reading, err error) { m.observe(n, r, err) })
	m.nodes[id].Store(n)
	m.wg.Go(func() { n.link.run(ctx) })
	m.wg.Go(func() { m.follow(ctx, n) })
}

// observe takes in an answer of a node, or that it has given none.
func (m *Monitor) observe(n *node, r reading, err error) {
	c, _ := m.current.Load().node(n.id)
	m.mu.Lock()
	next := standing{}
	switch {
	case err != nil:
	case n.id != m.history.primary:
		next = judge(*n.standing.Load(), r, &m.history, c.ApplicationName)
	case !r.inRecovery:
		m.history.add(r)
		next = standing{role: rolePrimary}
	default:
		next = standing{role: roleStandby}
		m.demoted(n.id)
	}
	n.standing.Store(&next)
	m.mu.Unlock()
	n.release()
}

// demoted: the next look finds another primary, or says that there is none.
func (m *Monitor) demoted(id config.NodeID) {
	if primary, ok := m.cluster.View().Main(); ok && primary == id {
		m.Recheck()
	}
}

func (m *Monitor) forget(n *node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n.standing.Store(&standing{})
}

// follows makes another node the one that the others are compared with. Nothing
// that is known of them holds any more.
func (m *Monitor) follows(primary config.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.history.primary == primary {
		return
	}
	m.history = newHistory(primary)
	for i := range m.nodes {
		if n := m.nodes[i].Load(); n != nil {
			n.standing.Store(&standing{role: n.standing.Load().role})
		}
	}
}

func nodeField(id config.NodeID) zap.Field { return zap.Int(logkey.Node, int(id)) }
