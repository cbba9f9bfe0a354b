package parser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		sql, want string
	}{
		{"SELECT 1", ""},
		{"INSERT INTO t VALUES (1, 2), (3, 4)", "insert t [] 2x2"},
		{"INSERT INTO s.t (a, \"B\") VALUES (1, 2)", "insert s.t [a B] 1x2"},
		{"INSERT INTO t DEFAULT VALUES", "insert t [] 1x0"},
		{"INSERT INTO t (a) SELECT 1, 2", "insert t [a] 0x2 (rows come from a query)"},
		{"INSERT INTO t SELECT * FROM u", "insert t [] 0x0 (rows come from a query)"},
		{"INSERT INTO t TABLE u", "insert t [] 0x0 (rows come from a query)"},
		{"INSERT INTO t (SELECT 1 UNION SELECT 2)", "insert t [] 0x1 (rows come from a query)"},
		{"INSERT INTO t WITH x AS (SELECT 1) VALUES (1)", "insert t [] 0x1 (rows come from a query)"},
		{"INSERT INTO t VALUES (1), (2, 3)", "insert t [] 2x-1 (the statement has an unusual form)"},
		{"UPDATE t SET a = 1, (b, c) = (SELECT 1, 2), d[1] = 3 WHERE t.id = $1 AND 5::int8 = k AND l > 1", "update t [a b c d] 0x0 equal [id k]"},
		{"UPDATE t SET a = 1 WHERE id = 1 OR k = 2", "update t [a] 0x0"},
		{"UPDATE t SET a = 1 FROM u WHERE t.id = 1", "update t [a] 0x0"},
		{"UPDATE t SET a = 1 WHERE id = (SELECT 1) AND k = l AND m = NULL", "update t [a] 0x0 equal [m]"},
		{"DELETE FROM t WHERE id = 'x' AND NOT b AND id = 2", "delete t [] 0x0 equal [id]"},
		{"DELETE FROM t USING u WHERE id = 'x'", "delete t [] 0x0"},
		{"MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "merge t [] 0x0"},
		{"MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED THEN INSERT VALUES (1)", "merge t [] 0x0 (rows come by MERGE)"},
		{"COPY t (a, b) FROM STDIN", "copy from t [a b] 0x0 (rows come by COPY)"},
		{"COPY t FROM 'x'", "copy from t [] 0x0 (rows come by COPY)"},
		{"COPY t TO STDOUT", ""},
		{"WITH x AS (DELETE FROM a WHERE id = 1 RETURNING *) INSERT INTO b SELECT * FROM x",
			"insert b [] 0x0 (rows come from a query); delete a [] 0x0 equal [id]"},
		{"EXPLAIN ANALYZE DELETE FROM t", "delete t [] 0x0"},
		{"EXPLAIN DELETE FROM t", ""},
		{"PREPARE p AS DELETE FROM t", ""},
		{"CREATE TABLE t (a int)", ""},
	}
	for _, tt := range tests {
		st := parser.Classify(tt.sql).Statements[0]
		var parts []string
		for _, target := range st.Targets {
			part := fmt.Sprintf("%v %v %v %dx%d", target.Kind, target.Relation, target.Columns, target.Rows, target.Cells)
			if target.Unfillable != "" {
				part += " (" + target.Unfillable + ")"
			}
			if target.Equal != nil {
				part += fmt.Sprintf(" equal %v", target.Equal)
			}
			parts = append(parts, part)
		}
		if got := strings.Join(parts, "; "); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.sql, got, tt.want)
		}
	}
}
