package parser_test

import (
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

// TestClassifyHostileNesting: pg_query would overflow its stack, or take time
// with the square of the length, on most of these.
func TestClassifyHostileNesting(t *testing.T) {
	t.Parallel()
	const n = 100_000
	tests := []struct{ name, sql string }{
		{"brackets", "SELECT " + strings.Repeat("(", n) + "1" + strings.Repeat(")", n)},
		{"sum", "SELECT 1" + strings.Repeat("+1", n)},
		{"sum in brackets", "SELECT " + strings.Repeat("(", 200) + "1" + strings.Repeat(strings.Repeat("+1", n/200)+")", 200)},
		{"sum over sub-selects", "SELECT 1" + strings.Repeat("+(SELECT 1 end, 2)", n)},
		{"sum over labels named as CASE", "SELECT 1" + strings.Repeat("+(SELECT 1 case, 2)", n)},
		{"sum over columns named as OR", "SELECT a.or" + strings.Repeat("+a.or", n)},
		{"sum over CASE with OR", "SELECT 1" + strings.Repeat("+CASE WHEN a OR b THEN 1 END", n)},
		{"sum with comments", "SELECT 1" + strings.Repeat("+/* , */1", n)},
		{"sum of strings with commas", "SELECT ''" + strings.Repeat("||','", n)},
		{"sum of dollar quotes", "SELECT 1" + strings.Repeat("+$a$,$a$", n)},
		{"sum of escape strings", "SELECT 1" + strings.Repeat(`+E'\',' `, n)},
		{"sum of quoted names", "SELECT 1" + strings.Repeat(`+","`, n)},
		{"casts", "SELECT 1" + strings.Repeat("::int", n)},
		{"NOT", "SELECT " + strings.Repeat("NOT ", n) + "a"},
		{"IS NULL BETWEEN", "SELECT a IS NULL" + strings.Repeat(" BETWEEN 1 AND 2 IS NULL", n)},
		{"COLLATE", "SELECT a" + strings.Repeat(" COLLATE x", n)},
		{"joins", "SELECT 1 FROM a" + strings.Repeat(" JOIN a ON b", n)},
		{"unions of lists", "SELECT 1, 2" + strings.Repeat(" UNION SELECT 1, 2", n)},
		{"unions under labels", "SELECT 1 AS case, 1" + strings.Repeat(" UNION SELECT 1 AS end, 1 AS case", n)},
		{"in a later statement", "SELECT 1; SELECT 1" + strings.Repeat("+1", n)},
		{"comments", strings.Repeat("/*", n) + strings.Repeat("*/", n) + "SELECT 1"},
		{"comments never closed", strings.Repeat("/*", n)},
		{"operators", "SELECT 1 " + strings.Repeat("+-", n) + "1"},
		{"a zero byte", "SELECT 1\x00; DELETE FROM t"},
		{"too long", "SELECT '" + strings.Repeat("x", 17<<20) + "'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := parser.Classify(tt.sql)
			if s.Err == nil || s.ReadOnly || s.Statements[0].Kind != parser.Unknown {
				t.Errorf("kind %v, error %v", s.Statements[0].Kind, s.Err)
			}
		})
	}
}

// TestClassifyLargeButFlat: what applications send must not be taken for hostile.
func TestClassifyLargeButFlat(t *testing.T) {
	t.Parallel()
	const n = 20_000
	tests := []struct{ name, sql string }{
		{"rows", "INSERT INTO t VALUES (1, 'a', -1, now())" + strings.Repeat(", (1+1, 'b' || 'c', -1, now())", n)},
		{"IN list", "SELECT * FROM t WHERE a IN (1" + strings.Repeat(",1", n) + ")"},
		{"OR", "SELECT * FROM t WHERE a = 1" + strings.Repeat(" OR a = 1", n)},
		{"AND", "SELECT * FROM t WHERE a = 1" + strings.Repeat(" AND a <> 1", n)},
		{"AND in OR", "SELECT * FROM t WHERE (a = 1 AND b = 2)" + strings.Repeat(" OR (a = 1 AND b BETWEEN 1 AND 2)", n)},
		{"CASE", "UPDATE t SET a = CASE id" + strings.Repeat(" WHEN 1 THEN 2", n) + " ELSE 3 END"},
		{"statements", strings.Repeat("INSERT INTO t VALUES (1);", n)},
		{"one long string", "INSERT INTO t VALUES ('" + strings.Repeat("(+", n) + "')"},
		{"one long comment", "SELECT 1 /*" + strings.Repeat("+", n) + "*/"},
		{"unions", "SELECT 1" + strings.Repeat(" UNION ALL SELECT 1", 2000)},
		{"function body", "DO $$" + strings.Repeat("BEGIN x := x + 1; END;", n) + "$$"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if s := parser.Classify(tt.sql); s.Err != nil {
				t.Errorf("error %v", s.Err)
			}
		})
	}
}

func TestClassifySyntaxError(t *testing.T) {
	t.Parallel()
	s := parser.Classify("SELECT 'ü' FRM t x")
	e, ok := s.Err.(*pgerr.Error)
	if !ok || e.Code != pgerr.SyntaxError || e.Position != 16 {
		t.Errorf("error %#v, want 42601 at character 16", s.Err)
	}
}

func TestClassifyOtherEncodings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sql string
		want      parser.Kind
	}{
		{"string in LATIN1", "INSERT INTO t VALUES ('\xfc', 1)", parser.Insert},
		{"comment in LATIN1", "SELECT 1 /* \xfc */", parser.Select},
		{"name in LATIN1", "SELECT * FROM \xfc", parser.Unknown},
		{"setting in LATIN1", "SET x TO '\xfc'", parser.Unknown},
		{"sequence in LATIN1", "SELECT nextval('\xfc')", parser.Unknown},
		{"global transaction in LATIN1", "COMMIT PREPARED '\xfc'", parser.Unknown},
		{"UTF-8", "SELECT 'ü' FROM ü", parser.Select},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := parser.Classify(tt.sql).Statements[0].Kind; got != tt.want {
				t.Errorf("Classify(%q) = %v, want %v", tt.sql, got, tt.want)
			}
		})
	}
}

func TestClassifyBackslash(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{`SELECT 'a\'`: true, `SELECT 'a'`: false, `SELECT '\' FROM`: true, `SELECT "\" /* \ */`: false} {
		if got := parser.Classify(sql).AssumesStandardStrings; got != want {
			t.Errorf("%s: %v", sql, got)
		}
	}
}

func TestStatementText(t *testing.T) {
	t.Parallel()
	sql := "  BEGIN ; /* a */ UPDATE t SET a = ';' -- b\n; ; COMMIT"
	want := []string{"BEGIN", "UPDATE t SET a = ';' -- b", "COMMIT"}
	s := parser.Classify(sql)
	for i := range s.Statements {
		if got := s.Statements[i].Text(sql); got != want[i] {
			t.Errorf("statement %d is %q, want %q", i, got, want[i])
		}
	}
	alone := " SELECT 1 ; "
	if got := parser.Classify(alone).Statements[0].Text(alone); got != "SELECT 1" {
		t.Errorf("got %q", got)
	}
}
