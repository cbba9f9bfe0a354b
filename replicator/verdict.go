package replicator

import (
	"fmt"
	"slices"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Policy says what becomes of nodes that answer differently. The zero Policy takes
// none of them out.
type Policy struct {
	// StopOnMismatch is replication_stop_on_mismatch: for answers of another kind, such
	// as an error here and success there.
	StopOnMismatch bool
	// FailoverOnTuples is failover_if_affected_tuples_mismatch: for answers with another
	// number of inserted, updated or deleted rows.
	FailoverOnTuples bool
}

// Verdict is what follows from the differences between the nodes' answers.
type Verdict struct {
	// Fence are the nodes to be taken out of service; never all that have answered.
	Fence []Fenced
	// RollBack: the transaction cannot go on, also not without the fenced nodes. It has
	// to be rolled back on all of them, and the frontend be told 40001.
	RollBack bool
}

// Fenced is a node that the others have outvoted.
type Fenced struct {
	Node   config.NodeID
	Reason string // the parameter, what the node answered and what the others did
}

// Judge says what follows from the differences; pure. It is for work inside of a
// transaction: what cannot be rolled back is judged by main alone.
//
// The kinds of the answers are judged first, then the numbers of rows among the nodes
// with the right kind. An answer is right if more than half of the nodes that were
// asked gave it; when there is none, main's is. A node with another one is fenced if
// the parameter for it is on. Main may be outvoted; then the transaction is rolled back,
// since the frontend has main's answer. It goes on if all nodes that stay have
// answered as main did.
//
// Nobody is fenced for a difference that tells nothing about a node's data: an error of
// the moment, such as a deadlock, or values in the rows that were returned.
func (o *Outcome) Judge(p Policy) Verdict {
	var v Verdict
	votes := o.votes()
	trials := []trial{
		{by: "replication_stop_on_mismatch", of: seen.kind, fences: p.StopOnMismatch && !anyOfTheMoment(votes)},
		{by: "failover_if_affected_tuples_mismatch", of: seen.tuples, fences: p.FailoverOnTuples},
	}
	for _, t := range trials {
		if !t.disputed(votes) {
			continue
		}
		if !t.fences {
			v.RollBack = true
			return v
		}
		main := votes[0]
		votes = v.settle(t, votes, len(o.nodes)-len(v.Fence))
		if votes[0] != main {
			v.RollBack = true
			return v
		}
	}
	v.RollBack = o.Answer == nil || trial{of: seen.all}.disputed(votes)
	return v
}

// vote is what one node answered.
type vote struct {
	node config.NodeID
	seen seen
}

// votes are those of the nodes that have answered, main's first.
func (o *Outcome) votes() []vote {
	if o.Answer == nil {
		return nil
	}
	votes := append(make([]vote, 0, len(o.nodes)), vote{node: o.Main.ID(), seen: look(o.Answer)})
	for _, node := range o.nodes {
		if node.ID() != o.Main.ID() && !isLost(o.Lost, node) {
			votes = append(votes, vote{node: node.ID(), seen: o.seenOf(node.ID())})
		}
	}
	return votes
}

// seenOf is what the node answered: what main did, if it is not told to differ.
func (o *Outcome) seenOf(id config.NodeID) seen {
	for _, d := range o.Differ {
		if d.Node == id {
			return d.seen
		}
	}
	return look(o.Answer)
}

// trial is one property of the answers that nodes may be fenced for.
type trial struct {
	by     string // the parameter
	of     func(seen) string
	fences bool
}

func (t trial) disputed(votes []vote) bool {
	return slices.ContainsFunc(votes, func(it vote) bool { return t.of(it.seen) != t.of(votes[0].seen) })
}

// settle fences those who are not right and returns those who are. asked is how many a
// majority is to be more than half of: a node that was lost has not agreed to anything.
func (v *Verdict) settle(t trial, votes []vote, asked int) (stay []vote) {
	right, because := t.elect(votes, asked)
	for _, it := range votes {
		if t.of(it.seen) == t.of(right.seen) {
			stay = append(stay, it)
			continue
		}
		v.Fence = append(v.Fence, Fenced{Node: it.node, Reason: fmt.Sprintf("%s: answered %s, %s", t.by, it.seen, because)})
	}
	return stay
}

// elect finds a vote that is right, and says why it is.
func (t trial) elect(votes []vote, asked int) (right vote, because string) {
	for _, candidate := range votes {
		if count := t.count(votes, candidate); 2*count > asked {
			return candidate, fmt.Sprintf("%d of %d nodes %s", count, asked, candidate.seen)
		}
	}
	return votes[0], fmt.Sprintf("main node %s", votes[0].seen)
}

func (t trial) count(votes []vote, candidate vote) (n int) {
	for _, it := range votes {
		if t.of(it.seen) == t.of(candidate.seen) {
			n++
		}
	}
	return n
}

func anyOfTheMoment(votes []vote) bool {
	return slices.ContainsFunc(votes, func(it vote) bool { return it.seen.ofTheMoment() })
}
