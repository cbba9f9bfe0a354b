package parser

// AddReturning adds an expression, which may be of any kind, to what INSERT, UPDATE or
// DELETE returns: behind its own RETURNING, or with one. sql is the text of that statement
// alone; ok is false if it does not look like one. RETURNING is the last clause, so
// whatever stands before stays where it is (gram.y, InsertStmt and its like).
func AddReturning(sql, expression string, returning bool) (out string, ok bool) {
	s := scanner{sql: sql}
	end := 0
	for t := s.next(); t.kind != endToken; t = s.next() {
		if t.kind != ';' {
			end = t.end
		}
	}
	if end == 0 || end > len(sql) {
		return "", false
	}
	if returning {
		return sql[:end] + ", " + expression + sql[end:], true
	}
	return sql[:end] + " RETURNING " + expression + sql[end:], true
}
