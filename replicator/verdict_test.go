package replicator

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

var (
	asNow     = Policy{}
	onKind    = Policy{StopOnMismatch: true}
	onTuples  = Policy{FailoverOnTuples: true}
	onBoth    = Policy{StopOnMismatch: true, FailoverOnTuples: true}
	allPolicy = []Policy{asNow, onKind, onTuples, onBoth}
)

// judged renders a Verdict for a comparison.
func judged(v Verdict) string {
	parts := []string{"goes on"}
	if v.RollBack {
		parts[0] = "rolled back"
	}
	for _, f := range v.Fence {
		parts = append(parts, fmt.Sprintf("fence %d", f.Node))
	}
	return strings.Join(parts, ", ")
}

func TestJudge(t *testing.T) {
	one1, two := ok("UPDATE 1"), ok("UPDATE 2")
	no, other, dead := fails("23505"), fails("23503"), fails("40P01")
	lost, unsent := one(said{lost: true}), one(said{startLost: true})
	odd := one(said{tag: "UPDATE 1", rows: 7})
	tests := []struct {
		name   string
		policy Policy
		nodes  [][]said
		want   string
	}{
		{"all alike", onBoth, [][]said{one1, one1, one1}, "goes on"},
		{"one node", onBoth, [][]said{one1}, "goes on"},
		{"a lost node is no difference", onBoth, [][]said{one1, lost, one1}, "goes on"},
		{"main fails alone: nobody else was asked", onBoth, [][]said{no, one1}, "goes on"},
		{"all lost", onBoth, [][]said{lost, unsent}, "rolled back"},

		// By default nobody is fenced.
		{"off: an error", asNow, [][]said{one1, no, one1}, "rolled back"},
		{"off: a row count", asNow, [][]said{one1, one1, two}, "rolled back"},
		{"the other parameter is on: an error", onTuples, [][]said{one1, no, one1}, "rolled back"},
		{"the other parameter is on: a row count", onKind, [][]said{one1, one1, two}, "rolled back"},

		// replication_stop_on_mismatch.
		{"an error on one of three", onKind, [][]said{one1, no, one1}, "goes on, fence 1"},
		{"two nodes: main is right", onKind, [][]said{one1, no}, "goes on, fence 1"},
		{"main is outvoted", onKind, [][]said{one1, no, no}, "rolled back, fence 0"},
		{"main and one more are outvoted", onKind, [][]said{one1, no, one1, no, no}, "rolled back, fence 0, fence 2"},
		{"two against two: main is right", onKind, [][]said{one1, no, one1, no}, "goes on, fence 1, fence 3"},
		{"different errors do not outvote main", onKind, [][]said{one1, no, other}, "goes on, fence 1, fence 2"},
		{"the most, but not more than half: main is right", onKind, [][]said{one1, no, other, no, one1}, "goes on, fence 1, fence 2, fence 3"},
		{"a lost node has agreed to nothing", onKind, [][]said{one1, no, no, lost}, "goes on, fence 1, fence 2"},
		{"a lost main has agreed to nothing", onKind, [][]said{lost, one1, no, no}, "goes on, fence 2, fence 3"},
		{"two lost, the rest outvotes main", onKind, [][]said{one1, no, no, no, unsent}, "rolled back, fence 0"},
		{"another statement was done", onKind, [][]said{one1, ok("DELETE 1"), one1}, "goes on, fence 1"},
		{"a deadlock tells nothing about data", onBoth, [][]said{one1, dead, one1}, "rolled back"},
		{"a cancel tells nothing about data", onBoth, [][]said{one1, fails("57014"), fails("57014")}, "rolled back"},
		{"a lock that was not to be had tells nothing about data", onBoth, [][]said{one1, fails("55P03"), one1}, "rolled back"},
		{"an error besides a deadlock", onBoth, [][]said{one1, dead, no, one1}, "rolled back"},

		// failover_if_affected_tuples_mismatch.
		{"a row count of one of three", onTuples, [][]said{one1, one1, two}, "goes on, fence 2"},
		{"a row count of one of two: main is right", onTuples, [][]said{one1, two}, "goes on, fence 1"},
		{"main's row count is outvoted", onTuples, [][]said{one1, two, two}, "rolled back, fence 0"},
		{"row counts two against two: main is right", onTuples, [][]said{two, two, one1, one1}, "goes on, fence 2, fence 3"},
		{"three row counts: main is right", onTuples, [][]said{one1, two, ok("UPDATE 3")}, "goes on, fence 1, fence 2"},
		{"rows inserted", onTuples, [][]said{ok("INSERT 0 1"), ok("INSERT 0 0"), ok("INSERT 0 1")}, "goes on, fence 1"},
		{"rows merged", onTuples, [][]said{ok("MERGE 1"), ok("MERGE 0"), ok("MERGE 1")}, "goes on, fence 1"},
		{"rows that were read", onBoth, [][]said{ok("SELECT 1"), ok("SELECT 2"), ok("SELECT 1")}, "rolled back"},
		{"values that were returned", onBoth, [][]said{one1, odd, one1}, "rolled back"},
		{"a row count, and values of those that stay", onBoth, [][]said{one1, odd, two, one1}, "rolled back, fence 2"},

		// Both.
		{"an error and a row count", onBoth, [][]said{one1, no, two, one1, one1}, "goes on, fence 1, fence 2"},
		{"an error, and a row count that nobody is fenced for", onKind, [][]said{one1, no, two, one1}, "rolled back, fence 1"},
		{"an error that nobody is fenced for, and a row count", onTuples, [][]said{one1, no, two, one1}, "rolled back"},
		{"a fenced node is no voter for row counts", onBoth, [][]said{one1, two, two, no}, "rolled back, fence 3, fence 0"},
		{"main is outvoted: row counts are not judged", onBoth, [][]said{one1, no, no, no, two}, "rolled back, fence 0, fence 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, _ := nodes(tt.nodes...)
			out := Execute(t.Context(), made, Options{Repeatable: anew})
			if got := judged(out.Judge(tt.policy)); got != tt.want {
				t.Errorf("%s: got %q, want %q", shown(out), got, tt.want)
			}
		})
	}
}

