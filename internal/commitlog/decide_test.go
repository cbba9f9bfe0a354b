package commitlog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

func TestDecide(t *testing.T) {
	prepared := func(id config.NodeID) Fact { return Fact{Node: id, Prepared: true} }
	committed := func(id config.NodeID) Fact { return Fact{Node: id, Committed: true} }
	neither := func(id config.NodeID) Fact { return Fact{Node: id} }
	tests := []struct {
		name  string
		facts []Fact // main is node 0
		want  bool
	}{
		{"main has committed", []Fact{committed(0), prepared(1), prepared(2)}, true},
		{"main has not", []Fact{neither(0), prepared(1), prepared(2)}, false},
		{"main has not, and one has not prepared", []Fact{neither(0), prepared(1), neither(2)}, false},
		{"main has committed, and one has ended it", []Fact{committed(0), committed(1), prepared(2)}, true},
		{"main is lost, all others have it prepared", []Fact{prepared(1), prepared(2)}, true},
		{"main is lost, one other is left", []Fact{prepared(2)}, true},
		{"main is lost, one does not have it", []Fact{prepared(1), neither(2)}, false},
		{"main is lost, one has committed it", []Fact{committed(1), prepared(2)}, true},
		{"nobody is left", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Decide(0, tt.facts); got != tt.want {
				t.Errorf("commit %t, want %t", got, tt.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	slot := func(n int) place { return place{"app", 0, n} }
	tests := []struct {
		name   string
		nodes  []ledger
		out    []config.NodeID
		splits int
		unsafe bool
	}{
		{"nothing", []ledger{{}, {}, {}}, nil, 0, false},
		{"alike", []ledger{{slot(0): 5}, {slot(0): 5}}, nil, 0, false},
		{"one lacks a transaction", []ledger{{slot(0): 5}, {slot(0): 5}, {slot(0): 4}}, []config.NodeID{2}, 1, false},
		{"main lacks it", []ledger{{slot(0): 4}, {slot(0): 5}, {slot(0): 5}}, []config.NodeID{0}, 1, false},
		{"one alone has it: nothing that was told is given up", []ledger{{slot(0): 4}, {slot(0): 4}, {slot(0): 5}}, []config.NodeID{0, 1}, 1, false},
		{"the first of a slot", []ledger{{slot(0): 5}, {}}, []config.NodeID{1}, 1, false},
		{"each lacks one: the larger group stays", []ledger{{slot(0): 5, slot(1): 4}, {slot(0): 4, slot(1): 5}, {slot(0): 4, slot(1): 5}}, []config.NodeID{0}, 2, true},
		{"each lacks one: main stays", []ledger{{slot(0): 5, slot(1): 4}, {slot(0): 4, slot(1): 5}}, []config.NodeID{1}, 2, true},
		{"one has all of two", []ledger{{slot(0): 5, slot(1): 4}, {slot(0): 5, slot(1): 5}, {slot(0): 4, slot(1): 5}}, []config.NodeID{0, 2}, 2, false},
		{"one node", []ledger{{slot(0): 5}}, nil, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nodes := map[config.NodeID]ledger{}
			for i, l := range tt.nodes {
				nodes[config.NodeID(i)] = l
			}
			v := compare(nodes)
			if !slices.Equal(v.out, tt.out) || len(v.splits) != tt.splits || v.unsafe != tt.unsafe {
				t.Errorf("got %v out, %d splits, unsafe %t: %v", v.out, len(v.splits), v.unsafe, v.splits)
			}
			for _, id := range v.out {
				if v.reason(id) == "" {
					t.Errorf("node %d goes for no reason", id)
				}
			}
		})
	}
}

func TestNames(t *testing.T) {
	log := New(Options{Proxy: 3})
	first := log.Lend()
	second := log.Lend()
	second.Next()
	second.Next()
	got, err := parseName(second.Name(2))
	want := transaction{proxy: 3, slot: 1, seq: second.seq, main: 2}
	if err != nil || got != want {
		t.Errorf("%s: %+v, %v; want %+v", second.Name(2), got, err, want)
	}
	for _, name := range []string{"", "pgchorus:", "pgchorus:1:2:3", "pgchorus:1:2:3:x", "pgchorus:1:2:3:4:5", "other:1:2:3:4"} {
		if _, err := parseName(name); err == nil {
			t.Errorf("%q is a name of ours", name)
		}
	}
	log.GiveBack(first)
	if again := log.Lend(); again != first {
		t.Error("a slot that was given back is not lent again")
	}
}

// TestEpochsRise: those of a later millisecond, whatever chance adds.
func TestEpochsRise(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		if earlier, later := newEpoch(at), newEpoch(at.Add(time.Millisecond)); earlier >= later {
			t.Fatal(i, earlier, later)
		}
	}
	if far := newEpoch(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)); far <= 0 {
		t.Error(fmt.Sprint("no room for the year 2200: ", far))
	}
}
