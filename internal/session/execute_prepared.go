package session

import (
	"cmp"
	"context"

	"github.com/pgchorus/pgchorus/parser"
)

// SQL's PREPARE is given parameters for the values that nodes would compute differently, and
// EXECUTE the values, also for a statement of a Parse message.

// preparing plans what a PREPARE prepares, and changes the text of the work. It is kept until
// the PREPARE has succeeded.
func (s *Session) preparing(w *queryWork, stmt *parser.Statement) {
	p := s.plannedSQL(stmt, w.sql, false)
	w.sql = p.sent
	if p.plan != nil {
		w.place = p.filled.Position
	}
	s.drew.preparing = p
}

// plannedSQL is the statement of a PREPARE.
func (s *Session) plannedSQL(stmt *parser.Statement, sql string, lock bool) *prepared {
	p := &prepared{name: stmt.Name, text: sql, sent: sql, stmt: stmt, bySQL: true, generation: s.generation()}
	plan := s.planOf(stmt.Inner, sql, parser.PlanOptions{Extended: true, Lock: lock})
	p.unlike = s.unlike
	if plan == nil {
		return p
	}
	p.locks = plan.Unleased
	if plan.Empty() {
		return p
	}
	params := max(stmt.Inner.MaxParam, parser.PreparedTypes(sql))
	if filled, ok := plan.Params(params + 1); ok && s.canSend(filled) {
		p.plan, p.filled, p.params, p.sent = plan, filled, params, filled.SQL
	} else if !lock {
		return s.plannedSQL(stmt, sql, true)
	}
	return p
}

// generation is that of the catalogue.
func (s *Session) generation() uint64 { return s.Catalog.Database(s.login.Database).Generation() }

// prepared is the statement of a PREPARE that has succeeded.
func (s *Session) preparedBySQL(stmt *parser.Statement, sql string) *prepared {
	p := s.drew.preparing
	s.drew.preparing = nil
	if p == nil || p.text != sql || p.name != stmt.Name {
		p = &prepared{name: stmt.Name, text: sql, sent: sql, stmt: stmt, bySQL: true, generation: s.generation()}
	}
	return p
}

// executing makes the values that an EXECUTE gives to the statement that it names, and
// returns it as it is to be sent. The statement is planned anew if the catalogue has changed.
func (s *Session) executing(ctx context.Context, stmt *parser.Statement, sql string) (string, error) {
	p := s.named(stmt)
	if p == nil || stmt.Kind != parser.Execute {
		return sql, nil
	}
	p, err := s.upToDate(ctx, p)
	switch {
	case err != nil:
		return sql, err
	case p.plan != nil:
		values, err := s.valuesOf(ctx, p.plan, p.effective())
		if err != nil {
			return sql, err
		}
		if with, ok := parser.ExecuteWith(sql, p.plan.Arguments(p.filled, values)); ok {
			return with, nil
		}
	case len(p.locks) > 0:
		s.openForValues(p.effective())
		return sql, s.lockSequences(ctx, p.locks)
	}
	return sql, nil
}

// upToDate is the prepared statement as it has to be planned now.
func (s *Session) upToDate(ctx context.Context, p *prepared) (*prepared, error) {
	if p.generation == s.generation() || p.bySQL && p.stmt.Inner == nil || isRole(p.stmt) {
		return p, nil
	}
	next, stale := *p, s.hasOldDefaults(p)
	if p.bySQL {
		next = *s.plannedSQL(p.stmt, p.text, false)
	} else {
		s.planPrepared(&next, false)
	}
	if s.unanswered != nil {
		return p, nil // it is planned when it is known what for
	}
	if next.sent == p.sent && !stale {
		p.generation, p.locks, p.unlike = next.generation, next.locks, next.unlike
		return p, nil
	}
	next.auto = nil // it is another text
	if p.bySQL {
		if err := s.prepareAgain(ctx, &next); err != nil {
			return nil, err
		}
	}
	s.st.prepared[p.name] = &next
	return &next, nil
}

// prepareAgain prepares a statement of SQL's PREPARE anew on all nodes.
func (s *Session) prepareAgain(ctx context.Context, p *prepared) error {
	s.openForValues(p.effective())
	for _, sql := range []string{"DEALLOCATE " + quoteName(p.name), p.sent} {
		if _, err := s.askAgain(ctx, sql); err != nil {
			return err
		}
		if lost, err := s.askOthers(ctx, func(*link) string { return sql }); lost || err != nil {
			return cmp.Or(err, lostTransaction(s.mainID(), errLeft))
		}
	}
	for _, l := range s.links {
		if l != nil {
			l.prepared[p.name] = p
		}
	}
	return nil
}
