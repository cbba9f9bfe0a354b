package session

import (
	"context"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

// A large object that SQL has made gets the number that the main node chooses on all
// nodes: the calls read it from a setting of the transaction (parser.SpliceObjects).

// withObjects changes the calls in a text that have a large object made. back leads
// positions in the result to the text; nil for no change.
func (s *Session) withObjects(stmt *parser.Statement, sql string) (changed string, back func(int) int) {
	if objectsOf(stmt) == 0 || !s.replicates() || !s.Safety().NumbersObjects() {
		return sql, nil
	}
	filled, ok := parser.SpliceObjects(sql)
	if !ok {
		return sql, nil
	}
	return filled.SQL, filled.Position
}

// objectsOf counts the calls in a statement, or in the one that PREPARE is given.
func objectsOf(stmt *parser.Statement) int {
	if stmt.Kind == parser.Prepare && stmt.Inner != nil {
		return stmt.Inner.Objects
	}
	return stmt.Objects
}

// numberObjects chooses the numbers for what a statement is about to have made. The main
// node is asked for free ones: an object is made there and taken away again, so that
// nobody else is given its number as long as the transaction lasts.
func (s *Session) numberObjects(ctx context.Context, stmt *parser.Statement) error {
	count := stmt.Objects
	if count == 0 || stmt.Kind == parser.Prepare || !s.Safety().NumbersObjects() {
		return nil
	}
	if count > parser.MaxObjects {
		return pgerr.Newf(pgerr.ProgramLimitExceeded, "statement has more than %d large objects made", parser.MaxObjects)
	}
	if s.tx.kind == txNone {
		s.openBlock(txImplicit, plainBegin, nil)
	}
	row, err := s.askRow(ctx, freeNumbers(count), false)
	if err != nil {
		return err
	}
	if len(row) != count {
		return pgerr.Newf(pgerr.InternalError, "main node answered with %d numbers of large objects for %d", len(row), count)
	}
	_, err = s.askRow(ctx, setNumbers(row), true)
	return err
}

// freeNumbers asks for numbers that are free, in one row.
func freeNumbers(count int) string {
	var from, list, gone []string
	for i := range count {
		name := "o" + strconv.Itoa(i)
		from = append(from, "pg_catalog.lo_create('0') AS "+name)
		gone = append(gone, "pg_catalog.lo_unlink(a."+name+")")
		list = append(list, "CASE WHEN u.gone THEN a."+name+" END")
	}
	return "WITH a AS MATERIALIZED (SELECT " + strings.Join(from, ", ") + "), u AS MATERIALIZED (SELECT pg_catalog.num_nulls(" +
		strings.Join(gone, ", ") + ") IS NOT NULL AS gone FROM a) SELECT " + strings.Join(list, ", ") + " FROM a, u"
}

// setNumbers gives a node the numbers, for as long as the transaction lasts.
func setNumbers(numbers [][]byte) string {
	list := make([]string, len(numbers))
	for i, number := range numbers {
		list[i] = "pg_catalog.set_config('" + parser.ObjectSetting(i+1) + "', '" + string(number) + "', true)"
	}
	return "SELECT " + strings.Join(list, ", ")
}

// placeObjects has the large objects of a statement by simple query numbered.
func (s *Session) placeObjects(ctx context.Context, w *queryWork, stmt *parser.Statement, sql string) error {
	executed, _ := s.effectiveOf(stmt, sql)
	if objectsOf(executed) == 0 {
		return nil
	}
	changed, back := s.withObjects(stmt, w.sql)
	if before := w.place; back != nil {
		w.sql, w.place = changed, func(position int) int {
			if position = back(position); before != nil {
				return before(position)
			}
			return position
		}
	}
	return s.numberObjects(ctx, executed)
}
