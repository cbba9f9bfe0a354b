package parser

import "strings"

// ExecuteWith returns an EXECUTE with more arguments behind its own: expressions in SQL.
// ok is false if sql does not begin with EXECUTE and a name.
func ExecuteWith(sql string, arguments []string) (with string, ok bool) {
	s := scanner{sql: sql}
	if !s.isWord("execute") {
		return "", false
	}
	s.next()
	if !s.name() {
		return "", false
	}
	added := strings.Join(arguments, ", ")
	if s.peek().kind != '(' {
		return sql[:s.pos] + "(" + added + ")" + sql[s.pos:], true
	}
	end, ok := s.brackets()
	if !ok {
		return "", false
	}
	return sql[:end] + ", " + added + sql[end:], true
}
