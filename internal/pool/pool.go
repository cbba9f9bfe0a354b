package pool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
)

// Pool keeps idle sets and knows all open connections. Safe for concurrent use.
type Pool struct {
	mu   sync.Mutex // guards the fields below
	idle []*Set     // the one released longest ago comes first
	lent int
	max  int
	open map[*backend.Conn]struct{}
	// dialling are the connections under way, by what gives them up.
	dialling map[*dial]struct{}
	// loans are the sets of transaction pooling; nil without it.
	loans *Loans
}

type dial struct {
	node   config.NodeID
	cancel context.CancelCauseFunc
}

// New returns a pool of at most max sets, lent and idle together (max_pool times
// num_init_children), as far as the lent ones leave room.
func New(max int) *Pool {
	return &Pool{max: max, open: map[*backend.Conn]struct{}{}, dialling: map[*dial]struct{}{}}
}

// Take lends the idle set that was used last under key, or else an empty one.
// Connections that are no longer usable have been closed and taken out of it. The
// set comes back by Put or Discard.
func (p *Pool) Take(key Key) *Set {
	set := p.takeIdle(key)
	if set == nil {
		set = p.newSet(key)
		return set
	}
	set.Uses++
	set.Connected = time.Now()
	for id, conn := range set.Conns {
		if !conn.Quiet() {
			p.Close(conn)
			delete(set.Conns, id)
		}
	}
	return set
}

func (p *Pool) takeIdle(key Key) *Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if set := p.idle[i]; set.Key == key {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.lent++
			return set
		}
	}
	return nil
}

// newSet lends an empty set; an idle one makes room for it.
func (p *Pool) newSet(key Key) *Set {
	var evicted *Set
	p.mu.Lock()
	p.lent++
	if p.lent+len(p.idle) > p.max && len(p.idle) > 0 {
		evicted, p.idle = p.idle[0], p.idle[1:]
	}
	p.mu.Unlock()
	if evicted != nil {
		p.CloseSet(evicted)
	}
	return newSet(key)
}

// Put takes a set back, which has been reset.
func (p *Pool) Put(set *Set) {
	set.Disconnected = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent--
	p.idle = append(p.idle, set)
}

// Discard takes a set back whose connections are of no more use; they have been closed.
func (p *Pool) Discard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent--
}

// errCut is why a connection under way is given up.
var errCut = errors.New("the node went out of service")

// Connect opens a connection to a node.
func (p *Pool) Connect(ctx context.Context, id config.NodeID, a backend.Address, params map[string]string, logIn backend.LogIn) (*backend.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &dial{node: id, cancel: cancel}
	p.mu.Lock()
	p.dialling[d] = struct{}{}
	p.mu.Unlock()

	conn, err := backend.Connect(ctx, id, a, params, logIn)

	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.dialling, d)
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return nil, errors.Join(context.Cause(ctx), err)
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		conn.Cut()
		return nil, context.Cause(ctx)
	}
	p.open[conn] = struct{}{}
	return conn, nil
}

// Close ends a connection politely: with a Terminate, if it can still be sent.
// The caller owns conn.
func (p *Pool) Close(conn *backend.Conn) {
	p.mu.Lock()
	delete(p.open, conn)
	p.mu.Unlock()
	conn.Terminate()
}

// CloseSet ends all connections of a set.
func (p *Pool) CloseSet(set *Set) {
	for id, conn := range set.Conns {
		p.Close(conn)
		delete(set.Conns, id)
	}
}

// CutNode closes the socket of every connection to a node, whoever has it. Its
// owner gets an error from its next read or write.
func (p *Pool) CutNode(id config.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		if conn.Node() == id {
			conn.Cut()
		}
	}
	for d := range p.dialling {
		if d.node == id {
			d.cancel(errCut)
		}
	}
}

// Sweep closes idle sets that were not used for longer than lifetime
// (connection_life_time; 0 keeps them).
func (p *Pool) Sweep(now time.Time, lifetime time.Duration) {
	if lifetime <= 0 {
		return
	}
	for _, set := range p.expired(now.Add(-lifetime)) {
		p.CloseSet(set)
	}
	if loans := p.lending(); loans != nil {
		loans.CloseIdle(func(set *Set) bool { return set.Disconnected.Before(now.Add(-lifetime)) })
	}
}

// lending are the sets of transaction pooling; nil without it.
func (p *Pool) lending() *Loans {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loans
}

// expired takes out the idle sets that were released before limit.
func (p *Pool) expired(limit time.Time) []*Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.idle) && p.idle[n].Disconnected.Before(limit) {
		n++
	}
	old := p.idle[:n:n]
	p.idle = p.idle[n:]
	return old
}

// CloseIdle closes all idle sets: at shutdown, and before DROP DATABASE, which
// PostgreSQL refuses while somebody is connected.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, set := range idle {
		p.CloseSet(set)
	}
	if loans := p.lending(); loans != nil {
		loans.CloseIdle(nil)
	}
}

// Idle returns a copy of what is known about the idle sets.
func (p *Pool) Idle() []Set {
	out := p.idleSets()
	if loans := p.lending(); loans != nil {
		out = loans.idleSets(out)
	}
	return out
}

func (p *Pool) idleSets() []Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Set, len(p.idle))
	for i, set := range p.idle {
		out[i] = set.copied()
	}
	return out
}

// NodeOf finds the node on which one of our connections has a backend process with this
// number.
func (p *Pool) NodeOf(pid uint32) (config.NodeID, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		if conn.PID() == pid {
			return conn.Node(), true
		}
	}
	return 0, false
}

// Open is the number of open connections to each node.
func (p *Pool) Open() map[config.NodeID]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[config.NodeID]int{}
	for conn := range p.open {
		out[conn.Node()]++
	}
	return out
}
