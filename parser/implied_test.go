package parser

import (
	"slices"
	"testing"
)

// TestOperatorsAndCasts: in a statement and in the text of a function.
func TestOperatorsAndCasts(t *testing.T) {
	for _, tt := range []struct {
		sql              string
		operators, casts []string
	}{
		{"SELECT 1", nil, nil},
		{"SELECT a FROM t WHERE a = 1 AND b <> 2 AND d IN (1, 2)", []string{"=", "<>"}, nil},
		{"SELECT a + b, a OPERATOR(s.###) b, -a", []string{"+", "###", "-"}, nil},
		{"SELECT @-@ a", []string{"@-@"}, nil},
		{"SELECT a ~ 'x' OR a !~~ 'y'", []string{"~", "!~~"}, nil},
		{"SELECT a ==> ALL (SELECT b FROM u)", []string{"==>"}, nil},
		{"SELECT a FROM t WHERE (a, b) ==> (SELECT 1, 2) ORDER BY c USING <<<", []string{"==>", "<<<"}, nil},
		{"SELECT a::s.Money2, CAST(b AS \"Odd\"[]), c::int", nil, []string{"money2", "Odd", "int4"}},
		{"INSERT INTO t VALUES (1 ### 2, 3::odd) ON CONFLICT (a) DO UPDATE SET b = t.b &&& excluded.b", []string{"###", "&&&"}, []string{"odd"}},
		{"EXPLAIN SELECT 1 ### 2", nil, nil},
		{"EXPLAIN ANALYZE SELECT 1 ### 2", []string{"###"}, nil},
		{"COPY (SELECT 1 ### 2) TO STDOUT", []string{"###"}, nil},
	} {
		st := &Classify(tt.sql).Statements[0]
		if !slices.Equal(st.Operators, tt.operators) || !slices.Equal(st.Casts, tt.casts) {
			t.Errorf("%s: operators %q, casts %q", tt.sql, st.Operators, st.Casts)
		}
		body := ReadBody(tt.sql)
		for _, op := range st.Operators {
			if !slices.Contains(body.Operators, op) {
				t.Errorf("as a body, %s: operators %q", tt.sql, body.Operators)
			}
		}
		for _, name := range st.Casts {
			if name != "int4" && !slices.Contains(body.Casts, name) {
				t.Errorf("as a body, %s: casts %q", tt.sql, body.Casts)
			}
		}
	}
	prepared := &Classify("PREPARE p AS SELECT 1 ### 2").Statements[0]
	if len(prepared.Operators) > 0 || !slices.Equal(prepared.Inner.Operators, []string{"###"}) {
		t.Errorf("PREPARE has %q, what it prepares %q", prepared.Operators, prepared.Inner.Operators)
	}
	if b := ReadBody("SELECT a###-1 -- +++\n, '&&&' /* %%% */"); !slices.Equal(b.Operators, []string{"###-", "###"}) {
		t.Errorf("a sign is read as %q", b.Operators)
	}
}
