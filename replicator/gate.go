package replicator

import (
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

	mu        sync.Mutex // guards the fields below
	open      []uint64   // tokens, the oldest first
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
	for i, open := range l.open {
		if open == token {
			l.open = append(l.open[:i], l.open[i+1:]...)
			break
		}
	}
	l.busy.Store(int32(len(l.open)))
	l.mu.Unlock()
	l.confirmed.Broadcast()
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
	for l.oldest() <= limit {
		l.confirmed.Wait()
	}
	l.mu.Unlock()
}

// oldest is the oldest commit under way; the largest number when there is none.
func (l *lane) oldest() uint64 {
	least := ^uint64(0)
	for _, token := range l.open {
		least = min(least, token)
	}
	return least
}

// Settled waits until a node has confirmed the commits that are under way now.
func (g *Gate) Settled(id config.NodeID) { g.wait(id, g.newest()) }
