package session

import (
	"context"
	"slices"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// attempt is work on all nodes. Where only bad luck stood in its way (a connection that
// broke, a race with another session, a deadlock over nodes), it is taken back and run
// again, if nobody has heard of it.
type attempt struct {
	s    *Session
	opt  allOptions
	mark wire.Mark // where the answer to the frontend begins

	// holds: the transaction has locks from before that others may wait for.
	holds bool
	// first: it has not written before, so the nodes' parts can be rolled back.
	first bool
	// alone: it has done nothing before, on any node.
	alone   bool
	copied  bool // the frontend's copy data has been passed on
	repeats int
}

// newAttempt notes that the transaction writes from now on.
func (s *Session) newAttempt(opt allOptions) *attempt {
	a := &attempt{s: s, opt: opt, mark: s.front.Mark(), holds: s.tx.wrote}
	a.first = !a.holds && !opt.bare
	a.alone = a.first && !s.hasBegun()
	s.ranOn = noNode
	s.tx.wrote = true
	s.noteUnderWay(opt.bare)
	if !opt.bare {
		s.noteEndings()
	}
	return a
}

func (a *attempt) run(ctx context.Context) replicator.Outcome {
	s := a.s
	a.copied = false
	s.numbers.missed = nil // of a node that was lost under the work
	opt := replicator.Options{
		Repeatable: func() bool { return s.takeBack(a.mark) },
		Copy: func(nodes []replicator.Node) error {
			a.copied = true
			return s.copyToAll(ctx, nodes)
		},
		Sent:         a.sent,
		GoOn:         s.goOn(ctx, a.opt.bare),
		Left:         func(node replicator.Node) bool { return !s.Cluster.View().Up(node.ID()) },
		Holds:        a.holds,
		Regardless:   a.opt.regardless,
		AfterFailure: s.repeatsFailure,
		Withhold:     s.withhold(),
		Gate:         s.Gate,
		Order:        s.Order,
	}
	if s.care.relayed() {
		opt.Relay = s.relayCopy
	}
	return replicator.Execute(s.all(), opt)
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
	case !disagrees(out):
	case a.first && !a.copied && s.mayTryAgain(out, a.repeats) && s.takeBack(a.mark):
		err = s.tryAgain(ctx, a.repeats)
		return err == nil, false, err
	case out.Withheld:
		return a.refuse(s.errWithheld())
	}
	ok, torn, err := s.judge(ctx, out, a.mark, a.opt)
	if ok && a.copied && s.care.relayed() {
		if err := s.settleRelay(ctx, s.care.relay.quiet); err != nil {
			s.takeBack(a.mark)
			ok, err = s.refuseOrEnd(err)
			return false, ok, err
		}
	}
	if !ok {
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

// refuse tells the frontend err in the place of what it was to be told.
func (a *attempt) refuse(err error) (again, ok bool, _ error) {
	a.s.takeBack(a.mark)
	ok, err = a.s.refused(err)
	return false, ok, err
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
