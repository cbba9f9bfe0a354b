package session

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

func TestSavepointsAreFollowed(t *testing.T) {
	tests := []struct {
		name string
		sql  string
		want string
	}{
		{"one after the other", "SAVEPOINT a; SAVEPOINT b", "a b"},
		{"released with those behind it", "SAVEPOINT a; SAVEPOINT b; SAVEPOINT c; RELEASE b", "a"},
		{"kept by ROLLBACK TO, without those behind it", "SAVEPOINT a; SAVEPOINT b; SAVEPOINT c; ROLLBACK TO b", "a b"},
		{"the newest of a name", "SAVEPOINT a; SAVEPOINT b; SAVEPOINT a; RELEASE a", "a b"},
		{"the older of a name again", "SAVEPOINT a; SAVEPOINT b; SAVEPOINT a; RELEASE a; RELEASE a", ""},
		{"names are case folded as the server does", "SAVEPOINT A; SAVEPOINT \"A\"; RELEASE a", ""},
		{"other statements", "SAVEPOINT a; SELECT 1; DELETE FROM t", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got savepoints
			script := parser.Classify(tt.sql)
			for i := range script.Statements {
				got.note(&script.Statements[i])
			}
			if want := strings.Fields(tt.want); !slices.Equal(got, savepoints(want)) {
				t.Errorf("after %s: %q, want %q", tt.sql, got, want)
			}
		})
	}
}

func TestErrorsThatLeaveSomethingBehindOnAllNodes(t *testing.T) {
	tests := []struct {
		sql, code string
		want      bool
	}{
		{"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "23505", true},
		{"CREATE INDEX CONCURRENTLY i ON t (f(a))", "22012", true},
		{"REINDEX TABLE CONCURRENTLY t", "23505", true},
		{"DROP INDEX CONCURRENTLY i", "42704", true},
		{"ALTER TABLE t DETACH PARTITION u CONCURRENTLY", "42P01", true},
		{"CREATE INDEX CONCURRENTLY i ON t (a)", "57014", false},
		{"CREATE INDEX CONCURRENTLY i ON t (a)", "40P01", false},
		{"CREATE INDEX CONCURRENTLY i ON t (a)", "53100", false},
		{"CREATE INDEX CONCURRENTLY i ON t (a)", "", false},
		{"DROP DATABASE d", "55006", false},
		{"VACUUM t", "42P01", false},
	}
	for _, tt := range tests {
		t.Run(tt.sql+" "+tt.code, func(t *testing.T) {
			t.Parallel()
			regardless := bareOptions(&parser.Classify(tt.sql).Statements[0]).regardless
			if got := regardless != nil && regardless(tt.code); got != tt.want {
				t.Errorf("run on the others after %s: %v, want %v", tt.code, got, tt.want)
			}
		})
	}
}

func TestOthersAreSentWhatTheyCanFollow(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"DROP INDEX i", "DROP INDEX IF EXISTS i"},
		{"  drop index concurrently s.i, j;", "  drop index concurrently IF EXISTS s.i, j;"},
		{"DROP INDEX IF EXISTS i", ""},
		{`DROP INDEX "if exists"`, `DROP INDEX IF EXISTS "if exists"`},
		{"DROP TABLE t", ""},
		{"DROP INDEX/**/ i", ""},
		{"SELECT 'DROP INDEX i'", ""},
	}
	for _, tt := range tests {
		if got := othersText(&parser.Classify(tt.sql).Statements[0], tt.sql); got != tt.want {
			t.Errorf("othersText(%q) = %q, want %q", tt.sql, got, tt.want)
		}
	}
}
