package replicator

import (
	"bytes"
	"context"
	"fmt"

	"github.com/pgchorus/pgchorus/internal/wire"
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
	// Untold: the frontend was shown something else than Answer (ExecuteAndCommit).
	Untold bool
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
	// Bound makes the context for a wait for the window; nil: ctx is that. Mostly there is
	// nothing to wait for.
	Bound Bound
	// Decided is called when the transaction is a fact and all that is left is that the others,
	// which have it prepared, commit it too (LastAgent). What nodes have not done of it yet is
	// waited for by whoever reads there (Gate.Caught). nil: nobody wants to know.
	Decided func()
}

// CommitWithin is Commit inside the window. An error is the end of ctx before anything
// was sent: the transaction is as it was, and can be rolled back.
func CommitWithin(ctx context.Context, nodes []Node, opt CommitOptions) (d Decision, err error) {
	err = opt.Window.run(ctx, commits, opt.Bound, func() { d = Commit(nodes, opt) })
	return d, err
}

// Commit ends a transaction on the nodes, which are in node order.
func Commit(nodes []Node, opt CommitOptions) Decision {
	mode := opt.Mode
	r := commitRound{gate: opt.Gate, token: opt.Gate.enter(nodes), decided: opt.Decided}
	defer r.gate.leaveAll(nodes, r.token) // they have left by then, if nothing panics
	if len(nodes) < 2 {
		mode = Parallel
	}
	switch mode {
	case MainLast:
		r.mainLast(nodes[0], nodes[1:])
	case MainFirst:
		r.mainFirst(nodes[0], nodes[1:])
	case LastAgent:
		r.lastAgent(nodes[0], nodes[1:])
	default:
		r.send(SendCommit, nodes...)
	}
	return r.decide()
}

// mainLast: if the others have all refused, main does not commit either.
func (r *commitRound) mainLast(main Node, others []Node) {
	r.send(SendCommit, others...)
	if r.isRefused() {
		r.rollBack(main)
		return
	}
	r.send(SendCommit, main)
}

// mainFirst: if main refuses, the others are not asked.
func (r *commitRound) mainFirst(main Node, others []Node) {
	r.send(SendCommit, main)
	if r.isRefused() {
		r.rollBack(others...)
		return
	}
	r.send(SendCommit, others...)
}

// lastAgent: main's COMMIT is the decision. If main is lost with it, the others have the
// transaction prepared, and nobody was told that it failed: they commit.
func (r *commitRound) lastAgent(main Node, others []Node) {
	r.start(SendPrepare, others)
	prepared := r.finish(SendPrepare, others)
	if r.isRefused() {
		r.rollBack(main)
		r.takeBack(prepared)
		return
	}
	r.send(SendCommit, main)
	if r.isRefused() {
		r.takeBack(prepared)
		return
	}
	r.start(SendCommitPrepared, prepared)
	if r.decided != nil && r.confirmed != nil && len(r.lost) == 0 {
		r.gate.decide(prepared, r.token)
		r.decided()
	}
	r.finish(SendCommitPrepared, prepared)
}

// commitRound collects who said what.
type commitRound struct {
	gate      *Gate
	token     uint64
	decided   func()       // CommitOptions.Decided
	confirmed *wire.Answer // of the first that did; nil for none
	refused   []refusal
	lost      []Loss
}

type refusal struct {
	node   Node
	answer *wire.Answer
}

// isRefused reports whether a node has refused and none has confirmed.
func (r *commitRound) isRefused() bool { return r.confirmed == nil && len(r.refused) > 0 }

// send sends the ending to the nodes and reads what they answer.
func (r *commitRound) send(e Ending, nodes ...Node) {
	r.start(e, nodes)
	r.finish(e, nodes)
}

func (r *commitRound) start(e Ending, nodes []Node) {
	for _, node := range nodes {
		if err := node.StartEnd(e); err != nil {
			r.lose(node, err)
		}
	}
}

// finish reads what the nodes answer. It returns those that have prepared the transaction.
func (r *commitRound) finish(e Ending, nodes []Node) (prepared []Node) {
	for _, node := range nodes {
		if isLost(r.lost, node) {
			continue
		}
		answer, err := node.Finish(r.confirmed == nil && len(r.refused) == 0)
		switch {
		case err != nil:
			r.lose(node, err)
			continue
		case !confirms(answer):
			r.refused = append(r.refused, refusal{node, answer})
		case e == SendPrepare:
			prepared = append(prepared, node)
		case r.confirmed == nil:
			r.confirmed = answer
		}
		if e != SendPrepare {
			r.gate.leave(node.ID(), r.token)
		}
	}
	return prepared
}

func (r *commitRound) lose(node Node, err error) {
	r.gate.leave(node.ID(), r.token)
	r.lost = append(r.lost, Loss{Node: node, Err: err})
}

// rollBack ends the parts of nodes that have not been asked to commit. One that is lost
// meanwhile has rolled back by itself.
func (r *commitRound) rollBack(nodes ...Node) {
	r.gate.leaveAll(nodes, r.token)
	Rollback(nodes, false)
}

// takeBack ends what was prepared. The frontend may only be told of a failure when every
// node has done so: one that does not answer still has it, and must go.
func (r *commitRound) takeBack(prepared []Node) {
	for _, node := range prepared {
		if err := node.StartEnd(SendRollbackPrepared); err != nil {
			r.lose(node, err)
		}
	}
	for _, node := range prepared {
		if isLost(r.lost, node) {
			continue
		}
		answer, err := node.Finish(false)
		if err == nil && answer.Failed() {
			err = fmt.Errorf("prepared transaction not rolled back: %s", describe(answer))
		}
		if err != nil {
			r.lose(node, err)
			continue
		}
		r.gate.leave(node.ID(), r.token)
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
		if err := node.StartEnd(SendRollback); err != nil {
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
