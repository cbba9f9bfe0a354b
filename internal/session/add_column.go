package session

import (
	"github.com/pgchorus/pgchorus/parser"
)

// withAddedTimes gives the rows that an ALTER TABLE finds one time on all nodes, where it
// adds a column whose default asks for it.
func (s *Session) withAddedTimes(stmt *parser.Statement, sql string) string {
	if len(stmt.Added) == 0 || !s.replicates() {
		return sql
	}
	return stmt.SpliceAdded(sql, s.now())
}
