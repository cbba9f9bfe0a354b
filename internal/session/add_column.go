package session

import (
	"time"

	"github.com/pgchorus/pgchorus/parser"
)

// withAddedTimes gives the rows that an ALTER TABLE finds one time on all nodes, where it
// adds a column whose default asks for it.
func (s *Session) withAddedTimes(stmt *parser.Statement, sql string) string {
	if len(stmt.Added) == 0 || !s.replicates() {
		return sql
	}
	at := time.Now()
	if s.tx.kind != txNone {
		at = s.tx.now()
	}
	return stmt.SpliceAdded(sql, at)
}
