package lb

import (
	"github.com/pgchorus/pgchorus/internal/config"
)

// rule is one question of a decision; the first one that applies decides. Route and
// Explain go through the same list and ask by the same functions, so that what is
// explained is what is done.
type rule uint8

const (
	answeredHere rule = iota
	rawMode
	keptOnMain
	replicationHint
	notRead
	failed
	snapshotReadOnly
	replicateSelect
	control
	sessionState
	primaryNeeded
	loadBalanceMode
	mainOnly
	transactionPinned
	transactionWrote
	sessionWrote
	isolation
	touched
	standby
	endOfRules
)

// The rules of each kind of mode, in order. What outranks all else in the modes that
// replicate, notRead, has nothing before it that could send a write to one node.
var (
	rulesOfRaw         = []rule{answeredHere, rawMode}
	rulesOfReplication = []rule{answeredHere, keptOnMain, notRead, failed, replicationHint, snapshotReadOnly, replicateSelect,
		loadBalanceMode, mainOnly, transactionWrote, sessionWrote, isolation, standby}
	rulesOfPrimary = []rule{answeredHere, failed, control, sessionState, primaryNeeded,
		loadBalanceMode, mainOnly, transactionPinned, transactionWrote, sessionWrote, isolation, touched, standby}
)

// rules are those of the mode.
func (m ClusteringMode) rules() []rule {
	switch {
	case m == Raw:
		return rulesOfRaw
	case m.HasPrimary():
		return rulesOfPrimary
	}
	return rulesOfReplication
}

// applies asks one question.
func (in *Input) applies(r rule) bool {
	t, p := &in.Traits, in.Policy
	switch r {
	case answeredHere:
		return in.Local
	case notRead, primaryNeeded:
		return t.Class != Read
	case failed:
		return in.Txn.Failed && !t.EndsFailure
	case keptOnMain:
		return t.OnMain
	case replicationHint:
		return t.Everywhere
	case snapshotReadOnly:
		return in.mayBalanceReadOnly()
	case replicateSelect:
		return p.ReplicateSelect
	case control:
		return t.Class == Control
	case sessionState:
		return t.Class == State && !in.Txn.Open
	case loadBalanceMode:
		return !p.LoadBalance
	case mainOnly:
		return t.MainOnly
	case transactionPinned:
		return in.Txn.Open && in.Txn.Pinned
	case transactionWrote:
		return in.Txn.Open && in.Txn.Wrote && p.followsWrites()
	case sessionWrote:
		return in.keepsToMain()
	case isolation:
		return in.needsMainSnapshot()
	case touched:
		return in.Touched.Reason != None
	}
	return true // rawMode and standby, the last ones
}

// decide is where a statement goes for which a rule applies.
func (in *Input) decide(r rule) Decision {
	t := &in.Traits
	switch r {
	case answeredHere:
		return to(Here, AnsweredHere, "")
	case rawMode:
		return oneNode(in.Main, RawMode)
	case notRead:
		return to(AllNodes, t.why(), t.Name)
	case failed:
		// The failure may have been on one node only, and any other would
		// happily run the statement: PostgreSQL's 25P02 has to come from us.
		return to(Here, TransactionFailed, "")
	case keptOnMain:
		return in.main(t.Reason, t.Name)
	case replicationHint:
		return to(AllNodes, ReplicationHint, "")
	case snapshotReadOnly:
		return in.balance(ReadOnlyTransaction)
	case replicateSelect:
		return to(AllNodes, ReplicateSelect, "")
	case control, sessionState:
		return to(SessionNodes, t.Reason, t.Name)
	case primaryNeeded:
		return in.main(t.why(), t.Name)
	case loadBalanceMode:
		return in.main(LoadBalanceOff, "")
	case mainOnly:
		return in.main(t.Reason, t.Name)
	case transactionPinned:
		return in.main(TransactionPinned, "")
	case transactionWrote:
		return in.main(TransactionWrote, "")
	case sessionWrote:
		return in.main(SessionWrote, "")
	case isolation:
		return in.main(in.whyOneSnapshot(), "")
	case touched:
		return in.main(in.Touched.Reason, in.Touched.Name)
	}
	return in.balance(LoadBalanced)
}

