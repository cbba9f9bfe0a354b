package session

import (
	"cmp"
	"context"
	"reflect"
	"slices"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// What has to be done for a statement is decided before it has locked its tables. Another session's
// DDL may be committed in between, which the statement often waits for: its table has another default
// then, or a trigger, and each node has computed for itself what nobody has thought of. So when all nodes
// have run it, and before anything is committed, it is decided again if the catalogue has changed; the
// locks keep the tables as they are by now.

// basis is what the decisions about a statement rest on.
type basis struct {
	known      *catalog.Database
	generation uint64 // of known, before it was looked at
	verdict    *safety.Verdict
}

// basisOf judges a statement.
func (s *Session) basisOf(stmt *parser.Statement, text string) basis {
	known := s.Catalog.Database(s.login.Database)
	generation := known.Generation()
	return basis{known, generation, s.verdictOf(stmt, text)}
}

// errOutdated: which of the nodes has run what, nobody can tell.
func errOutdated() error {
	return pgerr.New(pgerr.SerializationFailure, "what the statement uses was changed by another session while it ran, the transaction is rolled back").
		WithHint("The transaction might succeed if retried.")
}

// decidesAlike reports whether what was decided about the work at hand still holds.
func (s *Session) decidesAlike(ctx context.Context) bool {
	if !s.replicates() || !s.work.takesSnapshot() {
		return true
	}
	switch w := s.work.(type) {
	case *queryWork:
		return w.stmt == nil || w.stmt.Kind == parser.Prepare || s.holds(w.stmt, w.basis) ||
			s.decidesAgain(ctx, w.stmt, w.text, w.basis, func() bool { return s.sameQuery(w) })
	case *segment:
		for i := range w.steps {
			if st := &w.steps[i]; st.kind == wire.KindExecute && st.prepared != nil && !s.holds(st.prepared.stmt, st.portal.basis) &&
				!s.decidesAgain(ctx, st.prepared.stmt, st.prepared.text, st.portal.basis, func() bool { return s.samePortal(st.portal) }) {
				return false
			}
		}
	}
	return true
}

// holds reports whether nothing has changed since, or it does not matter: to what stores nothing.
func (s *Session) holds(stmt *parser.Statement, b basis) bool {
	return b.known == nil || stmt.Kind == parser.Declare || b.verdict == nothingToSay && !changesCatalogue(stmt.Kind) ||
		!b.known.ChangedSince(b.generation) && !s.tx.outdated
}

// decidesAgain asks main, if something has changed that may concern the statement, when all that may have come
// in between is committed there. Functions are locked by nobody: some nodes may have run the old one, whose body
// the verdict has the sum of. A transaction that keeps its snapshot cannot ask.
func (s *Session) decidesAgain(ctx context.Context, stmt *parser.Statement, text string, b basis, same func() bool) (alike bool) {
	main := s.main()
	if main == nil {
		return false
	}
	executed, text := s.effectiveOf(stmt, text)
	if changesCatalogue(executed.Kind) { // and has changed it itself by now
		return s.definesAlike(ctx, executed, b)
	}
	if b.verdict.Redefines && !s.skipsAlike(ctx, executed, b) {
		return false
	}
	concern := s.concernOf(executed, b.verdict)
	if !s.concerned(b, concern) {
		return true
	}
	if concern.Code = false; b.verdict.Redefines && !s.concerned(b, concern) {
		same = func() bool { return s.verdictOf(executed, text).Code == b.verdict.Code } // all else it may have changed itself
	}
	if s.keepsOld(main) || !s.canAsk(main) {
		return false
	}
	generation := b.known.Generation()
	unlike, care, work := s.unlike, s.care, s.work
	s.care = nil
	main.besides(func() {
		alike = same() || b.known.ChangedSince(generation) && same() // in the midst of it, too
	})
	s.unlike, s.care, s.work = unlike, care, work
	return alike
}

// keepsOld: the catalogue is shown to the transaction as it was when it took its snapshot.
func (s *Session) keepsOld(main *link) bool { return main.begun && keepsSnapshot(s.isolation()) }

// concerned reports whether something may have become another of what a decision rests on, when what is being
// committed is.
func (s *Session) concerned(b basis, concern catalog.Concern) bool {
	b.known.AwaitChanges()
	since := b.generation
	if main := s.main(); main != nil && s.keepsOld(main) {
		since = min(since, s.tx.seen.generation)
	}
	return b.known.MayConcern(since, concern)
}

// concernOf is what of the catalogue a statement has to do with. What code has changed itself by now is not told
// from what others have: only what is named counts then.
func (s *Session) concernOf(stmt *parser.Statement, v *safety.Verdict) catalog.Concern {
	return catalog.Concern{Names: append(namesOf(stmt), v.Reaches...), Far: v.Far && !v.Redefines, Code: v.Code != 0 || v.Implied, Of: s.id}
}

// definesAlike reports whether nothing has come in between that makes DDL do something else on another node.
func (s *Session) definesAlike(ctx context.Context, stmt *parser.Statement, b basis) bool {
	b.known.AwaitChanges()
	if b.known.MayConcern(b.generation, catalog.Concern{Defines: true, Of: s.id}) {
		return false
	}
	return !stmt.Conditional || s.skipsAlike(ctx, stmt, b)
}

// skipsAlike reports whether conditional DDL, or code that may have some, has done the same on all nodes. While others'
// DDL is being committed, a node that has it skips what another one does. It looks at the catalogue as it is now,
// whatever the isolation.
func (s *Session) skipsAlike(ctx context.Context, stmt *parser.Statement, b basis) bool {
	concern := catalog.Concern{Names: namesOfDDL(stmt), Of: s.id}
	locks := true
	switch {
	case stmt.Node == "GrantStmt", stmt.Node == "DropOwnedStmt", stmt.Node == "ReassignOwnedStmt", stmt.Node == "AlterTableMoveAllStmt":
		concern.Far, concern.Code, locks = true, true, false // rights are not locked
	case !stmt.Conditional: // its code is
		concern.Far, concern.Code = true, true
	default:
		concern.Code = len(stmt.Writes) == 0
	}
	b.known.AwaitChanges()
	return !b.known.MayConcern(b.generation, concern) || locks && s.locksAlike(ctx)
}

// locksAlike reports whether all nodes have defined and dropped as much in the transaction.
func (s *Session) locksAlike(ctx context.Context) bool {
	main, lost, err := s.askMain(ctx, catalog.DefinedSQL())
	if lost || err != nil {
		return false
	}
	others, lost, err := s.askOthersRows(ctx, func(*link) string { return catalog.DefinedSQL() })
	for _, row := range others {
		lost = lost || !sameRow(main, row)
	}
	return !lost && err == nil
}

// isOutdated reports whether main has refused a text that was made for another catalogue: a column that we ask
// for, and the frontend does not, was dropped meanwhile.
func (a *attempt) isOutdated(out *replicator.Outcome) bool {
	s := a.s
	if s.care == nil || s.care.text == "" || a.opt.bare || out.Answer == nil || pgerr.Code(out.Answer.Code()) != pgerr.UndefinedColumn {
		return false
	}
	outdated := func(stmt *parser.Statement, b basis) bool {
		executed, _ := s.effectiveOf(stmt, "")
		return !s.holds(stmt, b) && s.concerned(b, s.concernOf(executed, b.verdict))
	}
	switch w := s.work.(type) {
	case *queryWork:
		return w.stmt != nil && outdated(w.stmt, w.basis)
	case *segment:
		return slices.ContainsFunc(w.steps, func(st step) bool {
			return st.kind == wire.KindExecute && st.prepared != nil && outdated(st.prepared.stmt, st.portal.basis)
		})
	}
	return false
}

// goAnew takes back what was decided on the catalogue as it was, and decides again, if nobody has heard
// of it.
func (a *attempt) goAnew(ctx context.Context) (again, ok bool, err error) {
	s := a.s
	s.log.Info("the catalogue has changed under a statement, it is decided about anew", zap.Int(logkey.Attempt, a.repeats+1))
	if !a.first || a.copied || a.repeats >= maxRepeats || s.tx.kind != txImplicit || !s.takeBack(a.mark) {
		return a.refuse(errOutdated())
	}
	if err := s.startOver(ctx); err != nil {
		return false, false, err
	}
	work := s.work
	s.care, s.unlike = nil, nil // what is asked is sent as it is
	switch w := work.(type) {
	case *queryWork:
		err = s.decideQueryAgain(ctx, w)
	case *segment:
		err = w.decideAgain(ctx)
	}
	s.work = work
	if err = cmp.Or(err, s.disturbed(ctx)); err != nil {
		ok, err = s.refuseOrEnd(err)
		return false, ok, err
	}
	return true, false, nil
}

func (s *Session) decideQueryAgain(ctx context.Context, w *queryWork) error {
	refusal := s.checkSafety(w.stmt, w.text, w.base)
	if err := cmp.Or(s.disturbed(ctx), refusal); err != nil {
		return err
	}
	return s.decideQuery(ctx, w)
}

// decideAgain is for a segment that executes one statement; what is done for several hangs on how they
// were put together.
func (g *segment) decideAgain(ctx context.Context) error {
	s := g.s
	for i := range g.steps {
		st := &g.steps[i]
		switch {
		case st.kind == wire.KindExecute && st.portal != g.steps[len(g.steps)-1].portal:
			return errOutdated()
		case st.kind != wire.KindBind:
			continue
		}
		refusal := s.checkSafety(st.prepared.stmt, st.prepared.text, 0)
		if err := cmp.Or(s.disturbed(ctx), refusal); err != nil {
			return err
		}
		st.portal.basis = s.basis
		if err := s.bindValues(ctx, st); err != nil {
			return err
		}
		st.portal.care = s.careForBind(st.portal, st.frame)
	}
	s.care, s.unlike = g.care(), g.unlike()
	return nil
}

// sameQuery decides anew about a statement of a query string.
func (s *Session) sameQuery(w *queryWork) bool {
	unlike := s.unlike
	stmt, text := s.effectiveOf(w.stmt, w.text)
	if !s.verdictOf(stmt, text).Same(w.basis.verdict) {
		return false
	}
	if p := s.named(w.stmt); p != nil && w.stmt.Kind == parser.Execute {
		if !s.samePrepared(p) {
			return false
		}
	} else if !isRole(w.stmt) && !planned(func(lock bool) bool {
		return reflect.DeepEqual(s.planOf(w.stmt, w.planned, parser.PlanOptions{Lock: lock}), w.plan)
	}) {
		return false
	}
	return sameCare(s.careFor(w.stmt, w.text, w.sql, len(unlike) > 0), w.care)
}

// samePortal decides anew about the execution of a prepared statement.
func (s *Session) samePortal(bound *portal) bool {
	p := bound.prepared
	if !s.verdictOf(p.stmt, p.text).Same(bound.basis.verdict) || !s.samePrepared(p) {
		return false
	}
	if !bound.target.all {
		return true
	}
	return sameCare(s.careFor(p.stmt, p.text, p.sent, len(p.unlike)+len(bound.times) > 0), bound.care)
}

// samePrepared plans a prepared statement anew.
func (s *Session) samePrepared(p *prepared) bool {
	if p.stmt.Kind == parser.Prepare && !p.bySQL || p.bySQL && p.stmt.Inner == nil || isRole(p.stmt) || p.stmt.Kind == parser.Execute {
		return true
	}
	return planned(func(lock bool) bool {
		next := *p
		if p.bySQL {
			next = *s.plannedSQL(p.stmt, p.text, lock)
		} else {
			s.planPrepared(&next, lock)
		}
		return reflect.DeepEqual(next.plan, p.plan) && slices.Equal(next.locks, p.locks) && reflect.DeepEqual(next.unlike, p.unlike)
	})
}

// planned plans with values of sequences from a lease and, if that is not what was done, without: a right
// to the sequence may have lacked.
func planned(same func(lock bool) bool) bool { return same(false) || same(true) }

func sameCare(a, b *care) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.text == b.text && slices.Equal(a.locks, b.locks) && a.digest == b.digest && (a.elsewhere == nil) == (b.elsewhere == nil) &&
		(a.relay == nil) == (b.relay == nil) && a.refusal == nil && b.refusal == nil && reflect.DeepEqual(a.plan, b.plan)
}
