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
	w := s.autoWork()
	switch {
	case !a.atOnce, w == nil, w.several, !s.Config().Replication.AutocommitFast, s.tx.defers, a.opt.early:
		return false
	case s.drew.taken && !s.leases().Valid(s.drew.generation):
		return false
	}
	return s.marksAsEver() && s.coversAll(a.nodes) && !AnySpoke(a.nodes)
}

// marksAsEver reports whether it is known that the transaction's mark needs nothing but to be called.
func (s *Session) marksAsEver() bool {
	m := &s.marking
	return s.Commits == nil || m.asked && m.standing.Marked && m.standing.Generation == s.Commits.Generation()
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
	if err != nil || mode != replicator.Parallel {
		return err == nil, false, err
	}
	a.whole = true
	d, err := replicator.ExecuteAndCommit(ctx, a.nodes, replicator.CommitOptions{Gate: s.Gate, Window: s.Window, Bound: s.hooks().bound})
	a.whole = false
	if err != nil {
		ok, err = s.refuseOrEnd(s.interrupted(ctx))
		return false, ok, err
	}
	w := s.autoWork()
	switch {
	case !d.Committed && !d.Unknown:
		return a.refusedInOneMessage(ctx, w, &d)
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
	if s.wantsText(w, d.Answer) { // there is no such row, so nothing has been done
		return a.asTextAgain(ctx, w, "")
	}
	return false, true, s.gone
}

// refusedInOneMessage is for work that no node has committed. One that was lost may have.
func (a *attempt) refusedInOneMessage(ctx context.Context, w *queryWork, d *replicator.Decision) (again, ok bool, err error) {
	s := a.s
	for _, loss := range d.Fence {
		s.fence(ctx, loss.Node.ID(), "did not confirm a COMMIT")
	}
	s.caching.doubt = s.caching.doubt || len(d.Fence) > 0
	code := d.Answer.Code()
	switch {
	case s.terminated != nil:
		return false, false, errTerminatedByNode
	case s.wantsText(w, d.Answer):
		return a.asTextAgain(ctx, w, code)
	case !isDatas(code) && !s.running.wasCancelled() && s.takeBack(a.mark):
		return true, false, s.startOver(ctx)
	case pgerr.Code(code) == pgerr.QueryCanceled && s.deadlocked(true) != nil && s.takeBack(a.mark):
		return true, false, s.startOver(ctx)
	}
	return false, false, s.gone
}

// asTextAgain has the text run instead of a statement of ours that has had no effect.
func (a *attempt) asTextAgain(ctx context.Context, w *queryWork, code string) (again, ok bool, err error) {
	s := a.s
	s.auto.shapes[w.auto.slot].giveUp(code)
	if !s.takeBack(a.mark) {
		return false, false, s.gone
	}
	a.repeats-- // it has not been tried yet
	return a.startAsText(ctx)
}

// appendMarkBehind appends the transaction's mark behind its statement, in the same implicit transaction.
func (l *link) appendMarkBehind() {
	if !l.s.marking.on {
		return
	}
	mark := l.s.marking.slot.Mark()
	l.appendAutoParse(autoMark)
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindIntegers(b, autoMark.name(), mark[:]) })
	l.append(hidden(wire.ExpectExecute), func(b []byte) []byte { return wire.AppendExecute(b, "") })
}
