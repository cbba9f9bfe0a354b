package replicator

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// TestDecidedIsToldWhenMainHasCommitted: neither earlier, nor when a node has to be fenced first.
func TestDecidedIsToldWhenMainHasCommitted(t *testing.T) {
	prepared := ok("PREPARE TRANSACTION")
	twice := append(prepared, ok("COMMIT PREPARED")...)
	done, lost, refused := ok("COMMIT"), one(said{lost: true}), fails("40001")
	tests := []struct {
		name  string
		mode  CommitMode
		nodes [][]said
		want  string // what has been called before
	}{
		{"last agent", LastAgent, [][]said{done, twice, twice},
			"prepare 1, prepare 2, finish 1 visible, finish 2 visible, commit 0, finish 0 visible, commit prepared 1, commit prepared 2"},
		{"a node refuses to commit what it has prepared", LastAgent, [][]said{done, twice, {prepared[0], {code: "58030"}}},
			"prepare 1, prepare 2, finish 1 visible, finish 2 visible, commit 0, finish 0 visible, commit prepared 1, commit prepared 2"},
		{"main refuses", LastAgent, [][]said{refused, twice, twice}, ""},
		{"main is lost", LastAgent, [][]said{lost, twice, twice}, ""},
		{"one is lost while it prepares", LastAgent, [][]said{done, lost, twice}, ""},
		{"one is lost behind main's commit", LastAgent, [][]said{done, twice, {prepared[0], {startLost: true}}}, ""},
		{"one node", LastAgent, [][]said{done}, ""},
		{"all at once", Parallel, [][]said{done, done, done}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, journal := nodes(tt.nodes...)
			before := ""
			Commit(made, CommitOptions{Mode: tt.mode, Gate: NewGate(), Decided: func() { before = strings.Join(slices.Clone(*journal), ", ") }})
			if before != tt.want {
				t.Errorf("told behind %q, want %q", before, tt.want)
			}
		})
	}
}

// TestReadsWaitForWhatWasAcknowledged, on the nodes that have not confirmed it, and for nothing
// else.
func TestReadsWaitForWhatWasAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate()
		made, _ := nodes(nil, nil, nil)
		undecided := gate.enter(made)
		token := gate.enter(made)
		for _, node := range made {
			gate.Caught(node.ID()) // nobody was told of anything
		}
		gate.decide(made[1:], token)
		gate.leave(0, token)
		gate.Caught(0)
		read := make(chan struct{})
		go func() { gate.Caught(1); close(read) }()
		synctest.Wait()
		select {
		case <-read:
			t.Error("a read did not wait for a commit that was acknowledged")
		default:
		}
		later := gate.enter(made)
		gate.decide(made[1:], later)
		gate.leave(1, token)
		<-read // it does not wait for what was acknowledged behind its beginning
		for _, open := range []uint64{undecided, token, later} {
			gate.leaveAll(made, open)
		}
		gate.Caught(2)
	})
}
