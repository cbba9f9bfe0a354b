package replicator

import (
	"fmt"
	"strings"
	"testing"
)

// decided renders a Decision for a comparison.
func decided(d Decision) string {
	parts := []string{"rolled back"}
	switch {
	case d.Committed:
		parts[0] = "committed"
	case d.Unknown:
		parts[0] = "unknown"
	}
	if d.Answer != nil && d.Answer.Failed() {
		parts = append(parts, "error "+d.Answer.Code())
	}
	for _, loss := range d.Fence {
		parts = append(parts, fmt.Sprintf("fence %d", loss.Node.ID()))
	}
	return strings.Join(parts, ", ")
}

func TestCommit(t *testing.T) {
	lost, unsent := one(said{lost: true}), one(said{startLost: true})
	done, refused, failed := ok("COMMIT"), fails("40001"), ok("ROLLBACK")
	prepared := ok("PREPARE TRANSACTION")
	twice := append(prepared, ok("COMMIT PREPARED")...)
	tests := []struct {
		name    string
		mode    CommitMode
		nodes   [][]said
		want    string
		journal string
	}{
		{"to all at once", Parallel, [][]said{done, done, done}, "committed", "commit 0, commit 1, commit 2, finish 0 visible, finish 1, finish 2"},
		{"main first", MainFirst, [][]said{done, done, done}, "committed", "commit 0, finish 0 visible, commit 1, commit 2, finish 1, finish 2"},
		{"main first, alone", MainFirst, [][]said{done}, "committed", "commit 0, finish 0 visible"},
		{"main refuses first", MainFirst, [][]said{refused, done, done}, "rolled back, error 40001", "commit 0, finish 0 visible, rollback 1, rollback 2, finish 1, finish 2"},
		{"main first and lost: the others decide", MainFirst, [][]said{lost, done, done}, "committed, fence 0", ""},
		{"all refuse alike", Parallel, [][]said{refused, refused, refused}, "rolled back, error 40001", ""},
		{"the block had failed on all", Parallel, [][]said{failed, failed}, "rolled back", ""},
		{"another lost: fenced, acknowledged", Parallel, [][]said{done, lost, done}, "committed, fence 1", ""},
		{"another could not be sent it", Parallel, [][]said{done, done, unsent}, "committed, fence 2", ""},
		{"main lost: the others have it", Parallel, [][]said{lost, done, done}, "committed, fence 0", ""},
		{"all but one lost", Parallel, [][]said{lost, unsent, done}, "committed, fence 1, fence 0", ""},
		{"all lost", Parallel, [][]said{lost, lost, lost}, "unknown", ""},
		{"nobody could be sent it", Parallel, [][]said{unsent, unsent}, "unknown", ""},
		{"one refuses what others have confirmed", Parallel, [][]said{done, refused, done}, "committed, fence 1", ""},
		{"main refuses what others have confirmed", Parallel, [][]said{refused, done, done}, "committed, fence 0", ""},
		{"one had failed before", Parallel, [][]said{done, failed, done}, "committed, fence 1", ""},
		{"one lost and the rest refuse: the lost one may have it", Parallel, [][]said{lost, refused, refused}, "rolled back, error 40001, fence 0", ""},
		{"one lost and one refuses of what a third has confirmed", Parallel, [][]said{lost, refused, done}, "committed, fence 0, fence 1", ""},
		{"no node", Parallel, nil, "unknown", ""},
		{"main last", MainLast, [][]said{done, done, done}, "committed", "commit 1, commit 2, finish 1 visible, finish 2, commit 0, finish 0"},
		{"main last, alone", MainLast, [][]said{done}, "committed", "commit 0, finish 0 visible"},
		{"main last: the others refuse", MainLast, [][]said{done, refused, refused}, "rolled back, error 40001", "commit 1, commit 2, finish 1 visible, finish 2, rollback 0, finish 0"},
		{"main last: one refuses what another has confirmed", MainLast, [][]said{done, done, refused}, "committed, fence 2", ""},
		{"main last: main refuses what the others have", MainLast, [][]said{refused, done, done}, "committed, fence 0", ""},
		{"main last: main lost", MainLast, [][]said{lost, done, done}, "committed, fence 0", ""},
		{"main last: the others lost, main decides", MainLast, [][]said{done, lost, unsent}, "committed, fence 2, fence 1", ""},
		{"main last: one lost and one refuses", MainLast, [][]said{done, lost, refused}, "rolled back, error 40001, fence 1", ""},
		{"last agent", LastAgent, [][]said{done, twice, twice}, "committed",
			"prepare 1, prepare 2, finish 1 visible, finish 2 visible, commit 0, finish 0 visible, commit prepared 1, commit prepared 2, finish 1, finish 2"},
		{"last agent, alone", LastAgent, [][]said{done}, "committed", "commit 0, finish 0 visible"},
		{"last agent: one cannot prepare", LastAgent, [][]said{done, refused, twice}, "rolled back, error 40001",
			"prepare 1, prepare 2, finish 1 visible, finish 2, rollback 0, finish 0, rollback prepared 2, finish 2"},
		{"last agent: a block had failed", LastAgent, [][]said{done, twice, failed}, "rolled back",
			"prepare 1, prepare 2, finish 1 visible, finish 2 visible, rollback 0, finish 0, rollback prepared 1, finish 1"},
		{"last agent: main refuses", LastAgent, [][]said{refused, twice, twice}, "rolled back, error 40001",
			"prepare 1, prepare 2, finish 1 visible, finish 2 visible, commit 0, finish 0 visible, rollback prepared 1, rollback prepared 2, finish 1, finish 2"},
		{"last agent: main refuses, and one is lost before it has rolled back", LastAgent, [][]said{refused, twice, {prepared[0], {lost: true}}}, "rolled back, error 40001, fence 2", ""},
		{"last agent: one lost while it prepares", LastAgent, [][]said{done, lost, twice}, "committed, fence 1", ""},
		{"last agent: main lost, those that have it prepared commit", LastAgent, [][]said{lost, twice, twice}, "committed, fence 0", ""},
		{"last agent: main and one lost", LastAgent, [][]said{lost, {prepared[0], {lost: true}}, twice}, "committed, fence 0, fence 1", ""},
		{"last agent: one lost behind main's commit", LastAgent, [][]said{done, twice, {prepared[0], {startLost: true}}}, "committed, fence 2", ""},
		{"last agent: one refuses behind main's commit", LastAgent, [][]said{done, twice, {prepared[0], {code: "42501"}}}, "committed, fence 2", ""},
		{"last agent: all lost", LastAgent, [][]said{lost, lost, unsent}, "unknown", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, journal := nodes(tt.nodes...)
			gate := NewGate()
			d := Commit(made, CommitOptions{Mode: tt.mode, Gate: gate})
			if got := decided(d); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			calls := strings.Join(*journal, ", ")
			if strings.Contains(calls, "AFTER ITS LOSS") || tt.journal != "" && calls != tt.journal {
				t.Errorf("calls %q, want %q", calls, tt.journal)
			}
			for _, node := range made {
				if open := gate.lanes[node.ID()].open; len(open) > 0 {
					t.Errorf("node %d: the gate still waits for commits %d", node.ID(), open)
				}
			}
			wantRefusals(t, d)
		})
	}
}

