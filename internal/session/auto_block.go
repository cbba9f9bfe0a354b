package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// In a block an error ends the transaction, so a statement of ours has to say by itself what the text
// would (decision 0045). Whatever it refuses when it is run, the text would refuse with the same words: constraints, overflows,
// deadlocks. What else there is to refuse is that a constant cannot be converted, which is
// foreseen, and that the statement no longer fits its table.

// mayAutoInBlock: it is the frontend's block, and strings are the same bytes for the server.
func (s *Session) mayAutoInBlock(sql string) bool {
	return s.tx.kind == txExplicit && isASCII(sql)
}

// noteCode is for a statement that the node is sent: PL/pgSQL may run DEALLOCATE and DISCARD. So may functions, which are
// too frequent to have each doubt what we have prepared: see outgrown, and doubtMarks.
func (l *link) noteCode(kind parser.Kind) {
	if kind == parser.Do || kind == parser.Call {
		l.doubtAllAutos()
		l.s.tx.ranCode = true
	}
}

// doubtUndone is for a rollback: what was prepared behind code that has changed tables has the columns of then.
func (s *Session) doubtUndone() {
	if s.tx.ranCode {
		s.doubtAll()
	}
}

func (s *Session) doubtAll() {
	for _, l := range s.links {
		if l != nil {
			l.doubtAllAutos()
		}
	}
}

func (l *link) doubtAllAutos() {
	for slot, a := range l.autos {
		if a != nil {
			l.autos[slot] = unsureAuto
		}
	}
}

// suitsBlock: the servers have accepted the statement, or a text that stands for it.
func (sh *autoShape) suitsBlock() bool { return sh.statement.foreseen && sh.proven }

// noteTried is for a statement that has been run without an error, as a text or as a statement of ours.
func (s *Session) noteTried(stmt *parser.Statement) {
	if stmt.Point != nil && s.auto != nil && s.auto.tried != nil {
		s.auto.tried.proven = true
		s.auto.tried = nil
	}
}

// foresees reports whether no parameter can be refused for what it says: numbers have the type that
// they had as constants, and every string is a text.
func foresees(p *parser.Point, types []uint32, t *catalog.Table) bool {
	for i, oid := range types {
		if oid == parser.Unspecified && !isText(typeOf(p.Uses[i], t)) {
			return false
		}
	}
	return true
}

// hasOutgrown is outgrown for work of all nodes.
func (a *attempt) hasOutgrown(out *replicator.Outcome) bool {
	return out.Answer != nil && a.s.terminated == nil && a.s.outgrown(out.Answer)
}

// goOutgrown has the work be run again, now with the frontend's Parse, if all of the transaction can be taken back.
func (a *attempt) goOutgrown(ctx context.Context) (again, ok bool, err error) {
	s := a.s
	g, _ := s.work.(*segment)
	if !g.mayParse() || !a.mayStartAgain() || !s.takeBack(a.mark) {
		return a.refuse(errOutdated())
	}
	err = s.startOver(ctx)
	return err == nil, false, err
}

// hasChangedResult: the statement has other columns than when it was prepared (PostgreSQL, RevalidateCachedQuery).
func hasChangedResult(answer *wire.Answer) bool {
	return answer.Code() == string(pgerr.FeatureNotSupported) && wire.ErrorField(answer.Err, wire.FieldRoutine) == "RevalidateCachedQuery"
}

// outgrown reports whether a node has refused a statement of ours, in a block or by extended query, for what the text would not
// be refused for, or not in these words: the table has changed and nobody has told us, or code has had prepared statements
// forgotten. All errors that have a position come from before anything was executed; of what the frontend has had parsed, they
// are right. The next transaction takes the text.
func (s *Session) outgrown(answer *wire.Answer) bool {
	if !answer.Failed() {
		return false
	}
	w, segment := s.autoWork(), s.parsedWork()
	if w == nil && segment == nil || w != nil && s.tx.kind != txExplicit {
		return false
	}
	stale := hasChangedResult(answer) || answer.Code() == string(pgerr.InvalidSQLStatementName)
	if !stale && (w == nil || wire.ErrorField(answer.Err, wire.FieldPosition) == "") {
		return false
	}
	if w != nil {
		shape := &s.auto.shapes[w.auto.slot]
		shape.statement, shape.proven, s.auto.tried = nil, false, nil
	} else {
		for p := range segment.autoParsed() {
			s.parseAgain(p)
		}
	}
	s.doubtAll()
	return true
}
