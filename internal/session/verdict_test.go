package session

import (
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

// TestOneVerdictForAllTextsOfAShape: what is judged once is found again whatever the
// constants are.
func TestOneVerdictForAllTextsOfAShape(t *testing.T) {
	t.Parallel()
	scripts := parser.NewCache(1<<20, 1)
	shape := func(sql string) any { return shapeOf(&scripts.Script(sql).Statements[0]) }
	for _, texts := range [][2]string{
		{"INSERT INTO history VALUES (1, CURRENT_TIMESTAMP)", "INSERT INTO history VALUES (22, CURRENT_TIMESTAMP)"},
		{"UPDATE t SET a = 1 WHERE id = 7", "UPDATE t SET a = 2 WHERE id = 8"},
	} {
		scripts.Script(texts[0]) // the first text of a shape is its own
		if one, two := shape(texts[0]), shape(texts[1]); one != two {
			t.Errorf("%q and %q are judged apart", texts[0], texts[1])
		}
	}
	if shape("DELETE FROM t WHERE id = 1") == shape("DELETE FROM u WHERE id = 1") {
		t.Error("two shapes are judged together")
	}
}
