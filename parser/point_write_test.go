package parser_test

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

func TestPointWrite(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, want string }{
		{"UPDATE t SET v = 1 WHERE id = 7", "t[id]: UPDATE t SET v = $1  WHERE id = $2 ; 23=1; 23=7"},
		{"UPDATE ONLY s.t AS x SET v = 'a', w = NULL, u = v WHERE x.id = -7", "only s.t[id]: UPDATE ONLY s.t AS x SET v = $1 , w = NULL, u = v WHERE x.id = -$2 ; 0=a; 23=7"},
		{"UPDATE t SET v=v+-5, w = 2 * w - u || 'x' WHERE id = 7", "t[id]: UPDATE t SET v=v+-$1 , w = $2  * w - u || $3  WHERE id = $4 ; 23=5; 23=2; 0=x; 23=7"},
		{"DELETE FROM t WHERE id = 7 AND n = 'a'", "t[id n]: DELETE FROM t WHERE id = $1  AND n = $2 ; 23=7; 0=a"},
		{"INSERT INTO t VALUES (1, 'a', NULL, true, -1.50)", "t[]: INSERT INTO t VALUES ($1 , $2 , NULL, true, -$3 ); 23=1; 0=a; 1700=1.50"},
		{"INSERT INTO t VALUES (1, DEFAULT, 'a')", "t[]: INSERT INTO t VALUES ($1 , DEFAULT, $2 ); 23=1; 0=a"},
		{"INSERT INTO s.t (a, b) VALUES (1, 3000000000) -- done", "s.t[]: INSERT INTO s.t (a, b) VALUES ($1 , $2 ) -- done; 23=1; 20=3000000000"},

		{"UPDATE t SET v = 1e3 WHERE id = 7", "none for a literal"},
		{"UPDATE t SET v = -2147483648 WHERE id = 7", "none for a literal"},
		{"UPDATE t SET v = -02147483648 WHERE id = 7", "none for a literal"},
		{"UPDATE t SET v = 'it''s' WHERE id = 7", "none for a literal"},
		{"UPDATE t SET v = 'ab ' WHERE id = 7", "none for a literal"},
		{"UPDATE t SET v = '' WHERE id = 7", "t[id]: UPDATE t SET v = $1  WHERE id = $2 ; 0=; 23=7"},

		{"UPDATE t SET v = 1 / 0 WHERE id = 7", ""},
		{"UPDATE t SET v = v + (1 / 0) WHERE id = 7", ""},
		{"UPDATE t SET v = -v WHERE id = 7", ""},
		{"UPDATE t SET v = v & 1 WHERE id = 7", ""},
		{"UPDATE t SET v = v OPERATOR(pg_catalog.+) 1 WHERE id = 7", ""},
		{"UPDATE t SET v = DEFAULT WHERE id = 7", ""},
		{"UPDATE t SET v = '1'::int WHERE id = 7", ""},
		{"UPDATE t SET v = date '2026-01-01' WHERE id = 7", ""},
		{"UPDATE t SET v = 'now' WHERE id = 7", ""},
		{"UPDATE t SET v = f(1) WHERE id = 7", ""},
		{"UPDATE t SET v = now() WHERE id = 7", ""},
		{"UPDATE t SET v = CASE WHEN v > 1 THEN 2 END WHERE id = 7", ""},
		{"UPDATE t SET v = (SELECT 1) WHERE id = 7", ""},
		{"UPDATE t SET v = ARRAY[1] WHERE id = 7", ""},
		{"UPDATE t SET v[1] = 1 WHERE id = 7", ""},
		{"UPDATE t SET c.v = 1 WHERE id = 7", ""},
		{"UPDATE t SET (v, w) = (1, 2) WHERE id = 7", ""},
		{"UPDATE t SET v = $1 WHERE id = 7", "t[id]: UPDATE t SET v = $1 WHERE id = $1 ; 23=7"},
		{"UPDATE t SET v = $1 + $2 WHERE id = 7", ""},
		{"UPDATE t SET v = $1::int WHERE id = 7", ""},
		{"INSERT INTO t VALUES (1, now(), CURRENT_TIMESTAMP)", "t[]: INSERT INTO t VALUES ($1 , now(), CURRENT_TIMESTAMP); 23=1"},
		{"INSERT INTO t VALUES (1, now() + '1 day')", ""},
		{"INSERT INTO t VALUES (1, CURRENT_TIMESTAMP(3))", ""},
		{"INSERT INTO t VALUES (1, s.now())", ""},
		{"UPDATE t SET v = 1 WHERE id > 7", ""},
		{"UPDATE t SET v = 1 WHERE CURRENT OF c", ""},
		{"UPDATE t SET v = 1", ""},
		{"UPDATE t SET v = 1 FROM u WHERE id = 7", ""},
		{"UPDATE t SET v = 1 WHERE id = 7 RETURNING v", ""},
		{"WITH c AS (SELECT 1) UPDATE t SET v = 1 WHERE id = 7", ""},
		{"DELETE FROM t USING u WHERE id = 7", ""},
		{"DELETE FROM t WHERE id = 7 RETURNING v", ""},
		{"DELETE FROM t", ""},
		{"INSERT INTO t VALUES (1), (2)", ""},
		{"INSERT INTO t VALUES (DEFAULT)", ""},
		{"INSERT INTO t VALUES (1 + 2)", ""},
		{"INSERT INTO t VALUES (NULL)", ""},
		{"INSERT INTO t DEFAULT VALUES", ""},
		{"INSERT INTO t SELECT 1", ""},
		{"INSERT INTO t (a, b) VALUES (1)", ""},
		{"INSERT INTO t (a[1]) VALUES (1)", ""},
		{"INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1)", ""},
		{"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", ""},
		{"INSERT INTO t VALUES (1) RETURNING a", ""},
		{"INSERT INTO t VALUES (1) ORDER BY 1", ""},
	}
	for _, tt := range tests {
		if got := shownPoint(tt.sql); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.sql, got, tt.want)
		}
	}
}

func TestUsesOfLiterals(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, want string }{
		{"UPDATE t SET v = 1, w = w + 2 WHERE id = 7", "[{1 v 0 0} {2 w 0 0} {0 id 0 0}]"},
		{"UPDATE t SET v = $2, w = $1 + v * 3 WHERE id = $1", "[{1 v 0 2} {2  0 1} {2 v 0 0} {0 id 0 1}]"},
		{"INSERT INTO t (a, b, c) VALUES ($1, now(), $2)", "[{1 a 0 1} {1 c 2 2}]"},
		{"SELECT v FROM t WHERE id = $1 AND n = 5", "[{0 id 0 1} {0 n 0 0}]"},
		{"INSERT INTO t VALUES (1, NULL, 'a')", "[{1  0 0} {1  2 0}]"},
		{"INSERT INTO t (a, b) VALUES (NULL, 'a')", "[{1 b 1 0}]"},
	}
	for _, tt := range tests {
		if got := fmt.Sprint(parser.Classify(tt.sql).Statements[0].Point.Uses); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.sql, got, tt.want)
		}
	}
}
