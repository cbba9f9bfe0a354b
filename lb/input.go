package lb

import (
	"time"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
)

// Input is all that Route looks at.
type Input struct {
	// Local: pgchorus answers the statement itself (SHOW POOL_NODES and the like).
	Local bool
	// Traits are the statement's, as Examine has drawn them; those of the prepared
	// statement for EXECUTE.
	Traits Traits
	// Policy is what the configuration says.
	Policy *Policy
	// Txn is the transaction that the statement belongs to.
	Txn Txn
	// Past is what the session has done before.
	Past Past
	// Touched is what the statement reads that was written lately, if the policy is
	// Adaptive, or is a temporary table of the session. See Track.
	Touched Touch
	// Stale: the standby that Route has chosen for the statement without it has not
	// replayed what the session wrote (read_consistency = session). The session finds
	// out for the node of the first answer, and asks again if it has not.
	Stale bool
	// View says which nodes are live.
	View *cluster.View
	// Main is the session's main node, a live one: in the modes with a primary that
	// is the primary, or NoNode while none is known.
	Main config.NodeID
	// LoadBalanceNode is the node that the session's reads go to. If it is not
	// live, reads go to Main.
	LoadBalanceNode config.NodeID
	// Lags tells how far standbys are behind; it may be nil, which is not known.
	Lags Lags
	// Random is used when another standby than LoadBalanceNode is chosen
	// (prefer_lower_delay_standby): a random number over the whole range.
	Random uint64
}

// Txn is what the frontend's transaction has done so far. The zero Txn is none.
type Txn struct {
	// Open: a transaction block is open, or an implicit one.
	Open bool
	// Explicit: the frontend opened it.
	Explicit bool
	// Wrote: a statement of it may have written (class Write).
	Wrote bool
	// Pinned: what a statement of it has left is on the main node only, as Traits.Pins
	// says: a savepoint, SET LOCAL, a cursor (modes with a primary).
	Pinned bool
	// Failed: a statement of it failed, so that it can only end.
	Failed bool
	// ReadOnly: PostgreSQL refuses writes in it (BEGIN READ ONLY, or
	// default_transaction_read_only).
	ReadOnly bool
	// RepeatableRead and Serializable are its isolation level, if that is above
	// READ COMMITTED.
	RepeatableRead, Serializable bool
	// ReadNode is the node that its reads went to so far, or NoNode.
	ReadNode config.NodeID
}

// Past is what the session has written so far, as far as disable_load_balance_on_write
// asks.
type Past struct {
	Wrote              bool // at any time
	WroteInTransaction bool // in a transaction that the frontend opened
}

// Lags tells how far a standby is behind. It has to be cheap: it is asked for reads.
type Lags interface {
	Lag(id config.NodeID) Lag
}

// Lag is how far a standby is behind the primary.
type Lag struct {
	Known bool // false: there is no fresh evidence
	Bytes int64
	Time  time.Duration
}

// over reports whether a standby may not be read. What is not known is too much. The
// threshold of time wins if both are given.
func (p *Policy) over(lag Lag) bool {
	switch {
	case p.DelayThresholdTime > 0:
		return !lag.Known || lag.Time > p.DelayThresholdTime
	case p.DelayThreshold > 0:
		return !lag.Known || lag.Bytes > p.DelayThreshold
	}
	return false
}

// checksDelay reports whether lag matters.
func (p *Policy) checksDelay() bool {
	return p.Mode.HasPrimary() && (p.DelayThreshold > 0 || p.DelayThresholdTime > 0)
}

func lagOf(l Lags, id config.NodeID) Lag {
	if l == nil {
		return Lag{}
	}
	return l.Lag(id)
}
