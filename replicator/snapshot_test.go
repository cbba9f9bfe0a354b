package replicator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pgchorus/pgchorus/internal/wire"
)

func TestTakeSnapshot(t *testing.T) {
	lost, unsent := one(said{lost: true}), one(said{startLost: true})
	taken := []said{{tag: "SELECT 1"}}
	tests := []struct {
		name    string
		nodes   [][]said
		want    string
		journal string
	}{
		{"on all at once", [][]said{taken, taken, taken}, "main 0: SELECT 1", "start 0, start 1, start 2, finish 0, finish 1, finish 2"},
		{"on one", [][]said{taken}, "main 0: SELECT 1", "start 0, finish 0"},
		{"main lost: the next one's answer counts", [][]said{lost, taken, taken}, "main 1: SELECT 1; lost 0", "start 0, start 1, start 2, finish 0, finish 1, finish 2"},
		{"main could not be sent it", [][]said{unsent, taken, taken}, "main 1: SELECT 1; lost 0", "start 0, start 1, start 2, finish 1, finish 2"},
		{"another lost", [][]said{taken, lost, unsent}, "main 0: SELECT 1; lost 2; lost 1", "start 0, start 1, start 2, finish 0, finish 1"},
		{"main refuses: the others are read too", [][]said{fails("25P02"), fails("25P02")}, "main 0: error 25P02 (no)", "start 0, start 1, finish 0, finish 1"},
		{"another refuses", [][]said{taken, fails("53200"), taken}, "main 0: SELECT 1; node 1 answered error 53200 (no), main node SELECT 1", ""},
		{"all lost", [][]said{lost, unsent}, "nobody; lost 1; lost 0", ""},
		{"no node", nil, "nobody", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			made, journal := nodes(tt.nodes...)
			w := NewWindow()
			out, err := TakeSnapshot(t.Context(), made, w)
			if got := shown(out); got != tt.want || err != nil {
				t.Errorf("got %q, error %v; want %q", got, err, tt.want)
			}
			calls := strings.Join(*journal, ", ")
			if strings.Contains(calls, "AFTER ITS LOSS") || tt.journal != "" && calls != tt.journal {
				t.Errorf("calls %q, want %q", calls, tt.journal)
			}
			wantEmpty(t, w)
		})
	}
}

// slowNode answers when it is told to.
type slowNode struct {
	quietNode
	answers chan struct{}
}

func (n *slowNode) Finish(visible bool) (*wire.Answer, error) {
	<-n.answers
	return n.quietNode.Finish(visible)
}

func TestSnapshotAndCommitWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow()
		slow := &slowNode{quietNode{id: 1}, make(chan struct{})}
		quick, journal := nodes(ok("COMMIT"), ok("COMMIT"))
		go func() { _, _ = TakeSnapshot(t.Context(), []Node{&quietNode{}, slow}, w) }()
		synctest.Wait()
		committed := make(chan Decision, 1)
		go func() {
			d, err := CommitWithin(t.Context(), quick, CommitOptions{Window: w, Gate: NewGate()})
			if err != nil {
				t.Error(err)
			}
			committed <- d
		}()
		synctest.Wait()
		if len(*journal) > 0 {
			t.Fatalf("%q while node 1 has not taken its snapshot", *journal)
		}
		close(slow.answers)
		if d := <-committed; !d.Committed {
			t.Error("not committed")
		}
	})
}

func TestNothingIsSentAfterTheContextHasEnded(t *testing.T) {
	stopped := errors.New("server stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	made, journal := nodes(ok("COMMIT"))
	w := NewWindow()
	_ = w.Commit(t.Context(), func() {
		if _, err := TakeSnapshot(ctx, made, w); !errors.Is(err, stopped) {
			t.Errorf("snapshot: error %v", err)
		}
	})
	_ = w.Snapshot(t.Context(), func() {
		if _, err := CommitWithin(ctx, made, CommitOptions{Window: w}); !errors.Is(err, stopped) {
			t.Errorf("commit: error %v", err)
		}
	})
	if len(*journal) > 0 {
		t.Errorf("calls %q", *journal)
	}
}

func TestTheWaitForTheWindowIsBoundedOnlyIfThereIsOne(t *testing.T) {
	made, _ := nodes(ok("COMMIT"), ok("COMMIT"))
	w := NewWindow()
	bounds := 0
	ended := errors.New("cancelled")
	opt := CommitOptions{Window: w, Bound: func(ctx context.Context) (context.Context, func()) {
		bounds++
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(ended)
		return ctx, func() {}
	}}
	if d, err := CommitWithin(t.Context(), made[:1], opt); err != nil || !d.Committed || bounds != 0 {
		t.Errorf("nobody inside: %+v, %v, %d contexts", d, err, bounds)
	}
	_ = w.Snapshot(t.Context(), func() {
		if _, err := CommitWithin(t.Context(), made[1:], opt); !errors.Is(err, ended) || bounds != 1 {
			t.Errorf("a snapshot is taken: %v, %d contexts", err, bounds)
		}
	})
}

// faultyNode has a bug.
type faultyNode struct{ quietNode }

func (n *faultyNode) Finish(bool) (*wire.Answer, error) { panic("a bug") }

// TestNobodyWaitsForAStatementThatPanicked: the session ends by the panic, the others
// go on.
func TestNobodyWaitsForAStatementThatPanicked(t *testing.T) {
	w, gate, order := NewWindow(), NewGate(), NewOrder(nil)
	faulty := []Node{&faultyNode{quietNode{id: 0}}, &quietNode{id: 1}}
	for _, call := range []func(){
		func() { _, _ = TakeSnapshot(t.Context(), faulty, w) },
		func() { Execute(t.Context(), faulty, Options{Repeatable: anew, Gate: gate, Order: order}) },
		func() { _, _ = CommitWithin(t.Context(), faulty, CommitOptions{Gate: gate, Window: w}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		}()
	}
	wantEmpty(t, w)
	for _, node := range faulty {
		if open := gate.lanes[node.ID()].open; len(open) > 0 {
			t.Errorf("node %d: the gate still waits for commits %d", node.ID(), open)
		}
	}
	if under := order.under[0].Load(); under != 0 {
		t.Errorf("%d statements are still under node 0", under)
	}
}
