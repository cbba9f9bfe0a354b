package replicator

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Gate knows which COMMITs are on their way to which node. A statement goes to
// another node only after that node has confirmed every commit that was under way
// when main answered the statement: what the statement saw on main, it sees there
// too (replication-correctness 5.3, step 4). One for all sessions; safe for
// concurrent use. A nil Gate keeps nobody waiting.
type Gate struct {
	token atomic.Uint64
	lanes [config.MaxNodes]lane
}

// NewGate returns an open gate.
func NewGate() *Gate {
	g := &Gate{}
	for i := range g.lanes {
		g.lanes[i].confirmed.L = &g.lanes[i].mu
	}
	return g
}

// lane is the commits on their way to one node.
type lane struct {
	busy atomic.Int32 // length of open, to be read without the lock
	owed atomic.Int32 // length of decided

	mu        sync.Mutex // guards the fields below
	open      []uint64   // tokens, the oldest first
	decided   []uint64   // those whose frontend may know that they are committed
	confirmed sync.Cond
}

// enter notes that COMMIT is about to be sent to the nodes.
func (g *Gate) enter(nodes []Node) uint64 {
	if g == nil {
		return 0
	}
	token := g.token.Add(1)
	for _, node := range nodes {
		l := &g.lanes[node.ID()]
		l.mu.Lock()
		l.open = append(l.open, token)
		l.busy.Store(int32(len(l.open)))
		l.mu.Unlock()
	}
	return token
}

// leave notes that a node has confirmed, refused, or was lost.
func (g *Gate) leave(id config.NodeID, token uint64) {
	if g == nil {
		return
	}
	l := &g.lanes[id]
	l.mu.Lock()
	l.open = remove(l.open, token)
	l.decided = remove(l.decided, token)
	l.busy.Store(int32(len(l.open)))
	l.owed.Store(int32(len(l.decided)))
	l.mu.Unlock()
	l.confirmed.Broadcast()
}

func remove(tokens []uint64, token uint64) []uint64 {
	if at := slices.Index(tokens, token); at >= 0 {
		return slices.Delete(tokens, at, at+1)
	}
	return tokens
}

// decide notes that the frontend is about to be told of a commit that the nodes still have to
// confirm.
func (g *Gate) decide(nodes []Node, token uint64) {
	if g == nil {
		return
	}
	for _, node := range nodes {
		l := &g.lanes[node.ID()]
		l.mu.Lock()
		l.decided = append(l.decided, token)
		l.owed.Store(int32(len(l.decided)))
		l.mu.Unlock()
	}
}

// Caught returns when a node shows every commit that a frontend had been told of when it was
// called. A read waits for that on its node. Such commits wait for no lock, so that whoever
// waits for them may hold some.
func (g *Gate) Caught(id config.NodeID) {
	if g == nil || g.lanes[id].owed.Load() == 0 {
		return
	}
	l, limit := &g.lanes[id], g.newest()
	l.mu.Lock()
	for oldest(l.decided) <= limit {
		l.confirmed.Wait()
	}
	l.mu.Unlock()
}

// leaveAll notes it of all nodes; those that have been noted may be among them.
func (g *Gate) leaveAll(nodes []Node, token uint64) {
	if g == nil {
		return
	}
	for _, node := range nodes {
		if g.lanes[node.ID()].busy.Load() > 0 {
			g.leave(node.ID(), token)
		}
	}
}

// newest is the newest commit so far; 0 for none.
func (g *Gate) newest() uint64 {
	if g == nil {
		return 0
	}
	return g.token.Load()
}

// wait returns when every commit up to limit has left the node's lane.
func (g *Gate) wait(id config.NodeID, limit uint64) {
	if g == nil {
		return
	}
	l := &g.lanes[id]
	if l.busy.Load() == 0 {
		return
	}
	l.mu.Lock()
	for oldest(l.open) <= limit {
		l.confirmed.Wait()
	}
	l.mu.Unlock()
}

// oldest is the oldest commit; the largest number when there is none.
func oldest(tokens []uint64) uint64 {
	least := ^uint64(0)
	for _, token := range tokens {
		least = min(least, token)
	}
	return least
}

// Settled waits until a node has confirmed the commits that are under way now.
func (g *Gate) Settled(id config.NodeID) { g.wait(id, g.newest()) }
