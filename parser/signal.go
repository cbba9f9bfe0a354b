package parser

import (
	"strconv"
	"strings"
)

// SpliceProcess puts another process number into the call of name in sql whose argument is
// the number from, or returns sql as it is.
func SpliceProcess(sql, name string, from, to uint32) string {
	s := scanner{sql: sql}
	number := strconv.FormatUint(uint64(from), 10)
	for t := s.next(); t.kind != endToken; t = s.next() {
		if t.kind != wordToken && t.kind != nameToken || wordOf(sql, t).text != name || s.peek().kind != '(' {
			continue
		}
		s.next()
		at := s.peek().start
		if end := at + len(number); strings.HasPrefix(sql[at:], number) && (end == len(sql) || !isWord(sql[end]) && sql[end] != '.') {
			return sql[:at] + strconv.FormatUint(uint64(to), 10) + sql[end:]
		}
	}
	return sql
}
