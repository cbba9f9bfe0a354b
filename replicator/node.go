package replicator

import (
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// Node is what the replicator needs of one backend connection. The statement has
// been given to it before.
//
// All calls but Silent come from one goroutine. After an error from any of them the
// replicator uses the Node no more and reports it as lost.
type Node interface {
	ID() config.NodeID
	// Start sends the statement, with what this node lacks in front: its BEGIN, a
	// prepared statement. answers is set for the node whose answer the frontend gets.
	Start(answers bool) error
	// StartEnd sends what ends the node's part of the transaction.
	StartEnd(Ending) error
	// Finish reads the answer to what was started, up to its end or to the request
	// for copy data. The frontend is given the answer if visible is set. The
	// Answer belongs to the Node and is valid until its next Start.
	Finish(visible bool) (*wire.Answer, error)
	// Silent reports, without waiting, whether the connection has neither ended nor
	// brought anything since the last answer was read. Other goroutines may call it, but
	// only between Finish and the next Start.
	Silent() bool
}

// Loss is a node whose connection broke.
type Loss struct {
	Node Node
	Err  error
}
