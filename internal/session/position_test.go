package session

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pgchorus/pgchorus/parser"
)

func TestPlaceInLeadsBackToTheFrontendsText(t *testing.T) {
	tests := []struct {
		sql  string
		word string // its position in the text that was sent becomes that in the frontend's
	}{
		{"UPDATE c SET a = now(), wrong = 1", "wrong"},
		{"UPDATE c SET wrong = 1, a = now()", "wrong"},
		{"INSERT INTO c VALUES (now(), 'ä', CURRENT_TIMESTAMP(3), wrong)", "wrong"},
		{"UPDATE wrong SET a = now()", "wrong"},
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	splice := func(sql string, calls []parser.TimeCall) string { return parser.SpliceTime(sql, calls, at) }
	for _, tt := range tests {
		t.Run(tt.sql, func(t *testing.T) {
			calls := parser.Classify(tt.sql).Statements[0].TimeCalls
			sent := splice(tt.sql, calls)
			want := characters(tt.sql, tt.word)
			if got := placeIn(tt.sql, calls, splice)(characters(sent, tt.word)); got != want {
				t.Errorf("placeIn(%q) = %d, want %d", tt.sql, got, want)
			}
		})
	}
}

// characters is the 1-based position of a word, as PostgreSQL counts it.
func characters(text, word string) int {
	return utf8.RuneCountInString(text[:strings.Index(text, word)]) + 1
}
