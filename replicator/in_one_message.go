package replicator

import (
	"bytes"
	"context"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// ExecuteAndCommit has each node execute a statement and commit it, which Start sends in one message, on all
// nodes at the same time and within the Window. The statement is one that ExecuteAtOnce may run. Its answers are
// compared when it is a fact: a node that has refused what another has committed is given it once more, since the
// ticket keeps its row as it was; it is among Fence if that fails, and so is one whose answer is outvoted.
// An error is the end of ctx before anything was sent.
func ExecuteAndCommit(ctx context.Context, nodes []Node, opt CommitOptions) (d Decision, err error) {
	err = opt.Window.run(ctx, commits, opt.Bound, func() {
		r := wholeRound{commitRound: commitRound{gate: opt.Gate, token: opt.Gate.enter(nodes)}}
		defer r.gate.leaveAll(nodes, r.token)
		d = r.run(nodes)
	})
	return d, err
}

// wholeRound is a commitRound in which nodes answer a statement.
type wholeRound struct {
	commitRound
	answers []nodeAnswer // of those who have committed
	told    []byte       // the tags that the frontend was shown; nil for an error
}

type nodeAnswer struct {
	node   Node
	answer *wire.Answer
}

func (r *wholeRound) run(nodes []Node) Decision {
	for i, node := range nodes {
		r.gate.Caught(node.ID())
		if err := node.Start(i == 0); err != nil {
			r.lose(node, err)
		}
	}
	for _, node := range nodes {
		if !isLost(r.lost, node) {
			r.finish(node, len(r.answers)+len(r.refused) == 0)
		}
	}
	if len(r.answers) == 0 {
		return r.decide()
	}
	r.giveAgain()
	r.confirmed = r.elected(len(nodes))
	d := r.outvote(r.decide())
	d.Untold = !bytes.Equal(r.told, d.Answer.Tags)
	return d
}

// finish reads what one node answers.
func (r *wholeRound) finish(node Node, visible bool) {
	answer, err := node.Finish(visible)
	switch {
	case err != nil:
		r.lose(node, err)
	case answer.Failed():
		r.refused = append(r.refused, refusal{node, answer})
		return // the gate stays closed until it has been given it again
	default:
		r.answers = append(r.answers, nodeAnswer{node, answer})
		if visible {
			r.told = answer.Tags
		}
	}
	r.gate.leave(node.ID(), r.token)
}

// giveAgain gives the statement once more to the nodes that have refused it. Nobody can cancel it there any more.
func (r *wholeRound) giveAgain() {
	again := r.refused
	r.refused = nil
	for _, no := range again {
		if err := no.node.Start(false); err != nil {
			r.lose(no.node, err)
			continue
		}
		r.finish(no.node, false)
	}
}

// elected is the answer that more than half of all nodes gave, or else the first one.
func (r *wholeRound) elected(asked int) *wire.Answer {
	for _, candidate := range r.answers {
		count := 0
		for _, it := range r.answers {
			if bytes.Equal(it.answer.Tags, candidate.answer.Tags) {
				count++
			}
		}
		if 2*count > asked {
			return candidate.answer
		}
	}
	return r.answers[0].answer
}

// outvote adds the nodes that have committed something else.
func (r *wholeRound) outvote(d Decision) Decision {
	for _, it := range r.answers {
		if difference, differs := compareAnswers(it.node.ID(), d.Answer, it.answer); differs {
			d.Fence = append(d.Fence, Loss{Node: it.node})
			d.Refused = append(d.Refused, difference)
		}
	}
	return d
}
