package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/replicator"
)

// orderMatters reports whether work that all nodes were sent at once is to be run by main's order
// after all: main was lost with it, or the nodes disagree. Who has cancelled it wants it no more;
// if main has ended it for that, what the others have done does not matter.
func (a *attempt) orderMatters(out *replicator.Outcome) bool {
	if !a.atOnce {
		return false
	}
	a.atOnce = false
	switch {
	case out.Answer == nil:
		return true
	case !a.s.running.wasCancelled(), a.s.deadlocked(true) != nil:
		return len(out.Differ) > 0
	case out.Answer.Code() == string(pgerr.QueryCanceled):
		out.Differ = nil
	}
	return false
}

// goByMain takes the work back on all nodes and has it run again, main first. Nobody has heard
// of it, unless there is more of an answer than a statement has that returns no rows.
func (a *attempt) goByMain(ctx context.Context, out *replicator.Outcome) (again, ok bool, err error) {
	s := a.s
	s.noteLosses(ctx, out, false)
	switch {
	case s.terminated != nil:
		return false, false, errTerminatedByNode
	case !s.takeBack(a.mark) && out.Answer == nil:
		last := out.Lost[len(out.Lost)-1]
		ok, err = s.refused(lostWhileAnswering(last.Node.ID(), last.Err))
		return false, ok, err
	case !s.takeBack(a.mark):
		ok, err = s.refused(s.disagreement(out))
		return false, ok, err
	}
	a.repeats--
	err = s.startOver(ctx)
	return err == nil, false, err
}
