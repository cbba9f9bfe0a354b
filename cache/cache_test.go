package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWholeKeyIsCompared(t *testing.T) {
	c := newCache(t)
	one, two := c.NewScope("one"), c.NewScope("two")
	stamps, _ := c.Take(nil, c.Everything())
	keep := Key{Scope: one, Text: []byte("SELECT ab"), Params: []byte("c")}
	c.Put(keep, nil, []byte("D"), stamps)
	c.store.Settle()
	tests := []struct {
		name    string
		key     Key
		columns bool
		want    bool
	}{
		{"the same", keep, false, true},
		{"columns are wanted and not there", keep, true, false},
		{"another scope", Key{Scope: two, Text: keep.Text, Params: keep.Params}, false, false},
		{"a boundary moved", Key{Scope: one, Text: []byte("SELECT a"), Params: []byte("bc")}, false, false},
		{"no parameters", Key{Scope: one, Text: keep.Text}, false, false},
	}
	for _, tt := range tests {
		if got := c.Look(tt.key, tt.columns) != nil; got != tt.want {
			t.Errorf("%s: found %t, want %t", tt.name, got, tt.want)
		}
	}
}

// TestOtherKeyWithTheSameHash: the store knows a hash only.
func TestOtherKeyWithTheSameHash(t *testing.T) {
	c := newCache(t)
	scope := c.NewScope("s")
	k := Key{Scope: scope, Text: []byte("q")}
	c.store.Put(c.Hash(k), &Entry{Scope: "s", Text: "another", Rows: []byte("D")})
	c.store.Settle()
	if c.Look(k, false) != nil {
		t.Error("an entry of another key was given out")
	}
}

func TestAgeEnds(t *testing.T) {
	store, err := NewMemory(1<<20, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := New(store, time.Nanosecond, 100)
	scope := c.NewScope("s")
	stamps, _ := c.Take(nil, c.Everything())
	entryOf(c, scope, "q", stamps)
	if c.Look(Key{Scope: scope, Text: []byte("q")}, false) != nil {
		t.Error("an entry outlives memqcache_expire")
	}
}

// TestMemoryIsBounded floods the store with distinct answers.
func TestMemoryIsBounded(t *testing.T) {
	const maxBytes, maxEntries = 256 << 10, 200
	c := newCacheOf(t, maxBytes, maxEntries)
	scope := c.NewScope("s")
	stamps, _ := c.Take(nil, c.Everything())
	var floods sync.WaitGroup
	for g := range 4 {
		floods.Go(func() {
			for i := range 5000 {
				c.Put(Key{Scope: scope, Text: fmt.Appendf(nil, "SELECT %d, %d", g, i)}, nil, make([]byte, 300), stamps)
			}
		})
	}
	floods.Wait()
	c.store.Settle()
	u := c.store.Usage()
	if u.Entries > maxEntries || u.Bytes > maxBytes || u.Entries == 0 {
		t.Errorf("%d entries of %d bytes are kept, at most %d of %d are allowed", u.Entries, u.Bytes, maxEntries, maxBytes)
	}
}

// TestFloodOfOthersIsNotKept: when there is no room left, an answer is kept that is asked for again, or waited for.
func TestFloodOfOthersIsNotKept(t *testing.T) {
	c := newCacheOf(t, 64<<10, 1000)
	scope := c.NewScope("s")
	stamps, _ := c.Take(nil, c.Everything())
	hashOf := func(i int) uint64 { return c.Hash(Key{Scope: scope, Text: fmt.Appendf(nil, "SELECT %d", i)}) }
	if !c.Admits(hashOf(-1)) {
		t.Error("an answer is not kept although there is room")
	}
	for i := 0; !c.store.Full(); i++ {
		c.Put(Key{Scope: scope, Text: fmt.Appendf(nil, "SELECT %d", i)}, nil, make([]byte, 300), stamps)
		if i > 1000 {
			t.Fatal("the store is never full")
		}
	}
	first, second := c.Admits(hashOf(-1)), c.Admits(hashOf(-1))
	if first || !second {
		t.Errorf("an answer is kept when it is asked for once: %t, twice: %t", first, second)
	}
	c.Flights.Join(hashOf(-2))
	if c.Flights.Join(hashOf(-2)); !c.Admits(hashOf(-2)) {
		t.Error("an answer is not kept that somebody waits for")
	}
}

func TestOneFliesAndOthersWait(t *testing.T) {
	f, settled := NewFlights(), 0
	if other, ok := f.Join(7); other != nil || !ok {
		t.Fatal("the first does not fly")
	}
	other, ok := f.Join(7)
	if other == nil || !ok {
		t.Fatal("the second does not wait")
	}
	f.Land(7, true, func() { settled++ })
	Await(context.Background(), other) // returns
	if _, ok := f.Join(7); !ok {
		t.Fatal("nobody flies any more")
	}
	f.Land(7, false, func() { settled++ })
	if _, ok := f.Join(7); ok {
		t.Error("others would wait for an answer that is not kept")
	}
	f.Fits(7)
	if _, ok := f.Join(7); !ok {
		t.Error("an answer that has become shorter is not waited for")
	}
	if settled != 1 {
		t.Errorf("the store had to settle %d times, want once for the one who waited", settled)
	}
}

// TestThousandWhoMissAskOnce: all ask for the same, while one asks a node.
func TestThousandWhoMissAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t)
		k := Key{Scope: c.NewScope("s"), Text: []byte("q")}
		var asked, answered atomic.Int64
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				other, lands := c.Flights.Join(c.Hash(k))
				if other != nil {
					Await(context.Background(), other)
				} else {
					asked.Add(1)
					stamps, _ := c.Take(nil, c.Everything())
					time.Sleep(time.Second)
					c.Put(k, []byte("T"), []byte("D"), stamps)
				}
				if lands && other == nil {
					c.Land(c.Hash(k), true)
				}
				if other == nil || c.Look(k, true) != nil {
					answered.Add(1)
				}
			})
		}
		all.Wait()
		if answered.Load() != 1000 || asked.Load() != 1 {
			t.Errorf("%d were answered, %d have asked a node", answered.Load(), asked.Load())
		}
	})
}

// TestHitAllocatesNothing is the budget of the hit path (bench/README.md).
func TestHitAllocatesNothing(t *testing.T) {
	c := newCache(t)
	scope := c.NewScope("s")
	stamps, _ := c.Take(nil, c.Everything(), c.Database("d"), c.Name("d", "t"))
	text := []byte("SELECT abalance FROM pgbench_accounts WHERE aid = 4711;")
	entryOf(c, scope, string(text), stamps)
	k := Key{Scope: scope, Text: text}
	if n := testing.AllocsPerRun(10000, func() {
		if c.Look(k, true) == nil {
			t.Fatal("not found")
		}
	}); n >= 0.5 {
		t.Errorf("%.2f allocations for a hit, want 0", n)
	}
}

func BenchmarkLook(b *testing.B) {
	c := newCache(b)
	scope := c.NewScope("s")
	stamps, _ := c.Take(nil, c.Everything(), c.Database("d"), c.Name("d", "t"))
	text := []byte("SELECT abalance FROM pgbench_accounts WHERE aid = 4711;")
	entryOf(c, scope, string(text), stamps)
	b.ReportAllocs()
	for b.Loop() {
		c.Look(Key{Scope: scope, Text: text}, true)
	}
}

func BenchmarkCommit(b *testing.B) {
	c := newCache(b)
	slots := []Slot{c.Name("d", "t")}
	b.ReportAllocs()
	for b.Loop() {
		c.Begin(slots).End(true)
	}
}
