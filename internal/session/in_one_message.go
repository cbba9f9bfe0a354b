package session

import (
	"context"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// With autocommit_fast a statement of ours that goes to all nodes at once is committed by the same message: behind it
// stand its mark and one Sync, which ends the implicit transaction around both (protocol chapter 55.2.3). The
// nodes do no BEGIN and no COMMIT, and there is one round trip. That nodes disagree is known only when they have
// committed: who does not have what the others have is fenced (decision 0043).

// goesInOneMessage reports whether the work at hand, which has its ticket, can be sent so: nothing is
// left to be asked or checked behind it, and all connections are alive.
func (a *attempt) goesInOneMessage() bool {
	s := a.s
	switch {
	case !a.atOnce, s.autoWork() == nil, !s.Config().Replication.AutocommitFast, s.tx.defers:
		return false
	case s.drew.taken && !s.leases().Valid(s.drew.generation):
		return false
	}
	return (s.Commits == nil || s.knowsStanding()) && s.coversAll(a.nodes) && !AnySpoke(a.nodes)
}

// coversAll reports whether every live node is among these.
func (s *Session) coversAll(nodes []replicator.Node) bool {
	for _, id := range s.Cluster.View().Live() {
		if s.link(id) == nil {
			return false
		}
	}
	return len(nodes) > 0
}

// runInOneMessage runs and commits the work. again: no node has done anything, and it is to be run in
// the usual way.
func (a *attempt) runInOneMessage(ctx context.Context) (again, ok bool, err error) {
	s := a.s
	s.beginWrites()
	mode, err := s.prepareEnding(ctx)
	switch {
	case err != nil:
		ok, err = s.refuseOrEnd(err)
		return false, ok, err
	case mode != replicator.Parallel:
		return true, false, nil
	}
	a.whole = true
	d, err := replicator.ExecuteAndCommit(ctx, a.nodes, replicator.CommitOptions{Gate: s.Gate, Window: s.Window, Bound: s.hooks().bound})
	a.whole = false
	if err != nil {
		ok, err = s.refuseOrEnd(s.interrupted(ctx))
		return false, ok, err
	}
	switch {
	case !d.Committed && !d.Unknown:
		return a.refusedInOneMessage(ctx, &d)
	case d.Unknown:
		s.takeBack(a.mark)
		ok, err = s.decide(ctx, d)
		return false, ok, err
	}
	if ok, err = s.decide(ctx, d); !ok || err != nil {
		return false, ok, err
	}
	if d.Untold && s.takeBack(a.mark) {
		s.reply(func(b []byte) []byte {
			return wire.AppendCommandComplete(b, strings.TrimSuffix(string(d.Answer.Tags), "\x00"))
		})
	}
	if s.runsAsText(d.Answer, a.mark) { // there is no such row, so nothing has been done
		a.repeats-- // it has not been tried yet
		return a.startAsText(ctx)
	}
	return false, true, s.gone
}

// refusedInOneMessage is for work that no node has committed. One that was lost may have.
func (a *attempt) refusedInOneMessage(ctx context.Context, d *replicator.Decision) (again, ok bool, err error) {
	s := a.s
	s.fenceUndecided(ctx, d)
	code := d.Answer.Code()
	wanted := !s.running.wasCancelled() || pgerr.Code(code) == pgerr.QueryCanceled && s.deadlocked(true) != nil
	switch {
	case s.terminated != nil:
		return false, false, errTerminatedByNode
	case s.runsAsText(d.Answer, a.mark):
		a.repeats-- // it has not been tried yet
		return a.startAsText(ctx)
	case !isDatas(code) && wanted && s.takeBack(a.mark):
		err = s.startOver(ctx)
		return err == nil, false, err
	}
	return false, false, s.gone
}
