package session

import (
	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/parser"
)

// withAddedTimes gives the rows that an ALTER TABLE finds one time on all nodes, where it
// adds a column whose default asks for it.
func (s *Session) withAddedTimes(stmt *parser.Statement, sql string) string {
	if len(stmt.Added) == 0 || !s.replicates() {
		return sql
	}
	return stmt.SpliceAdded(sql, s.now(), func(column string) bool { return s.hasColumn(stmt.Writes[0], column) })
}

// hasColumn asks whether a relation has a column of that name. It is false if nobody tells.
func (s *Session) hasColumn(r parser.Relation, column string) bool {
	l := s.askable()
	if l == nil {
		return false
	}
	rows, err := l.question("SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(" +
		quoteLiteral((capture.Lock{Relation: r}).Name()) + ") AND a.attname OPERATOR(pg_catalog.=) " + quoteLiteral(column) + " AND NOT a.attisdropped)")
	return err == nil && len(rows) == 1 && rows[0] == "t"
}
