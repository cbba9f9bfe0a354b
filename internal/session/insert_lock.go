package session

import (
	"context"
	"strings"

	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/parser"
)

// The hints of Pgpool-II's insert_lock, at the beginning of the text and in any case.
const (
	insertLockHint   = "/*INSERT LOCK*/"
	noInsertLockHint = "/*NO INSERT LOCK*/"
)

func hasHint(sql, hint string) bool {
	sql = strings.TrimLeft(sql, " \t\r\n")
	return len(sql) >= len(hint) && strings.EqualFold(sql[:len(hint)], hint)
}

// wantsInsertLock reports whether an INSERT is to have its table for itself: because it says
// so, or because insert_lock_mode is literal and a column draws from a sequence.
func (s *Session) wantsInsertLock(stmt *parser.Statement, sql string) bool {
	if stmt.Kind != parser.Insert || stmt.Block != parser.BlockAny || len(stmt.Targets) == 0 {
		return false
	}
	cfg := s.config().Replication
	switch {
	case hasHint(sql, insertLockHint):
		return true
	case !cfg.InsertLock, cfg.InsertLockMode != "literal", hasHint(sql, noInsertLockHint):
		return false
	}
	plan := s.planOf(stmt, sql, parser.PlanOptions{})
	return plan != nil && len(plan.Sequences) > 0
}

// lockForInsert takes the lock on main and then on the other nodes. It lasts until the
// transaction ends.
func (s *Session) lockForInsert(ctx context.Context, stmt *parser.Statement, sql string) error {
	if !s.wantsInsertLock(stmt, sql) {
		return nil
	}
	if err := s.runBefore(ctx); err != nil {
		return err
	}
	s.openForValues(stmt)
	if err := s.claimUnseen(ctx); err != nil {
		return err
	}
	target := stmt.Targets[0].Relation
	name := quoteName(target.Name)
	if target.Schema != "" {
		name = quoteName(target.Schema) + "." + name
	}
	row, err := s.askEverywhere(ctx, sequence.InsertLock(name))
	if err != nil || row == nil {
		return err // the server says that there is no such table
	}
	statements, err := sequence.InsertLocked(row)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := s.askEverywhere(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// askEverywhere asks main and then the other nodes, until none is lost under it. The row is
// main's.
func (s *Session) askEverywhere(ctx context.Context, query string) (row [][]byte, err error) {
	for range maxDraws {
		row, lost, err := s.askMain(ctx, query)
		if err != nil {
			return nil, err
		}
		if lost {
			continue
		}
		if lost, err = s.askOthers(ctx, func(*link) string { return query }); !lost || err != nil {
			return row, err
		}
	}
	return nil, errNoNodes()
}