// wantRefusals: every node in Refused is to be fenced, and a node with no error of its
// connection in Fence has refused.
func wantRefusals(t *testing.T, d Decision) {
	t.Helper()
	refused := map[string]bool{}
	for _, r := range d.Refused {
		refused[fmt.Sprint(r.Node)] = true
	}
	for _, loss := range d.Fence {
		if (loss.Err == nil) != refused[fmt.Sprint(loss.Node.ID())] {
			t.Errorf("node %d: error %v, refused %t", loss.Node.ID(), loss.Err, loss.Err == nil)
		}
	}
}

// TestDecisionIsAFact tries every combination of what three nodes may do, at each step of
// each mode. What one has confirmed is committed; every node that has not confirmed it is
// fenced, and so is every node that may have it when it is told to have failed.
func TestDecisionIsAFact(t *testing.T) {
	outcomes := []said{{tag: "COMMIT"}, {tag: "ROLLBACK"}, {code: "40001"}, {lost: true}, {startLost: true}}
	for _, mode := range []CommitMode{Parallel, MainLast, MainFirst, LastAgent} {
		for i := range 5 * 5 * 5 * 5 * 5 {
			acts := [][]said{one(outcomes[i%5]), {outcomes[i/5%5], outcomes[i/125%5]}, {outcomes[i/25%5], outcomes[i/625]}}
			made, _ := nodes(acts...)
			d := Commit(made, CommitOptions{Mode: mode})
			checkFact(t, fmt.Sprintf("mode %d, %+v", mode, acts), made, d)
		}
	}
}

// checkFact compares a decision with what became of the nodes.
func checkFact(t *testing.T, what string, made []Node, d Decision) {
	t.Helper()
	has, open := 0, 0
	for _, node := range made {
		n := node.(*fakeNode)
		switch {
		case isLost(d.Fence, n):
		case n.has:
			has++
		default:
			open++
		}
		if n.gone && n.asked && !isLost(d.Fence, n) && !d.Unknown {
			t.Errorf("%s: %s, and node %d may have it", what, decided(d), n.id)
		}
	}
	switch {
	case d.Committed && (has == 0 || open > 0):
		t.Errorf("%s: %s, and %d nodes have it, %d do not", what, decided(d), has, open)
	case !d.Committed && has > 0:
		t.Errorf("%s: %s, and %d nodes have it", what, decided(d), has)
	case !d.Committed && !d.Unknown && d.Answer == nil:
		t.Errorf("%s: nothing to tell the frontend", what)
	}
}

func TestRollback(t *testing.T) {
	made, journal := nodes(one(said{startLost: true}), ok("ROLLBACK"), one(said{lost: true}), ok("ROLLBACK"))
	lost := Rollback(made, true)
	if len(lost) != 2 || lost[0].Node.ID() != 0 || lost[1].Node.ID() != 2 {
		t.Errorf("lost %v", lost)
	}
	if calls := strings.Join(*journal, ", "); calls != "rollback 0, rollback 1, rollback 2, rollback 3, finish 1 visible, finish 2, finish 3" {
		t.Errorf("calls %q", calls)
	}
}
