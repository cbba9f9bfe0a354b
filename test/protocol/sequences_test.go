package protocol

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// TestDifferential plays every sequence to pgchorus over three nodes, in each clustering
// mode, and to one bare PostgreSQL and compares the replies.
func TestDifferential(t *testing.T) {
	for _, mode := range clusterings {
		t.Run(string(mode), func(t *testing.T) { testDifferential(t, newFixtureIn(t, mode)) })
	}
}

func testDifferential(t *testing.T, f *fixture) {
	for _, group := range []struct {
		name      string
		sequences []sequence
	}{
		{"simple query", simpleSequences},
		{"extended query", extendedSequences},
		{"copy", copySequences}, {"copy", watchedSequences},
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
	f.endPrepared(t)
	f.wantEqualToBare(t)
}

// endPrepared takes back the transactions that the sequences have left prepared, which a
// standby does not show.
func (f *fixture) endPrepared(t *testing.T) {
	if f.mode != config.StreamingReplication {
		return
	}
	for _, node := range []*pgtest.Node{f.bare, f.nodes[0]} {
		for _, row := range node.Query("SELECT gid, database FROM pg_prepared_xacts") {
			node.ConnectTo(row[1]).Exec(t.Context(), "ROLLBACK PREPARED '"+row[0]+"'") //nolint:errcheck // the comparison shows it
		}
	}
}
