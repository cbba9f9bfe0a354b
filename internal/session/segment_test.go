package session

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// TestSegmentOfStatementPlannedAnew: what is executed stays with its Bind, and another Parse of the same text does not join them.
func TestSegmentOfStatementPlannedAnew(t *testing.T) {
	ddl := &parser.Statement{Kind: parser.DDL}
	parsed := &prepared{stmt: ddl}
	again := parsed.again()
	bound := &portal{prepared: &again}
	g := &segment{steps: []step{{kind: wire.KindParse, prepared: parsed}, {kind: wire.KindBind, prepared: &again, portal: bound}}}
	for _, tt := range []struct {
		name string
		st   step
		want bool
	}{
		{"Describe", step{kind: wire.KindDescribe, prepared: &again, portal: bound}, true},
		{"Execute", step{kind: wire.KindExecute, prepared: &again, portal: bound}, true},
		{"Parse of the same text", step{kind: wire.KindParse, prepared: &prepared{stmt: ddl}}, false},
	} {
		if got := g.takes(tt.st); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
