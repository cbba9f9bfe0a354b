package sequence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/sequence"
)

// clock is a clock that stands still until it is told otherwise.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newDatabase() (*sequence.Database, *clock) {
	c := &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return sequence.New(c.now).Database("app"), c
}

// drawn are n values from first, in steps.
func drawn(epoch, generation uint64, first, n, step int64) sequence.Drawn {
	d := sequence.Drawn{Key: "s", Name: "public.s", Increment: step, User: "u", Epoch: epoch, Generation: generation}
	for i := range n {
		d.Values = append(d.Values, first+i*step)
	}
	return d
}

func TestTakeGivesEachValueOnce(t *testing.T) {
	d, _ := newDatabase()
	_, generation := d.Size("s", 1, 32)
	if !d.Keep(drawn(1, generation, 1, 5, 1), 1) {
		t.Fatal("not kept")
	}
	for _, want := range [][]int64{{2}, {3, 4}, nil, {5}, nil} {
		taken, ok := d.Take("s", max(len(want), 1)+boolInt(want == nil), 1, "u")
		if ok != (want != nil) || !slices.Equal(taken.Values, want) {
			t.Errorf("took %v, %v, want %v", taken.Values, ok, want)
		}
	}
}

// boolInt asks for one more where nothing is to be had.
func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestValuesAreTakenInTheOrderOfTheSequence(t *testing.T) {
	for _, step := range []int64{1, 10, -1, -3} {
		d, _ := newDatabase()
		_, generation := d.Size("s", 1, 32)
		d.Keep(drawn(1, generation, 100+4*step, 4, step), 0)
		d.Keep(drawn(1, generation, 100, 4, step), 0)
		taken, _ := d.Take("s", 8, 1, "u")
		if want := drawn(1, 0, 100, 8, step).Values; !slices.Equal(taken.Values, want) {
			t.Errorf("step %d: took %v, want %v", step, taken.Values, want)
		}
	}
}

func TestWhatIsNotGivenOut(t *testing.T) {
	tests := []struct {
		name string
		do   func(d *sequence.Database)
		user string
		want bool
	}{
		{"nothing has happened", func(*sequence.Database) {}, "u", true},
		{"nobody's right is asked for", func(*sequence.Database) {}, "", true},
		{"to whom the server has not said that he may draw", func(*sequence.Database) {}, "v", false},
		{"a newer epoch has begun", func(d *sequence.Database) { d.Take("other", 1, 2, "") }, "u", false},
		{"discarded", (*sequence.Database).Discard, "u", false},
		{"held", (*sequence.Database).Hold, "u", false},
		{"held and released", func(d *sequence.Database) { d.Hold(); d.Release() }, "u", false},
	}
	for _, tt := range tests {
		d, _ := newDatabase()
		_, generation := d.Size("s", 1, 32)
		d.Keep(drawn(1, generation, 1, 5, 1), 1)
		tt.do(d)
		if _, ok := d.Take("s", 1, 1, tt.user); ok != tt.want {
			t.Errorf("%s: taken %v, want %v", tt.name, ok, tt.want)
		}
	}
}

func TestWhatIsNotKept(t *testing.T) {
	tests := []struct {
		name        string
		between     func(d *sequence.Database)
		used, taken bool // by the statement that has drawn, and by others
	}{
		{"nothing has happened", func(*sequence.Database) {}, true, true},
		{"another main node has begun to give values", func(d *sequence.Database) { d.Size("s", 2, 32) }, false, false},
		{"a sequence was changed meanwhile", func(d *sequence.Database) { d.Hold(); d.Release() }, true, false},
		{"a sequence is being changed", (*sequence.Database).Hold, true, false},
	}
	for _, tt := range tests {
		d, _ := newDatabase()
		_, generation := d.Size("s", 1, 32)
		tt.between(d)
		used := d.Keep(drawn(1, generation, 1, 5, 1), 1)
		_, taken := d.Take("s", 1, 1, "u")
		if used != tt.used || taken != tt.taken {
			t.Errorf("%s: used %v, taken %v, want %v, %v", tt.name, used, taken, tt.used, tt.taken)
		}
	}
}

func TestTheNextMainNodeIsBroughtBeyondWhatWasGivenOut(t *testing.T) {
	for _, step := range []int64{1, -1} {
		d, _ := newDatabase()
		_, generation := d.Size("s", 1, 32)
		d.Keep(drawn(1, generation, 0, 10, step), 1)
		d.Size("s", 2, 32)
		if d.Keep(drawn(2, generation, 5*step, 1, step), 1) {
			t.Errorf("step %d: a value was given out twice", step)
		}
		if floor, ok := d.Floor("s"); floor != 9*step || !ok {
			t.Errorf("step %d: floor %d, %v", step, floor, ok)
		}
		if !d.Keep(drawn(2, generation, 10*step, 1, step), 1) {
			t.Errorf("step %d: the value beyond was refused", step)
		}
	}
}

func TestALeaseGrowsWhileItLastsLessThanASecond(t *testing.T) {
	d, c := newDatabase()
	var sizes []int
	for i := range 10 {
		more, generation := d.Size("s", 1, 32)
		sizes = append(sizes, 1+more)
		d.Keep(drawn(1, generation, int64(i*100), int64(1+more), 1), 1+more)
		if i >= 6 {
			c.at = c.at.Add(time.Minute)
		}
	}
	if want := []int{1, 2, 4, 8, 16, 32, 32, 16, 8, 4}; fmt.Sprint(sizes) != "[1 2 4 8 16 32 32 16 8 4]" {
		t.Errorf("sizes %v, want %v", sizes, want)
	}
	if more, _ := d.Size("s", 1, 1); more != 0 {
		t.Errorf("with a limit of 1: %d more", more)
	}
}

func TestValidTellsWhetherSomethingWasDiscarded(t *testing.T) {
	d, _ := newDatabase()
	_, generation := d.Size("s", 1, 32)
	d.Keep(drawn(1, generation, 1, 5, 1), 1)
	taken, _ := d.Take("s", 1, 1, "u")
	if !d.Valid(taken.Generation) {
		t.Error("not valid")
	}
	d.Hold()
	if d.Valid(taken.Generation) {
		t.Error("still valid")
	}
}
