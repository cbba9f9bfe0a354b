package lb

import (
	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
)

// ClusteringMode is backend_clustering_mode, as far as it matters for routing.
type ClusteringMode uint8

// The clustering modes.
const (
	// NativeReplication: every write runs on all nodes.
	NativeReplication ClusteringMode = iota
	// Raw: everything runs on the main node; the others stand by.
	Raw
)

// NoNode stands where no node has been chosen.
const NoNode config.NodeID = -1

// Input is all that Route looks at.
type Input struct {
	// Local: pgchorus answers the statement itself (SHOW POOL_NODES and the like).
	Local bool
	// ReadOnly: the parser says that the statement is safe on one node alone. It
	// changes nothing, takes no lock that matters and calls nothing that might.
	ReadOnly bool
	// Mode is the clustering mode.
	Mode ClusteringMode
	// LoadBalanceMode is load_balance_mode.
	LoadBalanceMode bool
	// ReplicateSelect is replicate_select: reads run on all nodes and are compared.
	ReplicateSelect bool
	// NoLoadBalance: the statement begins with the comment /*NO LOAD BALANCE*/ and
	// allow_sql_comments is on.
	NoLoadBalance bool
	// Txn is the transaction that the statement belongs to.
	Txn Txn
	// View says which nodes are live.
	View *cluster.View
	// Main is the session's main node, a live one.
	Main config.NodeID
	// LoadBalanceNode is the node that the session's reads go to. If it is not
	// live, reads go to Main.
	LoadBalanceNode config.NodeID
}

// Txn is what the frontend's transaction has done so far. The zero Txn is none.
type Txn struct {
	// Open: a transaction block is open, or an implicit one.
	Open bool
	// Wrote: a statement of it went to all nodes.
	Wrote bool
	// Failed: a statement of it failed, so that it can only end.
	Failed bool
	// RepeatableRead and Serializable are its isolation level, if that is above
	// READ COMMITTED.
	RepeatableRead, Serializable bool
	// ReadNode is the node that its reads went to so far, or NoNode.
	ReadNode config.NodeID
}

// oneSnapshot reports whether all of its statements have to see the same snapshot.
func (t Txn) oneSnapshot() bool { return t.RepeatableRead || t.Serializable }
