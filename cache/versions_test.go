package cache

import "testing"

// entryOf keeps an answer for a text with the stamps that were taken.
func entryOf(c *Cache, scope *Scope, text string, stamps Stamps) {
	c.Put(Key{Scope: scope, Text: []byte(text)}, []byte("T"), []byte("D"), stamps)
	c.store.Settle()
}

func newCache(t testing.TB) *Cache {
	t.Helper()
	return newCacheOf(t, 1<<20, 1000)
}

func newCacheOf(t testing.TB, maxBytes, maxEntries int64) *Cache {
	t.Helper()
	store, err := NewMemory(maxBytes, maxEntries)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return New(store, 0, 1<<16)
}

// step is what happens between a read and a look for its answer.
type step string

const (
	take     step = "the read takes its stamps"
	begin    step = "a COMMIT begins"
	end      step = "the COMMIT has ended"
	refuse   step = "the COMMIT was refused by all"
	put      step = "the read's answer is kept"
	begin2   step = "another COMMIT begins"
	end2     step = "the other COMMIT has ended"
	forget   step = "a node leaves"
	database step = "a definition is changed"
)

// TestInterleavings goes through the orders in which a read and commits of its table can
// meet, and says whether the answer may be given out afterwards.
func TestInterleavings(t *testing.T) {
	tests := []struct {
		name  string
		steps []step
		want  bool
	}{
		{"nothing else happens", []step{take, put}, true},
		{"a commit before", []step{begin, end, take, put}, true},
		{"a commit behind", []step{take, put, begin, end}, false},
		{"a commit under way", []step{take, put, begin}, false},
		{"a read within a commit", []step{begin, take, end, put}, false},
		{"a read within a commit, kept within", []step{begin, take, put, end}, false},
		{"a commit within a read", []step{take, begin, end, put}, false},
		{"a commit that begins within a read", []step{take, begin, put, end}, false},
		{"a commit that ends within a read", []step{begin, take, end, put}, false},
		{"a refused commit within a read", []step{take, begin, refuse, put}, true},
		{"a refused commit behind", []step{take, put, begin, refuse}, true},
		{"a read within a commit that is refused", []step{begin, take, put, refuse}, false},
		{"two commits that overlap, a read between their ends", []step{begin, begin2, end, take, put, end2}, false},
		{"two commits that overlap, a read behind", []step{begin, begin2, end, end2, take, put}, true},
		{"a node leaves within a read", []step{take, forget, put}, false},
		{"a node leaves behind", []step{take, put, forget}, false},
		{"a definition changes", []step{take, put, database}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(t)
			scope := c.NewScope("s")
			table, db := c.Name("d", "t"), c.Database("d")
			var first, second Write
			var stamps Stamps
			rests := false
			for _, s := range tt.steps {
				switch s {
				case take:
					stamps, rests = c.Take(nil, c.Everything(), db, table)
				case begin:
					first = c.Begin([]Slot{table})
				case begin2:
					second = c.Begin([]Slot{table})
				case end:
					first.End(true)
				case end2:
					second.End(true)
				case refuse:
					first.End(false)
				case forget:
					c.Forget()
				case database:
					c.Touch(db)
				case put:
					if rests {
						entryOf(c, scope, "q", stamps)
					}
				}
			}
			got := c.Look(Key{Scope: scope, Text: []byte("q")}, true) != nil
			if got != tt.want {
				t.Errorf("given out: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestDoubtKeepsNamesOut(t *testing.T) {
	c := newCache(t)
	table := c.Name("d", "t")
	c.Begin([]Slot{table}).EndInDoubt()
	if _, rests := c.Take(nil, table); rests {
		t.Error("a read could be kept while it is not known whether a write takes effect")
	}
	if _, rests := c.Take(nil, c.Name("d", "other")); !rests {
		t.Error("another table is out as well")
	}
}

func TestNamesOfDatabasesAreApart(t *testing.T) {
	c := newCache(t)
	stamps, _ := c.Take(nil, c.Name("a", "t"), c.Database("a"))
	c.Touch(c.Name("b", "t"), c.Database("b"))
	if !c.Valid(stamps) {
		t.Error("a write in one database makes answers of another worthless")
	}
}
