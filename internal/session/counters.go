package session

import (
	"sync/atomic"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// Counters count what each node was sent and what it answered badly, since the start
// (SHOW POOL_NODES, SHOW POOL_BACKEND_STATS). Safe for concurrent use.
type Counters struct {
	nodes [config.MaxNodes]nodeCounters
}

type nodeCounters struct {
	sent          [parser.Utility + 1]atomic.Uint64
	errors, fatal atomic.Uint64
	panics        atomic.Uint64
}

// sent counts a statement that a node was sent.
func (c *Counters) sent(id config.NodeID, kind parser.Kind) { c.nodes[id].sent[kind].Add(1) }

// failed counts an ErrorResponse by its severity.
func (c *Counters) failed(id config.NodeID, severity string) {
	n := &c.nodes[id]
	switch severity {
	case "FATAL":
		n.fatal.Add(1)
	case "PANIC":
		n.panics.Add(1)
	default:
		n.errors.Add(1)
	}
}

// Sent is the number of statements of the given kinds that a node was sent.
func (c *Counters) Sent(id config.NodeID, kinds ...parser.Kind) uint64 {
	total := uint64(0)
	for _, kind := range kinds {
		total += c.nodes[id].sent[kind].Load()
	}
	return total
}

// Failed is the number of errors that a node answered with, by severity.
func (c *Counters) Failed(id config.NodeID) (errors, fatal, panics uint64) {
	n := &c.nodes[id]
	return n.errors.Load(), n.fatal.Load(), n.panics.Load()
}
