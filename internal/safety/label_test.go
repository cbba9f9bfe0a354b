package safety

import (
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// TestJudgeDoesNotTrustNames: labels that nobody vouches for, and what stands behind a
// foreign key, an event trigger, a partition or a snapshot.
func TestJudgeDoesNotTrustNames(t *testing.T) {
	t.Parallel()
	w := world{
		code: map[string]*catalog.Code{
			"own_c": routine(catalog.Immutable, "c", ""),
			"known_c": {Exists: true, Bodies: []catalog.Routine{{Schema: "public", Kind: 'f', Volatility: catalog.Immutable,
				Language: "c", Extension: "hstore"}}},
			"noted": routine(catalog.Volatile, "plpgsql", "BEGIN INSERT INTO log VALUES (clock_timestamp()); END"),
			"quiet": routine(catalog.Volatile, "plpgsql", "BEGIN INSERT INTO log VALUES (1); END"),
		},
		around: map[string]*catalog.Surroundings{"parent": withText(catalog.ReferenceText, "random()")},
		tables: map[string]*catalog.Table{"parent": {Exists: true, Keys: [][]string{{"id"}}, Columns: []catalog.Column{{Name: "id", Type: "integer"}}}},
	}
	tests := []struct{ name, sql, want, reason string }{
		{"immutable function in C", "INSERT INTO parent VALUES (own_c())", "D4 capture", "own_c() is labelled immutable"},
		{"immutable function of an extension", "INSERT INTO parent VALUES (known_c())", "D0 run", ""},
		{"key that others refer to goes", "DELETE FROM parent WHERE id = 1", "D5 lock", "a foreign key sets in column c of parent calls random()"},
		{"key that others refer to comes", "INSERT INTO parent VALUES (1)", "D0 run", ""},
		{"event trigger that notes the time", "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION noted()", "D5 lock", "noted() calls clock_timestamp()"},
		{"event trigger that does the same everywhere", "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION quiet()", "D0 run", ""},
		{"hash of a type of a user's", "CREATE TABLE x (m mood) PARTITION BY HASH (m)", "D6 warn", "hash of m"},
		{"hash of a number", "CREATE TABLE x (m int) PARTITION BY HASH (m)", "D0 run", ""},
		{"name of a snapshot that is stored", "INSERT INTO parent SELECT pg_export_snapshot()", "D6 capture", "name of a snapshot"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stmt := &parser.Classify(tt.sql).Statements[0]
			v, ask := Judge(Input{Statement: stmt, Text: tt.sql, Policy: policyOf(t), Facts: w, Bodies: &Bodies{}})
			if got := v.Level.String() + " " + v.Action.String(); got != tt.want || !strings.Contains(v.String(), tt.reason) || !ask.Empty() {
				t.Errorf("%s: %s (%v), want %s, %q; asks %v", tt.sql, got, v, tt.want, tt.reason, ask)
			}
		})
	}
}