func TestJudgeCopy(t *testing.T) {
	waits, done := said{copyIn: true}, said{tag: "COPY 2"}
	tests := []struct {
		name  string
		nodes [][]said
		want  string
	}{
		{"another row count", [][]said{{waits, done}, {waits, {tag: "COPY 1"}}, {waits, done}}, "goes on, fence 1"},
		{"one does not wait for the data", [][]said{{waits, done}, fails("42501"), {waits, done}}, "goes on, fence 1"},
		{"one does not wait, main is lost", [][]said{{waits, {lost: true}}, fails("42501"), {waits, done}}, "goes on, fence 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, _ := nodes(tt.nodes...)
			out := Execute(t.Context(), made, Options{Repeatable: anew, Copy: func(context.Context, []Node) error { return nil }})
			if got := judged(out.Judge(onBoth)); got != tt.want {
				t.Errorf("%s: got %q, want %q", shown(out), got, tt.want)
			}
		})
	}
}

func TestJudgeGivesReasons(t *testing.T) {
	tests := []struct {
		nodes [][]said
		want  string
	}{
		{[][]said{ok("UPDATE 1"), ok("UPDATE 2")},
			"failover_if_affected_tuples_mismatch: answered UPDATE 2, main node UPDATE 1"},
		{[][]said{ok("UPDATE 1"), fails("23505"), ok("UPDATE 1")},
			"replication_stop_on_mismatch: answered error 23505 (no), 2 of 3 nodes UPDATE 1"},
		{[][]said{ok("UPDATE 1"), ok("UPDATE 2"), ok("UPDATE 2")},
			"failover_if_affected_tuples_mismatch: answered UPDATE 1, 2 of 3 nodes UPDATE 2"},
	}
	for _, tt := range tests {
		made, _ := nodes(tt.nodes...)
		out := Execute(t.Context(), made, Options{Repeatable: anew})
		if got := out.Judge(onBoth).Fence[0].Reason; got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestJudgeKeepsARightNode tries every combination of what four nodes may answer, main
// with success. Somebody stays; a transaction that goes on was answered alike by all who
// stay, main among them; nothing is fenced with both parameters off.
func TestJudgeKeepsARightNode(t *testing.T) {
	acts := []said{{tag: "UPDATE 1"}, {tag: "UPDATE 2"}, {tag: "UPDATE 1", rows: 7}, {code: "23505"}, {code: "40P01"}, {lost: true}}
	n := len(acts)
	for i := range 2 * n * n * n {
		at := []int{i % 2, i / 2 % n, i / 2 / n % n, i / 2 / n / n}
		for _, policy := range allPolicy {
			made, _ := nodes(one(acts[at[0]]), one(acts[at[1]]), one(acts[at[2]]), one(acts[at[3]]))
			out := Execute(t.Context(), made, Options{Repeatable: anew})
			v := out.Judge(policy)
			if bad := unsound(at, out, v, policy); bad != "" {
				t.Fatalf("%+v: %s: %s: %s", policy, shown(out), judged(v), bad)
			}
		}
	}
}

// unsound says what is wrong with a verdict; at is the answer of each node, by number.
func unsound(at []int, out Outcome, v Verdict, policy Policy) string {
	gone := map[int]bool{}
	for _, f := range v.Fence {
		if gone[int(f.Node)] {
			return "fenced twice"
		}
		gone[int(f.Node)] = true
	}
	for _, loss := range out.Lost {
		if gone[int(loss.Node.ID())] {
			return "a lost node is fenced"
		}
		gone[int(loss.Node.ID())] = true
	}
	switch {
	case len(gone) == len(at):
		return "nobody is left"
	case policy == asNow && len(v.Fence) > 0:
		return "fenced by no parameter"
	case gone[0] && !v.RollBack:
		return "goes on without main"
	}
	for i := range at {
		if !v.RollBack && !gone[i] && at[i] != at[0] {
			return "goes on with a node that differs"
		}
	}
	return ""
}
