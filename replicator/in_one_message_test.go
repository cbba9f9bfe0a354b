package replicator

import (
	"context"
	"fmt"
	"testing"
)

// TestExecuteAndCommit: what is a fact, who has to go, and what the frontend has been shown.
func TestExecuteAndCommit(t *testing.T) {
	done, none, cancelled, lost := said{tag: "UPDATE 1"}, said{tag: "UPDATE 0"}, said{code: "57014"}, said{lost: true}
	tests := []struct {
		name  string
		nodes [][]said
		want  string
	}{
		{"all", [][]said{{done}, {done}, {done}}, "UPDATE 1"},
		{"all refuse", [][]said{{cancelled}, {cancelled}, {cancelled}}, "not committed: error 57014 (no)"},
		{"one is lost", [][]said{{done}, {lost}, {done}}, "UPDATE 1; fence 1"},
		{"main is lost", [][]said{{lost}, {done}, {done}}, "UPDATE 1; fence 0"},
		{"main could not be sent it", [][]said{{{startLost: true}}, {done}, {done}}, "UPDATE 1; fence 0"},
		{"all are lost", [][]said{{lost}, {lost}, {lost}}, "unknown"},
		{"one is lost and the others refuse", [][]said{{cancelled}, {lost}, {cancelled}}, "not committed: error 57014 (no); fence 1"},
		{"one refuses once", [][]said{{done}, {cancelled, done}, {done}}, "UPDATE 1"},
		{"main refuses once", [][]said{{cancelled, done}, {done}, {done}}, "UPDATE 1; untold"},
		{"one refuses twice", [][]said{{done}, {cancelled, cancelled}, {done}}, "UPDATE 1; fence 1"},
		{"main refuses twice", [][]said{{cancelled, cancelled}, {done}, {done}}, "UPDATE 1; fence 0; untold"},
		{"one is lost when it is given it again", [][]said{{done}, {cancelled, {startLost: true}}, {done}}, "UPDATE 1; fence 1"},
		{"one has done something else", [][]said{{done}, {done}, {none}}, "UPDATE 1; fence 2"},
		{"main has", [][]said{{none}, {done}, {done}}, "UPDATE 1; fence 0; untold"},
		{"of two main is right", [][]said{{none}, {done}}, "UPDATE 0; fence 1"},
		{"one has, and another one is lost", [][]said{{done}, {none}, {lost}}, "UPDATE 1; fence 2; fence 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, journal := nodes(tt.nodes...)
			gate := NewGate()
			d, err := ExecuteAndCommit(context.Background(), made, CommitOptions{Gate: gate})
			got := "unknown"
			switch {
			case d.Committed:
				got = describe(d.Answer)
			case !d.Unknown:
				got = "not committed: " + describe(d.Answer)
			}
			for _, loss := range d.Fence {
				got += fmt.Sprintf("; fence %d", loss.Node.ID())
			}
			if d.Untold {
				got += "; untold"
			}
			if got != tt.want || err != nil {
				t.Errorf("%s, %v, want %s; %q", got, err, tt.want, *journal)
			}
			for _, node := range made {
				gate.wait(node.ID(), gate.newest()) // returns, since nothing is under way
			}
		})
	}
}
