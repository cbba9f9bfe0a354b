package protocol

import "testing"

// TestDifferential plays every sequence to pgchorus over three nodes and to one bare
// PostgreSQL and compares the replies.
func TestDifferential(t *testing.T) {
	f := newFixture(t)
	for _, group := range []struct {
		name      string
		sequences []sequence
	}{
		{"simple query", simpleSequences},
		{"extended query", extendedSequences},
		{"copy", copySequences},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, seq := range group.sequences {
				t.Run(seq.name, func(t *testing.T) {
					f.check(t, seq.steps)
				})
			}
		})
	}
	f.wantQuiet(t)
	f.wantEqualToBare(t)
}
