package catalog

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(by time.Duration) { c.at.Add(int64(by)) }

// learn stores an immutable function and a table of that name.
func learn(t testing.TB, d *Database, name string) {
	t.Helper()
	n := Name{Name: name}
	q := Question{Functions: []Name{n}, Relations: []Name{n}}
	rows := []string{`{"function": 0, "volatility": "i"}`, `{"relation": 0}`}
	if err := d.Store(q, rows, d.Generation()); err != nil {
		t.Fatal(err)
	}
}

// entries counts what is stored, and checks the table's own count of it.
func entries[T any](t *table[T]) int {
	n := 0
	for i := range shards {
		n += len(t.load(i))
	}
	if n != t.count {
		return -1
	}
	return n
}

// knows reports whether both kinds of facts are there.
func knows(d *Database, name string) bool {
	_, f := d.Function(Name{Name: name})
	_, r := d.Relation(Name{Name: name})
	return f && r
}

func TestFactsAge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		expire time.Duration
		exists bool
		age    time.Duration
		want   bool
	}{
		{"fresh", time.Minute, true, time.Minute - 1, true},
		{"as old as it may become", time.Minute, true, time.Minute, false},
		{"kept for ever", 0, true, 1e6 * time.Hour, true},
		{"what is missing is asked for again", 0, false, maxMissingAge, false},
		{"but not at once", 0, false, maxMissingAge - 1, true},
		{"a shorter age holds for what is missing too", time.Second, false, time.Second, false},
		{"a longer one does not", time.Hour, false, maxMissingAge, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var time clock
			d := New(10, tt.expire, time.now).Database("d")
			if tt.exists {
				learn(t, d, "f")
			} else {
				n := []Name{{Name: "f"}}
				d.Keep(Question{Functions: n, Relations: n}.nothingExists(), d.Generation())
			}
			time.pass(tt.age)
			if got := knows(d, "f"); got != tt.want {
				t.Errorf("known after %s: %v, want %v", tt.age, got, tt.want)
			}
		})
	}
}

func TestSizeBoundsEachKind(t *testing.T) {
	t.Parallel()
	d := New(3, 0, nil).Database("d")
	for i := range 10 {
		learn(t, d, fmt.Sprint(i))
		if !knows(d, fmt.Sprint(i)) {
			t.Errorf("what was learnt last, %d, is not known", i)
		}
	}
	if f, r := entries(d.functions), entries(d.relations); f != 3 || r != 3 {
		t.Errorf("%d functions and %d relations, want 3 of each", f, r)
	}
}

func TestWhatIsLookedUpStays(t *testing.T) {
	t.Parallel()
	d := New(3, 0, nil).Database("d")
	mine := Name{Name: "mine"}
	learn(t, d, mine.Name)
	for i := range 100 {
		knows(d, mine.Name)
		learn(t, d, fmt.Sprint(i))
		if _, ok := d.functions.load(d.functions.shard(mine))[mine]; !ok {
			t.Fatalf("gave up what is in use for what was not looked up again (round %d)", i)
		}
	}
}

func TestSizeIsAtLeastOne(t *testing.T) {
	t.Parallel()
	d := New(0, -time.Second, nil).Database("d")
	learn(t, d, "a")
	learn(t, d, "b")
	if knows(d, "a") || !knows(d, "b") {
		t.Errorf("known: a %v, b %v; want b only", knows(d, "a"), knows(d, "b"))
	}
}

func TestKnownAgainCostsNothingElse(t *testing.T) {
	t.Parallel()
	d := New(2, 0, nil).Database("d")
	for _, name := range []string{"a", "b", "a", "b", "a"} {
		learn(t, d, name)
	}
	if !knows(d, "a") || !knows(d, "b") {
		t.Error("learning the same again drove something out")
	}
}

func TestLongNamesAreNotKept(t *testing.T) {
	t.Parallel()
	d := New(2, 0, nil).Database("d")
	long := string(make([]byte, maxNameBytes+1))
	learn(t, d, long)
	if knows(d, long) {
		t.Error("a name beyond the bound is kept")
	}
}

func TestForgetDropsEverything(t *testing.T) {
	t.Parallel()
	d := New(10, 0, nil).Database("d")
	learn(t, d, "a")
	d.Forget()
	if knows(d, "a") {
		t.Error("still known")
	}
	learn(t, d, "a")
	if !knows(d, "a") {
		t.Error("not learnt again")
	}
}

