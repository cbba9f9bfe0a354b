package session

import (
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// State is what a session is doing.
type State uint32

// The states of SHOW POOL_PROCESSES.
const (
	Connecting State = iota
	Idle
	IdleInTransaction
	Busy
	// Queued: it waits for connections that are lent to others.
	Queued
)

// String gives Pgpool-II's words.
func (s State) String() string {
	switch s {
	case Idle:
		return "Idle"
	case IdleInTransaction:
		return "Idle in transaction"
	case Busy:
		return "Execute command"
	case Queued:
		return "Wait for a loan"
	}
	return "Connecting"
}

// Activity is a session as others may see it.
type Activity struct {
	ID              uint32
	User, Database  string
	Frontend        string
	State           State
	Started         time.Time // of the session
	Connected       time.Time // of its backend connections
	Uses            int       // sessions that had these connections
	LoadBalanceNode config.NodeID
	Backends        map[config.NodeID]uint32 // process numbers at log-in
	// Pin is why it keeps its connections between transactions although it is pooled by
	// transaction; empty if it does not.
	Pin string
}

// Activity returns what the session is doing, and false before log-in has ended. It
// may be called from any goroutine.
func (s *Session) Activity() (Activity, bool) {
	known := s.identity.Load()
	if known == nil {
		return Activity{}, false
	}
	a := Activity{
		ID:        s.id,
		User:      s.login.User,
		Database:  s.login.Database,
		Frontend:  s.front.NetConn().RemoteAddr().String(),
		Started:   s.started,
		Connected: known.connected,
		Uses:      known.uses,
		Backends:  make(map[config.NodeID]uint32, len(known.processes)),
	}
	for _, p := range known.processes {
		a.Backends[p.node] = p.pid
	}
	a.State = State(s.state.Load())
	if pin := s.shownPin.Load(); pin != nil {
		a.Pin = *pin
	}
	a.LoadBalanceNode = config.NodeID(s.shownNode.Load())
	return a, true
}

// note publishes what the session is doing. It costs two stores.
func (s *Session) note(state State) {
	if state == Idle && s.tx.status() != wire.TxIdle {
		state = IdleInTransaction
	}
	s.state.Store(uint32(state))
	s.shownNode.Store(int32(s.lb))
}

// identity is the part of an Activity that is known at the end of the log-in and is not the session's for good.
type identity struct {
	connected time.Time
	uses      int
	processes []backendProcess
}

// backendProcess is the process that serves a session on a node.
type backendProcess struct {
	node config.NodeID
	pid  uint32
}

// introduce publishes who the session is.
func (s *Session) introduce() {
	known := &identity{processes: make([]backendProcess, 0, len(s.links))}
	if s.set != nil {
		known.connected, known.uses = s.set.Created, s.set.Uses
	}
	for _, l := range s.links {
		if l != nil {
			known.processes = append(known.processes, backendProcess{l.ID(), l.conn.PID()})
		}
	}
	s.identity.Store(known)
}
