package replicator

import (
	"bytes"
	"context"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// CommitMode is the order in which nodes are sent COMMIT.
type CommitMode uint8

const (
	// Parallel sends COMMIT to all nodes at once: one round trip and one flush.
	Parallel CommitMode = iota
	// MainFirst waits for main, which may refuse where the others would not: a
	// SERIALIZABLE transaction conflicts with others that only main has seen.
	MainFirst
)

// Decision is what became of a transaction.
type Decision struct {
	// Committed: at least one node has it, so it is a fact.
	Committed bool
	// Unknown: every connection was lost before an answer came.
	Unknown bool
	// Answer is that of the first node that answered; its error is what the
	// frontend is told when the transaction was not committed. nil with Unknown.
	Answer *wire.Answer
	// Fence are the nodes that must not stay: they did not confirm what another
	// has confirmed, or may have committed what the others refused.
	Fence []Loss
	// Refused are the nodes among Fence that answered with an error or a ROLLBACK.
	Refused []Difference
}

// CommitOptions are what a commit needs to know beyond the nodes.
type CommitOptions struct {
	Mode   CommitMode
	Gate   *Gate
	Window *Window // nil: snapshots need not be kept apart
}

// CommitWithin is Commit inside the window. An error is the end of ctx before anything
// was sent: the transaction is as it was, and can be rolled back.
func CommitWithin(ctx context.Context, nodes []Node, opt CommitOptions) (d Decision, err error) {
	err = opt.Window.Commit(ctx, func() { d = Commit(nodes, opt.Mode, opt.Gate) })
	return d, err
}

// Commit ends a transaction on the nodes, which are in node order.
func Commit(nodes []Node, mode CommitMode, gate *Gate) Decision {
	token := gate.enter(nodes)
	defer gate.leaveAll(nodes, token) // they have left by then, if nothing panics
	var round commitRound
	if mode == MainFirst && len(nodes) > 1 {
		round.send(nodes[:1], gate, token)
		if len(round.refused) > 0 {
			gate.leaveAll(nodes[1:], token)
			rollback(nodes[1:])
			return round.decide()
		}
		nodes = nodes[1:]
	}
	round.send(nodes, gate, token)
	return round.decide()
}

// commitRound collects who said what.
type commitRound struct {
	confirmed *wire.Answer // the first that did; nil for none
	refused   []refusal
	lost      []Loss
}

type refusal struct {
	node   Node
	answer *wire.Answer
}

// send sends COMMIT to the nodes and reads what they answer.
func (r *commitRound) send(nodes []Node, gate *Gate, token uint64) {
	for _, node := range nodes {
		if err := node.StartEnd(true); err != nil {
			gate.leave(node.ID(), token)
			r.lost = append(r.lost, Loss{Node: node, Err: err})
		}
	}
	for _, node := range nodes {
		if isLost(r.lost, node) {
			continue
		}
		answer, err := node.Finish(r.confirmed == nil && len(r.refused) == 0)
		gate.leave(node.ID(), token)
		switch {
		case err != nil:
			r.lost = append(r.lost, Loss{Node: node, Err: err})
		case !confirms(answer):
			r.refused = append(r.refused, refusal{node, answer})
		case r.confirmed == nil:
			r.confirmed = answer
		}
	}
}

// confirms reports whether a COMMIT took effect. PostgreSQL answers with the tag
// ROLLBACK when the block had failed before.
func confirms(a *wire.Answer) bool {
	return !a.Failed() && !bytes.Equal(a.Tags, []byte("ROLLBACK\x00"))
}

// decide draws the conclusion; pure.
func (r *commitRound) decide() Decision {
	d := Decision{Committed: r.confirmed != nil}
	switch {
	case d.Committed:
		d.Answer = r.confirmed
		d.Fence = append(d.Fence, r.lost...)
		for _, no := range r.refused {
			d.Fence = append(d.Fence, Loss{Node: no.node})
			difference, _ := compareAnswers(no.node.ID(), d.Answer, no.answer)
			d.Refused = append(d.Refused, difference)
		}
	case len(r.refused) > 0:
		d.Answer = r.refused[0].answer
		d.Fence = r.lost
	default:
		d.Unknown = true
	}
	return d
}

// Rollback ends a transaction that shall have no effect, on every node that can
// still be reached; a node that cannot has rolled back by itself.
func Rollback(nodes []Node, visible bool) (lost []Loss) {
	for _, node := range nodes {
		if err := node.StartEnd(false); err != nil {
			lost = append(lost, Loss{Node: node, Err: err})
		}
	}
	for _, node := range nodes {
		if isLost(lost, node) {
			continue
		}
		if _, err := node.Finish(visible); err != nil {
			lost = append(lost, Loss{Node: node, Err: err})
			continue
		}
		visible = false
	}
	return lost
}

func rollback(nodes []Node) { Rollback(nodes, false) }
