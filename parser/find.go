package parser

import (
	"strings"
	"unicode/utf8"
)

// FindName returns where a name stands in a statement's text, as the position of an error
// message: in characters, from 1; 0 if it is not there. call asks for one with a bracket
// behind it.
func FindName(sql, name string, call bool) int {
	s := scanner{sql: sql}
	for t := s.next(); t.kind != endToken; t = s.next() {
		if t.kind != wordToken && t.kind != nameToken || wordOf(sql, t).text != name {
			continue
		}
		if !call || s.peek().kind == '(' {
			return utf8.RuneCountInString(sql[:t.start]) + 1
		}
	}
	return 0
}

// FindWord is FindName for a keyword, in lower case.
func FindWord(sql, word string) int {
	s := scanner{sql: sql}
	for t := s.next(); t.kind != endToken; t = s.next() {
		if t.kind == wordToken && strings.EqualFold(sql[t.start:t.end], word) {
			return utf8.RuneCountInString(sql[:t.start]) + 1
		}
	}
	return 0
}