// main sends to the main node. A primary that is not known is none of the others.
func (in *Input) main(r Reason, name string) Decision {
	if in.Main == NoNode {
		return to(NoPrimary, r, name)
	}
	return Decision{Target: OneNode, Node: in.Main, Reason: r, Name: name}
}

// mayBalanceReadOnly: in snapshot_isolation all nodes show a read-only transaction the
// same, which is asked before replicate_select (as in Pgpool-II). A serializable one is
// left out: whether it may go on is known where the writes are.
func (in *Input) mayBalanceReadOnly() bool {
	return in.Policy.Mode == SnapshotIsolation && in.Txn.Open && in.Txn.ReadOnly && !in.Txn.Serializable &&
		in.Policy.LoadBalance && !in.Traits.MainOnly
}

// keepsToMain is for the values of disable_load_balance_on_write that outlast the
// transaction.
func (in *Input) keepsToMain() bool {
	switch in.Policy.WriteRule {
	case config.WriteRuleAlways:
		return in.Past.Wrote
	case config.WriteRuleTransTransaction:
		return in.Past.WroteInTransaction && in.Txn.Open && in.Txn.Explicit
	}
	return false
}

// needsMainSnapshot: a transaction that keeps a snapshot may write later, and then has
// to have read what the main node saw; else it would overwrite what it has not seen
// and no conflict be found. A serializable one has to be where conflicts are watched, a
// read outside of a block too: it may be what completes a cycle (and no standby runs it).
// In snapshot_isolation all nodes have taken the same snapshot; on a standby, one
// that cannot write does with a snapshot of the standby.
func (in *Input) needsMainSnapshot() bool {
	switch {
	case in.Txn.Serializable:
		return true
	case !in.Txn.Open:
		return false
	case !in.Txn.RepeatableRead || in.Policy.Mode == SnapshotIsolation:
		return false
	}
	return !in.Policy.Mode.HasPrimary() || !in.Txn.ReadOnly
}

func (in *Input) whyOneSnapshot() Reason {
	if in.Txn.Serializable {
		return SerializableTransaction
	}
	return OneSnapshot
}

// balance sends to the node of the session's reads. A transaction stays with the node
// it reads from, so that its reads do not go back in time between nodes.
func (in *Input) balance(r Reason) Decision {
	if in.Txn.Open && in.View.Up(in.Txn.ReadNode) {
		d := oneNode(in.Txn.ReadNode, TransactionReads)
		if in.Txn.RepeatableRead {
			return d // its snapshot is there, however old it is
		}
		return in.checked(d)
	}
	if in.View.Up(in.LoadBalanceNode) {
		return in.checked(oneNode(in.LoadBalanceNode, r))
	}
	return in.main(LoadBalanceNodeDown, "")
}

// checked lets a standby have the read unless it is too far behind.
func (in *Input) checked(d Decision) Decision {
	if !in.Policy.Mode.HasPrimary() || d.Node == in.Main {
		return d
	}
	if in.Policy.checksDelay() && in.Policy.over(lagOf(in.Lags, d.Node)) {
		if d = in.lowerDelay(); d.Reason != LowerDelay {
			return d
		}
	}
	if in.Stale {
		return in.main(NotYetReplayed, "")
	}
	return d
}

// lowerDelay is for a read whose standby is too far behind. Another standby might take
// a transaction that has read already back in time; the primary does not.
func (in *Input) lowerDelay() Decision {
	if in.Policy.PreferLowerDelay && !(in.Txn.Open && in.Txn.ReadNode != NoNode) {
		if id := leastDelayed(in.Policy, in.View, in.Main, in.Lags, in.Random); id != NoNode {
			return oneNode(id, LowerDelay)
		}
	}
	return in.main(DelayOver, "")
}
