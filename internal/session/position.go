package session

import (
	"unicode/utf8"

	"github.com/pgchorus/pgchorus/parser"
)

// placeIn leads a position in the text that was sent back to the frontend's text, in
// which the time calls still stand. spliced makes the former of the latter. The
// result is called only when there is an error to be told.
func placeIn(sql string, calls []parser.TimeCall, spliced func(string, []parser.TimeCall) string) func(position int) int {
	return func(position int) int {
		grown := 0 // characters by which the text so far is longer
		for i, call := range calls {
			start := utf8.RuneCountInString(sql[:call.Start]) + grown
			length := utf8.RuneCountInString(sql[call.Start:call.End])
			growth := len(spliced(sql, calls[i:i+1])) - len(sql)
			switch {
			case position <= start:
				return position - grown
			case position <= start+length+growth:
				return start - grown + 1
			}
			grown += growth
		}
		return position - grown
	}
}