func TestAnswersFromBeforeDDLAreNotKept(t *testing.T) {
	t.Parallel()
	d := New(10, 0, nil).Database("d")
	q := Question{Functions: []Name{{Name: "f"}}}
	asked := d.Generation()
	d.Forget()
	if err := d.Store(q, []string{`{"function": 0, "volatility": "i"}`}, asked); err != nil {
		t.Fatal(err)
	}
	if f, ok := d.Function(Name{Name: "f"}); ok {
		t.Errorf("kept %+v", f)
	}
}

func TestNothingIsKeptOfOpenChanges(t *testing.T) {
	t.Parallel()
	d := New(10, 0, nil).Database("d")
	has := func(name string) (function, relation bool) {
		learn(t, d, name)
		_, function = d.Function(Name{Name: name})
		_, relation = d.Relation(Name{Name: name})
		return function, relation
	}
	d.Open(nil)
	d.Open([]string{"made"})
	d.Open([]string{"made"})
	if f, r := has("a"); f || r {
		t.Errorf("under a change of anything a function is kept: %t, a relation: %t", f, r)
	}
	d.Close(nil)
	if f, r := has("a"); !f || !r {
		t.Errorf("behind it a function is kept: %t, a relation: %t", f, r)
	}
	d.Close([]string{"made"})
	if f, r := has("made"); !f || r {
		t.Errorf("under the making of a relation a function is kept: %t, the relation: %t", f, r)
	}
	d.Close([]string{"made"})
	if _, r := has("made"); !r {
		t.Error("behind the making of a relation it is not kept")
	}
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	c := New(10, 0, nil)
	learn(t, c.Database("a"), "f")
	learn(t, c.Database("b"), "f")
	c.Database("a").Forget()
	if knows(c.Database("a"), "f") || !knows(c.Database("b"), "f") {
		t.Error("DDL in one database reaches another one, or not its own")
	}
	c.Forget()
	if knows(c.Database("b"), "f") {
		t.Error("Cache.Forget left something")
	}
}

func TestDatabasesAreBounded(t *testing.T) {
	t.Parallel()
	c := New(1, 0, nil)
	first := c.Database("0")
	learn(t, first, "f")
	for i := 1; i <= 3*maxDatabases; i++ {
		c.Database(fmt.Sprint(i))
	}
	if n := len(*c.databases.Load()); n != maxDatabases {
		t.Fatalf("%d databases, want %d", n, maxDatabases)
	}
	if (*c.databases.Load())["0"] == first { // whether it has gone yet is chance
		clearUsed(c, "0")
		c.Database("one more")
	}
	if c.Database("0") == first {
		t.Fatal("what nobody used was not given up")
	}
	learn(t, first, "f")
	if knows(first, "f") {
		t.Error("a database that was given up, and is not told of DDL any more, remembers facts")
	}
}

// clearUsed makes a database the one to give up next.
func clearUsed(c *Cache, name string) {
	for other, d := range *c.databases.Load() {
		d.used.Store(other != name)
	}
}

// TestConcurrentUse is for the race detector. What it asserts is that a fact from
// before a Forget is never seen after it.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	c := New(4, time.Hour, nil)
	var ddl sync.RWMutex // makes truth and Forget one step for those who look
	var truth Volatility
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				d, n := c.Database(fmt.Sprint(i%3)), Name{Name: fmt.Sprint(i % 7)}
				if g == 0 && i%10 == 0 {
					ddl.Lock()
					truth = Volatility(i / 10 % 2)
					c.Forget()
					ddl.Unlock()
				}
				generation := d.Generation()
				ddl.RLock()
				answer := Answer{functions: map[Name]Function{n: {Exists: true, Volatility: truth}}}
				ddl.RUnlock()
				d.Keep(answer, generation)
				ddl.RLock()
				if f, ok := d.Function(n); ok && f.Volatility != truth {
					t.Errorf("%s is %s, which was true before the last DDL", n, f.Volatility)
				}
				ddl.RUnlock()
			}
		})
	}
	wg.Wait()
}

func TestForgetNamesKeepsTheOthers(t *testing.T) {
	d := New(100, 0, nil).Database("app")
	for _, name := range []string{"gone", "kept"} {
		learn(t, d, name)
	}
	before := d.Generation()
	d.ForgetNames(Change{Names: []string{"gone", "never known"}})
	if knows(d, "gone") || !knows(d, "kept") {
		t.Errorf("gone is known: %v, kept is known: %v", knows(d, "gone"), knows(d, "kept"))
	}
	if d.Generation() == before {
		t.Error("what was asked before would be kept")
	}
	learn(t, d, "gone")
	if !knows(d, "gone") {
		t.Error("a name is not learnt again")
	}
}
