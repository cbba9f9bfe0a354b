package session

import (
	"sync/atomic"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// Counters count statements, for SHOW POOL_NODES and POOL_BACKEND_STATS. Safe for
// concurrent use.
type Counters struct {
	reads [config.MaxNodes]atomic.Uint64
	kinds [parser.Utility + 1]atomic.Uint64
}

// read counts a read that one node was sent.
func (c *Counters) read(id config.NodeID) {
	if id >= 0 && id < config.MaxNodes {
		c.reads[id].Add(1)
	}
}

func (c *Counters) count(kind parser.Kind) { c.kinds[kind].Add(1) }

// Reads is the number of reads that a node was sent alone.
func (c *Counters) Reads(id config.NodeID) uint64 { return c.reads[id].Load() }

// Kind is the number of statements of a kind.
func (c *Counters) Kind(kind parser.Kind) uint64 { return c.kinds[kind].Load() }
