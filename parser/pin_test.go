package parser_test

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

func TestPins(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, want string }{
		{"UPDATE t SET v = 3 WHERE id = 7", "[id=7]"},
		{"UPDATE t SET v = v + 1, w = 'x' WHERE t.id = 3000000000 AND n = 007", "[id=3000000000 n=007]"},
		{"DELETE FROM t WHERE id = 7 AND v > 3", "[id=7]"},
		{"/* 1 */ DELETE FROM t WHERE (id = 1) -- 2", "[id=1]"},
		{"UPDATE t SET v = 'x' WHERE id =  '7' ", "[id='7']"},
		{"UPDATE t SET v = $1 WHERE id = $2", "[id=$2]"},
		{"UPDATE t SET v = $1 WHERE id = $12 AND w = $1", "[id=$12]"},

		{"UPDATE t SET v = $1 WHERE id = $1", "[]"},
		{"UPDATE t SET v = 1 WHERE id = $1 -- not $1", "[]"},
		{"UPDATE t SET v = 1 WHERE id = -7", "[]"},
		{"UPDATE t SET v = 1 WHERE id = E'x'", "[]"},
		{"UPDATE t SET v = 1 WHERE 7 = id", "[]"},
		{"UPDATE t SET v = 1 WHERE id = 7::bigint", "[]"},
		{"UPDATE t SET v = 1 WHERE id = $1::bigint", "[]"},
		{"UPDATE t SET v = 1 WHERE id = 7 OR id = 8", "[]"},
		{"UPDATE t SET v = 1 FROM u WHERE id = 7", "[]"},
		{"UPDATE t SET v = E'\\n' WHERE id = 7", "[]"},
		{"INSERT INTO t VALUES (7)", "[]"},
	}
	for _, tt := range tests {
		if got := shownPins(tt.sql); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.want)
		}
	}
}

// shownPins has the values as they stand in the text.
func shownPins(sql string) string {
	shown := []string{}
	literals, _ := new(parser.LiteralScanner).Scan(sql)
	for _, p := range parser.Classify(sql).Statements[0].Targets[0].Pins {
		if p.Param > 0 {
			shown = append(shown, fmt.Sprintf("%s=$%d", p.Column, p.Param))
			continue
		}
		l := literals[p.Literal-1]
		shown = append(shown, p.Column+"="+sql[l.Start:l.End])
	}
	return fmt.Sprint(shown)
}
