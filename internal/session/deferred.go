package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Constraints and constraint triggers that are deferred do their work inside COMMIT. There
// it would be too late: a node that finds an error or waits for a lock has others beside it that
// have committed. So a transaction that may have such checks does them as its last
// statement, on main first, and what comes of it is compared like any other answer.

// checkConstraints does all that is deferred.
const checkConstraints = "SET CONSTRAINTS ALL IMMEDIATE"

// noteDeferred follows whether a statement of all nodes may leave a check to COMMIT.
func (s *Session) noteDeferred(stmt *parser.Statement) {
	if !s.tx.defers && takesSnapshot(stmt.Kind) {
		s.tx.defers = s.mayDefer(stmt)
	}
}

func (s *Session) mayDefer(stmt *parser.Statement) bool {
	if stmt.Kind == parser.Execute && stmt.Inner == nil {
		if p := s.st.prepared[stmt.Name]; p != nil {
			stmt = p.effective()
		}
	}
	d := s.deferral()
	switch {
	case d == nil:
		return true // not known
	case !d.Any:
		return changesCatalogue(stmt.Kind)
	case stmt.Kind == parser.SetConstraints, obscure(stmt):
		return true
	}
	for _, r := range stmt.Writes {
		if d.Affects(r.Name) {
			return true
		}
	}
	return false
}

// obscure: what it writes is not in its text.
func obscure(stmt *parser.Statement) bool {
	switch stmt.Kind {
	case parser.Call, parser.Do, parser.DDL, parser.Unknown, parser.Execute, parser.Utility, parser.Fetch, parser.Declare:
		return true
	}
	return len(stmt.UnknownFunctions) > 0
}

// deferral is what is known of the database's deferred checks, which are asked for if need
// be; nil if nobody can be asked.
func (s *Session) deferral() *catalog.Deferral {
	known := s.Catalog.Database(s.login.Database)
	if d, ok := known.Deferral(); ok {
		return d
	}
	l := s.askable()
	if l == nil {
		return nil
	}
	generation, shared := s.sees(l, known)
	rows, err := s.askOf(l, catalog.DeferralSQL())
	if err != nil {
		return nil
	}
	d := catalog.ParseDeferral(rows)
	if shared {
		known.KeepDeferral(d, generation)
	}
	return &d
}

// checkDeferred does the deferred checks of a transaction that may have some. ok is false
// when one failed, or was cancelled; the frontend has been told.
func (s *Session) checkDeferred(ctx context.Context) (ok bool, err error) {
	if !s.replicates() || !s.tx.wrote || !s.tx.defers {
		return true, nil
	}
	s.tx.defers = false
	s.work = &queryWork{sql: checkConstraints, kind: parser.SetConstraints, hide: true}
	return s.executeAll(ctx, allOptions{})
}
