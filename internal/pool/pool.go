package pool

import (
	"context"
	"sync"
	"time"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// Pool keeps idle sets and knows all open connections. Safe for concurrent use.
type Pool struct {
	mu   sync.Mutex // guards the fields below
	idle []*Set     // the one released longest ago comes first
	max  int
	open map[*backend.Conn]struct{}
}

// New returns a pool that keeps at most max idle sets (max_pool times
// num_init_children).
func New(max int) *Pool {
	return &Pool{max: max, open: map[*backend.Conn]struct{}{}}
}

// Take lends the idle set that was used last under key, or nil. Connections that
// are no longer usable have been closed and taken out of it.
func (p *Pool) Take(key Key) *Set {
	set := p.takeIdle(key)
	if set == nil {
		return nil
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
			return set
		}
	}
	return nil
}

// Put takes a set back, which has been reset. The set released longest ago makes
// room for it.
func (p *Pool) Put(set *Set) {
	set.Disconnected = time.Now()
	var evicted *Set
	p.mu.Lock()
	p.idle = append(p.idle, set)
	if len(p.idle) > p.max {
		evicted, p.idle = p.idle[0], p.idle[1:]
	}
	p.mu.Unlock()
	if evicted != nil {
		p.CloseSet(evicted)
	}
}

// Connect opens a connection to a node.
func (p *Pool) Connect(ctx context.Context, id config.NodeID, a backend.Address, params map[string]string, logIn backend.LogIn) (*backend.Conn, error) {
	conn, err := backend.Connect(ctx, id, a, params, logIn)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.open[conn] = struct{}{}
	p.mu.Unlock()
	return conn, nil
}

// Close ends a connection politely: with a Terminate, if it can still be sent.
// The caller owns conn.
func (p *Pool) Close(conn *backend.Conn) {
	p.mu.Lock()
	delete(p.open, conn)
	p.mu.Unlock()
	conn.SetDeadline(time.Now().Add(terminateTimeout))
	conn.SetOutbox(wire.AppendTerminate(conn.Outbox()))
	conn.Flush()
	conn.Conn.Close()
}

// terminateTimeout bounds the good-bye to a server that no longer reads.
const terminateTimeout = time.Second

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
			conn.Conn.Close()
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
}

// Idle returns a copy of what is known about the idle sets.
func (p *Pool) Idle() []Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Set, len(p.idle))
	for i, set := range p.idle {
		out[i] = *set
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
