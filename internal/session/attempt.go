package session

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// attempt is work on all nodes; a session has one at a time. Where only bad luck stood in its
// way (a connection that broke, a race with another session, a deadlock over nodes), it is
// taken back and run again, if nobody has heard of it.
type attempt struct {
	s    *Session
	opt  allOptions
	mark wire.Mark // where the answer to the frontend begins

	// holds: the transaction has locks from before that others may wait for.
	holds bool
	// first: it has not written before, so the nodes' parts can be rolled back.
	first bool
	// alone: it has done nothing before, on any node.
	alone  bool
	copied bool // the frontend's copy data has been passed on
	// atOnce: it goes to all nodes at once, and holds the ticket for that.
	atOnce bool
	// whole: it goes in one message with its COMMIT.
	whole   bool
	repeats int

	// nodes is memory for the nodes of the work, and then for those of the COMMIT.
	nodes []replicator.Node
	hooks *hooks
}

// hooks are what the replicator calls of a session. They are the same for all that it does, so
// they are made once.
type hooks struct {
	options replicator.Options
	bound   replicator.Bound
}

// newAttempt notes that the transaction writes from now on.
func (s *Session) newAttempt(opt allOptions) *attempt {
	a := &s.attempt
	*a = attempt{s: s, opt: opt, mark: s.front.Mark(), holds: s.tx.wrote, nodes: a.nodes, hooks: a.hooks}
	a.first = !a.holds && !opt.bare
	a.alone = a.first && !s.hasBegun()
	s.ranOn, s.undefined = noNode, false
	s.tx.wrote = true
	s.noteUnderWay(opt.bare)
	if !opt.bare {
		s.noteEndings()
	}
	return a
}

// runOnce runs the work on all nodes. again is conclude's.
func (a *attempt) runOnce(ctx context.Context) (again, ok bool, err error) {
	a.nodes = a.s.appendAll(a.nodes[:0])
	if a.goesInOneMessage() {
		return a.runInOneMessage(ctx)
	}
	out := a.run(ctx)
	if out.Err != nil {
		return false, false, out.Err
	}
	return a.conclude(ctx, &out)
}

func (a *attempt) run(ctx context.Context) replicator.Outcome {
	s := a.s
	a.copied = false
	s.numbers.missed = nil // of a node that was lost under the work
	opt := s.hooks().options
	opt.Holds, opt.Regardless = a.holds, a.opt.regardless
	if s.care.relayed() {
		opt.Relay = s.relayCopy
	}
	if a.atOnce {
		return replicator.ExecuteAtOnce(a.nodes, opt)
	}
	return replicator.Execute(ctx, a.nodes, opt)
}

// hooks are made for the session's first write.
func (s *Session) hooks() *hooks {
	if s.attempt.hooks == nil {
		s.attempt.hooks = &hooks{options: s.attempt.newOptions(s), bound: s.running.await}
	}
	return s.attempt.hooks
}

func (a *attempt) newOptions(s *Session) replicator.Options {
	return replicator.Options{
		Repeatable:   func() bool { return s.takeBack(a.mark) },
		Copy:         a.copy,
		Sent:         a.sent,
		GoOn:         a.goOn,
		Left:         func(node replicator.Node) bool { return !s.Cluster.View().Up(node.ID()) },
		AfterFailure: s.repeatsFailure,
		Withhold:     s.withholds,
		Gate:         s.Gate,
		Order:        s.Order,
	}
}

// copy passes on the frontend's copy data.
func (a *attempt) copy(ctx context.Context, nodes []replicator.Node) error {
	a.copied = true
	return a.s.copyToAll(ctx, nodes)
}

// goOn settles what became of a main node before the next one takes its place: were
// another session still to begin statements on the old one, each could wait for the other
// on a node where no server sees both. What runs bare is not taken back, and goes on.
func (a *attempt) goOn(ctx context.Context, loss replicator.Loss) bool {
	if a.opt.bare {
		return true
	}
	l := loss.Node.(*link)
	l.reported = true
	a.s.lost(ctx, l, loss.Err)
	if a.s.view.Up(l.ID()) {
		return false
	}
	a.s.askNextMain(ctx)
	return true
}

// sent is called when the others have been sent what main has done.
func (a *attempt) sent() {
	if a.opt.early {
		a.s.replyEarly()
	}
}

// conclude acts on what became of the work. again: it was taken back, and is to be run
// once more; else ok and err are executeAll's.
func (a *attempt) conclude(ctx context.Context, out *replicator.Outcome) (again, ok bool, err error) {
	s := a.s
	switch {
	case a.orderMatters(out):
		return a.goByMain(ctx, out)
	case a.wantsText(out):
		return a.asText(ctx, out)
	case a.hasOutgrown(out):
		return a.goOutgrown(ctx)
	case a.isOutdated(out):
		return a.goAnew(ctx)
	}
	switch {
	case !disagrees(out):
	case a.first && !a.copied && s.mayTryAgain(out, a.repeats) && s.takeBack(a.mark):
		return a.tryAgain(ctx)
	case out.Withheld && s.unanswered != nil:
		return a.end(func() error { return s.disturbed(ctx) })
	case out.Withheld:
		return a.refuse(s.errWithheld())
	}
	ok, torn, err := s.judge(ctx, out, a.mark, a.opt)
	if ok && a.copied && s.care.relayed() {
		from := s.front.Mark()
		if err := s.settleRelay(ctx, s.care.relay.quiet); err != nil {
			told := bytes.Clone(s.front.Tail(from))
			return a.end(func() error { return cmp.Or(s.front.Append(told), err) })
		}
	}
	if ok && !a.opt.bare {
		alike := s.decidesAlike(ctx)
		if alike {
			s.askRedefined()
		}
		if s.unanswered != nil {
			return a.end(func() error { return s.disturbed(ctx) })
		}
		if !alike {
			return a.goAnew(ctx)
		}
	} else if !ok {
		s.notePrepareFailed(ctx, out)
	}
	switch {
	case s.hasMissed() && ok:
		return a.refuse(errMissed())
	case torn == nil || err != nil:
		return false, ok, err
	case !a.repeatable() || !s.takeBack(a.mark):
		return a.refuse(torn)
	}
	err = s.startOver(ctx)
	return err == nil, false, err
}

// end ends the work with the error that why returns or has told the frontend of, in the place of what
// that was to be told.
func (a *attempt) end(why func() error) (again, ok bool, err error) {
	a.s.takeBack(a.mark)
	ok, err = a.s.refuseOrEnd(why())
	return false, ok, err
}

// refuse tells the frontend err in the place of what it was to be told.
func (a *attempt) refuse(err error) (again, ok bool, _ error) {
	a.s.takeBack(a.mark)
	ok, err = a.s.refused(err)
	return false, ok, err
}

// mayStartAgain reports whether the work can be taken back, and there are tries left.
func (a *attempt) mayStartAgain() bool {
	return a.first && !a.copied && a.s.tx.kind == txImplicit && a.repeats+1 < maxTries && !a.s.front.SentAfter(a.mark)
}

// repeatable reports whether torn work may be run again. One that was given up for others
// to go on has to let go of all that it has.
func (a *attempt) repeatable() bool {
	switch {
	case !a.first, a.copied, a.repeats >= maxRepeats, a.s.oneSnapshot():
		return false
	case a.s.deadlocked(true) != nil:
		return a.alone
	}
	return true
}

// hasBegun reports whether the transaction has done anything on any node.
func (s *Session) hasBegun() bool {
	return slices.ContainsFunc(s.links, func(l *link) bool { return l != nil && l.begun })
}
