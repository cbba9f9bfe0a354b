package replicator

import (
	"context"
	"errors"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// Options are what Execute needs to know beyond the nodes. The functions may be used for one
// statement after another.
type Options struct {
	// Repeatable reports whether the statement may be run on another node when
	// main was lost: nothing of its answer has reached the frontend.
	Repeatable func() bool
	// GoOn is asked, after main was lost, whether the next node takes its place. It
	// returns when it is settled that nobody uses the lost one as main any more, or
	// false if that stays in service. nil goes on.
	GoOn func(ctx context.Context, lost Loss) bool
	// Left reports whether a node is out of service. What it answered after that does
	// not count where it can be taken back: with another session's connection a lock may
	// have gone that keeps its place on the others. nil: none is.
	Left func(Node) bool
	// Holds: the transaction has done something before, so that others may be waiting for
	// its locks.
	Holds bool
	// Copy moves the frontend's copy data to the given nodes, which wait for it.
	// An error of a node is that node's next Finish; the error that Copy returns is
	// the frontend's, and ends the session.
	Copy func(ctx context.Context, nodes []Node) error
	// Relay gives what main has stored of copy data to the others, which wait for it; nil
	// where all nodes are given the frontend's. An error is one of the connection to main.
	Relay func(main Node, others []Node) error
	// Sent is called when the others have been sent what main has done, and before they
	// have answered; not for a COPY.
	Sent func()
	// Regardless has the others run the statement also when it failed on main with this
	// SQLSTATE: it may have committed a part of its work. nil is never.
	Regardless func(code string) bool
	// AfterFailure has the others run the statement also when it failed on main with
	// this SQLSTATE, so that what does not roll back, a sequence, stays in step. Their
	// answers do not matter then. nil is never.
	AfterFailure func(code string) bool
	// Withhold is asked when main has succeeded: true keeps the statement from the
	// others. An error is that main was lost. nil is never.
	Withhold func() (bool, error)
	Gate     *Gate
	Order    *Order
}

// Outcome is what became of a statement.
type Outcome struct {
	// Answer is the main node's, of which the frontend has what it shall have; nil
	// when no node is left.
	Answer *wire.Answer
	// Main is the node that Answer is from.
	Main Node
	// Lost are the nodes whose connection broke on the way.
	Lost []Loss
	// Differ are the nodes that answered otherwise than main.
	Differ []Difference
	// Broken is set when main was lost after a part of its answer had reached the
	// frontend: the statement can neither be repeated nor be answered.
	Broken bool
	// Withheld: the others have not been sent the statement.
	Withheld bool
	// Err is the frontend's error, from Copy.
	Err error

	nodes []Node // that were to run the statement; the caller's
}

// Failed reports whether main answered with an error, or nobody answered.
func (o *Outcome) Failed() bool { return o.Answer == nil || o.Answer.Failed() }

// Execute runs the statement on the first of the nodes, which are in node order,
// and, if it succeeds there, on the others. ctx is what GoOn and Copy are given.
func Execute(ctx context.Context, nodes []Node, opt Options) Outcome {
	out := Outcome{nodes: nodes}
	rest := out.onMain(ctx, nodes, opt)
	if out.Answer == nil {
		return out
	}
	main := out.Main // a COPY may have another one in the end
	defer opt.Order.leave(main.ID())
	defer opt.Order.arrived(main)
	if out.Answer.Failed() && (opt.Regardless == nil || !opt.Regardless(out.Answer.Code())) {
		if opt.AfterFailure != nil && opt.AfterFailure(out.Answer.Code()) {
			out.start(rest, opt.Gate)
			out.drain(rest)
		}
		return out
	}
	if out.Withheld {
		return out
	}
	copying := out.Answer.CopyIn
	if copying && opt.Relay != nil {
		out.relay(ctx, rest, opt)
		return out
	}
	out.start(rest, opt.Gate)
	switch {
	case copying:
		rest = out.copy(ctx, rest, opt)
	case opt.Sent != nil && !out.Answer.Failed():
		opt.Sent()
	}
	switch {
	case out.Err != nil:
	case copying && out.Failed():
		out.drain(rest) // they were told to give up
	default:
		out.compare(rest)
	}
	return out
}

// drain reads the others' answers, which do not matter: the transaction has failed.
func (o *Outcome) drain(nodes []Node) {
	for _, node := range nodes {
		if isLost(o.Lost, node) {
			continue
		}
		if _, err := node.Finish(false); err != nil {
			o.lose(node, err)
		}
	}
}

// onMain finds the node that executes the statement and returns those behind it.
func (o *Outcome) onMain(ctx context.Context, nodes []Node, opt Options) (rest []Node) {
	for i, node := range nodes {
		answer, err := runOrdered(node, opt)
		switch {
		case err != nil:
		case i+1 < len(nodes) && opt.disbelieves(node, answer):
			opt.Order.leave(node.ID())
			err = errLeft
		default:
			if o.Withheld, err = opt.withholds(answer); err == nil {
				o.Main, o.Answer = node, answer
				return nodes[i+1:]
			}
			opt.Order.arrived(node)
			opt.Order.leave(node.ID())
		}
		o.lose(node, err)
		if !errors.Is(err, errLeft) && !opt.Repeatable() {
			o.Broken = true
			return nil
		}
		if opt.GoOn != nil && !opt.GoOn(ctx, o.Lost[len(o.Lost)-1]) {
			return nil
		}
	}
	return nil
}

// errLeft is why the answer of a main node does not count.
var errLeft = errors.New("the node went out of service as it answered")

// withholds asks whether the statement is kept from the others.
func (opt *Options) withholds(main *wire.Answer) (bool, error) {
	if opt.Withhold == nil || main.Failed() {
		return false, nil
	}
	return opt.Withhold()
}

// disbelieves reports whether main's answer does not count, since main went out of service
// and the answer could be taken back. Otherwise the statement is on its way to the others.
func (opt *Options) disbelieves(main Node, answer *wire.Answer) bool {
	if !answer.CopyIn {
		opt.Order.follow(main, opt.Holds)
	}
	if opt.Left == nil || !opt.Left(main) || !opt.Repeatable() {
		return false
	}
	opt.Order.arrived(main)
	return true
}

// runOrdered runs the statement on the main node. It is under that main from then on, but
// not if the node was lost.
func runOrdered(node Node, opt Options) (answer *wire.Answer, err error) {
	opt.Gate.Caught(node.ID()) // it may be main since a moment ago only
	opt.Order.enter(node.ID(), opt.Holds)
	defer func() {
		if answer == nil { // lost, or a panic
			opt.Order.leave(node.ID())
		}
	}()
	return run(node)
}

func run(node Node) (*wire.Answer, error) {
	if err := node.Start(true); err != nil {
		return nil, err
	}
	return node.Finish(true)
}

// start sends the statement to the others.
func (o *Outcome) start(nodes []Node, gate *Gate) {
	limit := gate.newest()
	for _, node := range nodes {
		gate.wait(node.ID(), limit)
		if err := node.Start(false); err != nil {
			o.lose(node, err)
		}
	}
}

// compare reads the others' answers and notes which differ from main's.
func (o *Outcome) compare(nodes []Node) {
	for _, node := range nodes {
		if isLost(o.Lost, node) {
			continue
		}
		answer, err := node.Finish(false)
		if err != nil {
			o.lose(node, err)
			continue
		}
		if d, differ := compareAnswers(node.ID(), o.Answer, answer); differ {
			o.Differ = append(o.Differ, d)
		}
	}
}

// copy brings the others to where they wait for copy data, lets the data
// through to all, and takes main's answer. Main may be lost in between: the
// next node has had the same data, so its answer is as good.
func (o *Outcome) copy(ctx context.Context, others []Node, opt Options) (rest []Node) {
	waiting := o.awaitCopy(others, []Node{o.Main})
	if o.Err = opt.Copy(ctx, waiting); o.Err != nil {
		return nil
	}
	for i, node := range waiting {
		answer, err := node.Finish(true)
		if err == nil {
			o.Main, o.Answer = node, answer
			return waiting[i+1:]
		}
		o.lose(node, err)
	}
	o.Main, o.Answer = nil, nil
	return nil
}

// awaitCopy brings the others to where they wait for copy data, and adds them to those that
// do.
func (o *Outcome) awaitCopy(others, waiting []Node) []Node {
	for _, node := range others {
		if isLost(o.Lost, node) {
			continue
		}
		answer, err := node.Finish(false)
		switch {
		case err != nil:
			o.lose(node, err)
		case !answer.CopyIn:
			d, _ := compareAnswers(node.ID(), o.Answer, answer)
			o.Differ = append(o.Differ, d)
		default:
			waiting = append(waiting, node)
		}
	}
	return waiting
}

// relay has main alone take the copy data, and the others what main has made of it. If main
// is lost on the way, nobody has all of the data any more.
func (o *Outcome) relay(ctx context.Context, others []Node, opt Options) {
	main := o.Main
	if o.Err = opt.Copy(ctx, []Node{main}); o.Err != nil {
		return
	}
	answer, err := main.Finish(true)
	if err != nil {
		o.lose(main, err)
		o.Answer, o.Broken = nil, true
		return
	}
	if o.Answer = answer; answer.Failed() {
		return
	}
	o.start(others, opt.Gate)
	waiting := o.awaitCopy(others, nil)
	if err := opt.Relay(main, waiting); err != nil {
		o.drain(waiting)
		o.lose(main, err)
		o.Answer, o.Broken = nil, true
		return
	}
	o.compare(waiting)
}

func (o *Outcome) lose(node Node, err error) {
	o.Lost = append(o.Lost, Loss{Node: node, Err: err})
}

// isLost reports whether the node is among those whose connection broke: usually
// there are none, so that a list of the others is not worth its memory.
func isLost(lost []Loss, node Node) bool {
	for _, loss := range lost {
		if loss.Node.ID() == node.ID() {
			return true
		}
	}
	return false
}
