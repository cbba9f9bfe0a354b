package parser_test

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

func TestPointRead(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, want string }{
		{"SELECT v FROM t WHERE id = 7", "t[id]: SELECT v FROM t WHERE id = $1 ; 23=7"},
		{"SELECT * FROM s.t WHERE id=7;", "s.t[id]: SELECT * FROM s.t WHERE id=$1 ;; 23=7"},
		{"SELECT a.v, a.w AS x FROM ONLY t a WHERE a.id = 'k' AND a.n = 3000000000", "only t[id n]: SELECT a.v, a.w AS x FROM ONLY t a WHERE a.id = $1  AND a.n = $2 ; 0=k; 20=3000000000"},
		{"SELECT v FROM t WHERE id = 007 -- seven", "t[id]: SELECT v FROM t WHERE id = $1  -- seven; 23=007"},
		{"/* 1 */ SELECT v FROM t WHERE (id = 1)", "t[id]: /* 1 */ SELECT v FROM t WHERE (id = $1 ); 23=1"},
		{"SELECT v FROM t WHERE id = 'a'and n = 1", "t[id n]: SELECT v FROM t WHERE id = $1 and n = $2 ; 0=a; 23=1"},

		{"SELECT v FROM t WHERE id = 'it''s'", "none for a literal"},
		{"SELECT v FROM t WHERE id = 1.5", "t[id]: SELECT v FROM t WHERE id = $1 ; 1700=1.5"},
		{"SELECT v FROM t WHERE id = -7", "t[id]: SELECT v FROM t WHERE id = -$1 ; 23=7"},
		{"SELECT v FROM t WHERE id = - 3000000000", "t[id]: SELECT v FROM t WHERE id = - $1 ; 20=3000000000"},
		{"SELECT v FROM t WHERE id = -2147483648", "none for a literal"},
		{"SELECT v FROM t WHERE id = 2147483648", "none for a literal"},
		{"SELECT v FROM t WHERE id = 1e3", "none for a literal"},
		{"SELECT v FROM t WHERE id = 1234567890123456789", "none for a literal"},

		{"SELECT v FROM t WHERE id = - -7", ""},
		{"SELECT v FROM t WHERE id = -/* minus */7", ""},
		{"SELECT v FROM t WHERE id = +7", ""},
		{"SELECT v FROM t WHERE 7 = id", ""},
		{"SELECT v FROM t WHERE id = E'x'", ""},
		{"SELECT v FROM t WHERE id = '7'::int", ""},
		{"SELECT v FROM t WHERE id = date '2026-01-01'", ""},
		{"SELECT v FROM t WHERE id = 'now'", ""},
		{"SELECT v FROM t WHERE id = true", ""},
		{"SELECT v FROM t WHERE id = NULL", ""},
		{"SELECT v FROM t WHERE id = $1", "t[id]: SELECT v FROM t WHERE id = $1"},
		{"SELECT v FROM t WHERE id = $1::int", ""},
		{"SELECT v FROM t WHERE id = n", ""},
		{"SELECT v FROM t WHERE id = 7 OR id = 8", ""},
		{"SELECT v FROM t WHERE id = 7 AND v > 3", ""},
		{"SELECT v FROM t WHERE id IN (7)", ""},
		{"SELECT v FROM t WHERE id OPERATOR(pg_catalog.=) 7", ""},
		{"SELECT v FROM t WHERE id IS NOT DISTINCT FROM 7", ""},
		{"SELECT v FROM t WHERE id <> 7", ""},
		{"SELECT 1 FROM t WHERE id = 7", ""},
		{"SELECT v + 1 FROM t WHERE id = 7", ""},
		{"SELECT f(v) FROM t WHERE id = 7", ""},
		{"SELECT v FROM t WHERE id = 7 LIMIT 1", ""},
		{"SELECT v FROM t WHERE id = 7 ORDER BY 1", ""},
		{"SELECT v FROM t WHERE id = 7 GROUP BY v", ""},
		{"SELECT DISTINCT v FROM t WHERE id = 7", ""},
		{"SELECT v FROM t WHERE id = 7 FOR UPDATE", ""},
		{"SELECT v INTO u FROM t WHERE id = 7", ""},
		{"SELECT v FROM t TABLESAMPLE system (10) WHERE id = 7", ""},
		{"SELECT v FROM t, u WHERE id = 7", ""},
		{"SELECT v FROM t JOIN u USING (id) WHERE id = 7", ""},
		{"SELECT v FROM f(7) AS t WHERE id = 7", ""},
		{"WITH c AS (SELECT 1) SELECT v FROM t WHERE id = 7", ""},
		{"SELECT v FROM t WHERE id = 7 UNION SELECT v FROM t WHERE id = 8", ""},
		{"SELECT v FROM t WHERE id = 7; SELECT v FROM t WHERE id = 8", ""},
		{"SELECT v FROM t", ""},
		{"SELECT FROM t WHERE id = 7", ""},
	}
	for _, tt := range tests {
		if got := shownPoint(tt.sql); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.sql, got, tt.want)
		}
	}
}

// shownPoint is what a text becomes, with its parameters.
func shownPoint(sql string) string {
	p := parser.Classify(sql).Statements[0].Point
	if p == nil {
		return ""
	}
	literals, _ := new(parser.LiteralScanner).Scan(sql)
	shown := fmt.Sprintf("%s%v: %s", p.Relation, p.Equal, parser.WithParameters(sql, literals))
	if p.Only {
		shown = "only " + shown
	}
	for _, l := range literals {
		oid, ok := l.Type(sql)
		if !ok {
			return "none for a literal"
		}
		shown += fmt.Sprintf("; %d=%s", oid, l.Value(sql))
	}
	return shown
}

func TestLiteralsAllocateNothing(t *testing.T) {
	var s parser.LiteralScanner
	if n := testing.AllocsPerRun(100, func() { s.Scan(shortRead) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
