package session

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/capture"
)

// Rows that code deletes on main, or gives another key, are seen by cursors that were opened before it
// (capture.Change.WatchSQL, decision 0040).

// errRaced: another session has committed rows between the cursor and the statement, which has found them.
var errRaced = errors.New("rows that are gone came after the look at those that are there")

// watch opens a cursor for each of the tables whose old rows may be asked for.
func (s *Session) watch(ctx context.Context, e *elsewhere, before *capture.Changes) (lost bool, err error) {
	e.cursors = nil
	var sql []string
	for _, table := range before.Watch {
		s.tx.cursors++
		cursor := "pgchorus_was_" + strconv.Itoa(s.tx.cursors)
		e.cursors = append(e.cursors, cursor)
		sql = append(sql, table.WatchSQL(cursor))
	}
	if len(sql) > 0 {
		_, lost, err = s.askMain(ctx, strings.Join(sql, ";"))
	}
	return lost, err
}

// cursorOf is the cursor that sees the old rows of a table; "" for none.
func (e *elsewhere) cursorOf(c *capture.Change) string {
	for i, table := range e.before.Watch {
		if table.IsOf(c.Schema, c.Name) {
			return e.cursors[i]
		}
	}
	return ""
}

// removed has the others delete the rows that main has no more, or by another key. records are those that
// it has.
func (s *Session) removed(l *link, change *capture.Change, records [][]byte) (statements []capture.Statement, obstacle string, err error) {
	if change.Deleted == 0 && !change.MayMove() || !change.Watched {
		return nil, "", nil
	}
	if change.TooLarge() {
		return nil, "table " + change.Name + " is too large to be searched for its old rows", nil
	}
	limit := int64(s.Config().Replication.CaptureRowsHint) * manyHints
	were, err := l.askRunning(capture.WatchedSQL(s.care.elsewhere.cursorOf(change), limit))
	if err != nil {
		return nil, "", err
	}
	if int64(len(were)) > limit {
		return nil, "there are more rows of " + change.Name + " that somebody has locked or changed than are captured (capture_rows_hint)", nil
	}
	var still []string
	question, err := change.StillSQL(were)
	if err == nil && question != "" {
		still, err = l.askRunning(question)
	}
	if err != nil {
		return nil, "", err
	}
	gone, touched, err := change.Removed(were, still, records)
	if err != nil {
		return nil, "", err
	}
	amiss := change.Deleted != 0 && touched != change.Updated+change.Deleted
	switch made := int64(len(records)); {
	case touched+change.Inserted < made, amiss && made == change.Rows(): // and no row was changed twice
		return nil, "", errRaced
	case amiss:
		return nil, "it changes rows of " + change.Name + " more than once, or such that were new, and deletes some", nil
	}
	statements, err = change.Remove(gone)
	return statements, "", err
}
