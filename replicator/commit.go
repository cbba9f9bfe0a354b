package replicator

import (
	"bytes"

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

// Commit ends a transaction on the nodes, which are in node order.
func Commit(nodes []Node, mode CommitMode, gate *Gate) Decision {
	token := gate.enter(nodes)
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
	confirmed []*wire.Answer
	refused   []refusal
	lost      []Loss
}

type refusal struct {
	node   Node
	answer *wire.Answer
}

// send sends COMMIT to the nodes and reads what they answer.
func (r *commitRound) send(nodes []Node, gate *Gate, token uint64) {
	started := make([]Node, 0, len(nodes))
	for _, node := range nodes {
		if err := node.StartEnd(true); err != nil {
			gate.leave(node.ID(), token)
			r.lost = append(r.lost, Loss{Node: node, Err: err})
			continue
		}
		started = append(started, node)
	}
	for _, node := range started {
		answer, err := node.Finish(len(r.confirmed)+len(r.refused) == 0)
		gate.leave(node.ID(), token)
		switch {
		case err != nil:
			r.lost = append(r.lost, Loss{Node: node, Err: err})
		case confirms(answer):
			r.confirmed = append(r.confirmed, answer)
		default:
			r.refused = append(r.refused, refusal{node, answer})
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
	d := Decision{Committed: len(r.confirmed) > 0}
	switch {
	case d.Committed:
		d.Answer = r.confirmed[0]
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
	started := make([]Node, 0, len(nodes))
	for _, node := range nodes {
		if err := node.StartEnd(false); err != nil {
			lost = append(lost, Loss{Node: node, Err: err})
			continue
		}
		started = append(started, node)
	}
	for _, node := range started {
		if _, err := node.Finish(visible); err != nil {
			lost = append(lost, Loss{Node: node, Err: err})
			continue
		}
		visible = false
	}
	return lost
}

func rollback(nodes []Node) { Rollback(nodes, false) }
