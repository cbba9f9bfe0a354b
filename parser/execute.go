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

// PreparedTypes is the number of types that PREPARE declares for parameters.
func PreparedTypes(sql string) int {
	s := scanner{sql: sql}
	if !s.isWord("prepare") {
		return 0
	}
	s.next()
	if !s.name() || s.peek().kind != '(' {
		return 0
	}
	count, depth := 1, 0
	for {
		switch s.next().kind {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return count
			}
		case ',':
			if depth == 1 {
				count++
			}
		case endToken:
			return 0
		}
	}
}

// Arguments are the values of added parameters as EXECUTE is given them.
func (p *Plan) Arguments(filled Filled, values []Value) []string {
	arguments := make([]string, len(filled.Slots))
	for i, slot := range filled.Slots {
		arguments[i] = "(" + p.constant(values, slot) + "::" + p.typeName(values, slot) + ")"
	}
	return arguments
}
