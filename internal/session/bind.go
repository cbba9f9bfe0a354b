package session

import (
	"context"
	"errors"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

// planAndValues plans a statement of a query string and makes the values. There is no plan if
// the statement is to be sent as it is.
func (s *Session) planAndValues(ctx context.Context, stmt *parser.Statement, sql string) (*parser.Plan, []parser.Value, error) {
	if err := s.lockUnseen(ctx, stmt); err != nil {
		return nil, nil, err
	}
	plan := s.planOf(stmt, sql, parser.PlanOptions{})
	if plan == nil {
		return nil, nil, nil
	}
	values, err := s.valuesOf(ctx, plan, stmt)
	if errors.Is(err, errNoRight) {
		if plan = s.planOf(stmt, sql, parser.PlanOptions{Lock: true}); plan == nil {
			return nil, nil, nil
		}
		values, err = s.valuesOf(ctx, plan, stmt)
	}
	if errors.Is(err, errNoSequence) {
		return nil, nil, nil // the server says it better
	}
	return plan, values, err
}

// planPrepared plans the statement of a Parse message. lock: each node draws from sequences
// by itself.
func (s *Session) planPrepared(p *prepared, lock bool) {
	p.generation = s.generation()
	p.plan, p.locks, p.sent = nil, nil, p.text
	lock = lock || !takesParameters(p.stmt.Kind)
	plan := s.planOf(p.stmt, p.text, parser.PlanOptions{Extended: true, Lock: lock})
	p.unlike = s.unlike
	if plan == nil {
		return
	}
	p.locks = plan.Unleased
	if plan.Empty() || !takesParameters(p.stmt.Kind) {
		return
	}
	filled, ok := plan.Params(p.params + 1)
	switch {
	case ok && s.canSend(filled):
		p.plan, p.filled, p.sent = plan, filled, filled.SQL
	case plan.Draws() && !lock:
		s.planPrepared(p, true) // Bind has no room for the values
	}
}

// takesParameters reports whether parameters may stand in a statement of that kind. COPY has
// none (PostgreSQL, transformStmt and its callers).
func takesParameters(kind parser.Kind) bool { return kind != parser.CopyTo && kind != parser.CopyFrom }

// bindValues makes the values that a Bind is given in addition, and sees to the sequences
// that are not among them.
func (s *Session) bindValues(ctx context.Context, st *step) error {
	if err := s.prepareSequences(ctx, st.prepared.stmt, st.prepared.text); err != nil {
		return err
	}
	if err := s.lockUnseen(ctx, st.prepared.stmt); err != nil {
		return err
	}
	if s.isOutdated(st.prepared) {
		s.replan(st, false)
	}
	err := s.valuesOfPrepared(ctx, st)
	if errors.Is(err, errNoRight) {
		s.replan(st, true)
		err = s.valuesOfPrepared(ctx, st)
	}
	if errors.Is(err, errNoSequence) {
		return pgerr.New(pgerr.UndefinedTable, "sequence does not exist")
	}
	return err
}

func (s *Session) valuesOfPrepared(ctx context.Context, st *step) (err error) {
	p := st.prepared
	switch {
	case p.stmt.Kind == parser.Execute:
		return s.bindExecute(ctx, st)
	case p.plan != nil:
		if p.plan.Asks() {
			if err := s.runBefore(ctx); err != nil {
				return err
			}
		}
		st.values, err = s.valuesOf(ctx, p.plan, p.stmt)
	case len(p.locks) > 0:
		s.openForValues(p.stmt)
		err = s.lockSequences(ctx, p.locks)
	}
	return err
}

// bindExecute gives an EXECUTE that was prepared by a Parse message the values of the
// statement that it names, for this once.
func (s *Session) bindExecute(ctx context.Context, st *step) error {
	if err := s.runBefore(ctx); err != nil {
		return err
	}
	next := st.prepared.again()
	var err error
	if next.sent, err = s.executing(ctx, next.stmt, next.text); err != nil || next.sent == st.prepared.sent {
		return err
	}
	st.portal.prepared, st.prepared = &next, &next
	return nil
}

// isOutdated reports whether the catalogue has changed since a statement was planned.
func (s *Session) isOutdated(p *prepared) bool {
	return p.stmt.Kind != parser.Prepare && !isRole(p.stmt) && p.generation != s.generation()
}

// hasOldDefaults reports whether nodes may still have the defaults of domains that have changed in a prepared statement:
// ALTER DOMAIN ends no plan of PostgreSQL's.
func (s *Session) hasOldDefaults(p *prepared) bool {
	return len(p.effective().Targets) > 0 && s.Catalog.Database(s.login.Database).MayConcern(p.generation, catalog.Concern{})
}

// replan plans a statement anew under its name. The nodes are given it in the place of the
// old one if it has become another.
func (s *Session) replan(st *step, lock bool) {
	next := st.prepared.again()
	stale := s.hasOldDefaults(st.prepared)
	s.planPrepared(&next, lock)
	if s.unanswered != nil {
		return // it is planned when it is known what for
	}
	next.sent = s.raised(next.stmt, s.withRolePassword(next.stmt, next.sent))
	if next.sent == st.prepared.sent && !stale {
		st.prepared.generation, st.prepared.locks, st.prepared.unlike = next.generation, next.locks, next.unlike
		return
	}
	next.auto = nil // it is another text, or means another thing
	if s.st.prepared[next.name] == st.prepared {
		s.st.prepared[next.name] = &next
	}
	st.portal.prepared, st.prepared = &next, &next
}
