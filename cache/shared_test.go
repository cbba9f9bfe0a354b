package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// settled is a proxy of a quiet world, whose counters are old enough.
func settled(w *world, seed uint64) *worldProxy {
	p := w.proxy(seed)
	time.Sleep(time.Second)
	for _, table := range w.tables {
		p.read(table, func() {})
	}
	time.Sleep(4 * time.Second)
	return p
}

func nothing() {}

// hits reads twice, so that the second one may be a hit.
func hits(p *worldProxy, table *worldTable) bool {
	p.read(table, nothing)
	return p.read(table, nothing)
}

func TestAnswerIsSharedUntilAnotherProxyWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		a, b := settled(w, 1), settled(w, 2)
		defer a.kill()
		defer b.kill()
		table := w.tables[0]
		a.read(table, nothing)
		if !b.read(table, nothing) {
			t.Error("what one proxy has kept the other does not find")
		}
		a.write(table, nothing)
		if b.read(table, nothing) {
			t.Error("an answer outlives the other proxy's write")
		}
		if !a.read(table, nothing) {
			t.Error("nothing is kept behind the write")
		}
	})
}

func TestMarkKeepsAnswersBackWhileAnotherCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		a, b := settled(w, 1), settled(w, 2)
		defer a.kill()
		defer b.kill()
		hits(b, w.tables[0])
		commit := a.cache.Begin([]Slot{w.tables[0].slot})
		if b.read(w.tables[0], nothing) || hits(b, w.tables[0]) {
			t.Error("an answer is given out or kept while its table is being committed")
		}
		commit.End(true)
		if !hits(b, w.tables[0]) {
			t.Error("nothing is kept behind the commit")
		}
	})
}

// TestCounterThatWentUpSaysWhen: a standby is asked for what was committed before then.
func TestCounterThatWentUpSaysWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 3)
		a, b := settled(w, 1), settled(w, 2)
		defer a.kill()
		defer b.kill()
		written := []Slot{w.tables[0].slot, w.tables[1].slot, w.tables[2].slot}
		for range 20 {
			commit := a.cache.Begin(written)
			committed := time.Now()
			var over atomic.Bool
			var readers sync.WaitGroup
			for _, p := range []*worldProxy{a, b} {
				readers.Go(func() {
					for !over.Load() {
						_, found := p.cache.Find(Key{Scope: p.scope}, false, written[:1])
						stamps, rests := p.cache.Stamps(found, written[:1])
						if since := p.cache.Since(stamps); rests && since.Before(committed) {
							t.Errorf("what may be kept is said to be of %v before the commit", committed.Sub(since))
						}
					}
				})
			}
			commit.End(true)
			over.Store(true)
			readers.Wait()
		}
	})
}

// TestLostCountersMakeNothingValidAgain: what is made anew is not what it was.
func TestLostCountersMakeNothingValidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		a := settled(w, 1)
		defer a.kill()
		hits(a, w.tables[0])
		w.server.mu.Lock()
		delete(w.server.items, counterKey(w.tables[0].slot))
		w.server.mu.Unlock()
		if hits(a, w.tables[0]) {
			t.Error("an answer is given out by a counter that was lost, or kept by one that is new")
		}
		time.Sleep(4 * time.Second)
		if !hits(a, w.tables[0]) {
			t.Error("nothing is kept by a counter that is old enough")
		}
	})
}

// TestCommitWaitsUntilTheOthersKnow: one proxy cannot reach memcached, and the other can.
func TestCommitWaitsUntilTheOthersKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		a, b := settled(w, 1), settled(w, 2)
		defer a.kill()
		defer b.kill()
		table := w.tables[0]
		if !hits(b, table) {
			t.Fatal("nothing is kept")
		}
		a.link.cut.Store(true)
		began := time.Now()
		a.write(table, nothing)
		if waited := time.Since(began); waited < usualTiming().grace || waited > usualTiming().patience {
			t.Errorf("the commit took %v", waited)
		}
		if hits(b, table) {
			t.Error("an answer is given out while another proxy writes unmarked")
		}
		began = time.Now()
		a.write(table, nothing)
		if waited := time.Since(began); waited > time.Second {
			t.Errorf("the second commit took %v", waited)
		}
		a.link.cut.Store(false)
		time.Sleep(10 * time.Second)
		hits(b, table)
		time.Sleep(4 * time.Second)
		if !hits(b, table) || !hits(a, table) {
			t.Error("nothing is kept after the proxy has returned")
		}
	})
}

// TestProxyThatDiesWithoutMemcached may have left a COMMIT behind that a node still does.
func TestProxyThatDiesWithoutMemcached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		a, b := settled(w, 1), settled(w, 2)
		defer b.kill()
		a.link.cut.Store(true)
		a.write(w.tables[0], nothing)
		time.Sleep(time.Second)
		a.kill()
		time.Sleep(30 * time.Second)
		if hits(b, w.tables[0]) {
			t.Error("answers are given out right behind the death of a proxy that wrote unmarked")
		}
		time.Sleep(35 * time.Second)
		hits(b, w.tables[0])
		time.Sleep(4 * time.Second)
		if !hits(b, w.tables[0]) {
			t.Error("nothing is kept ever again")
		}
	})
}

// TestNoSharedAnswerIsStale has proxies read and write while their ways to memcached are
// cut and mended, memcached forgets, and proxies die and come back.
func TestNoSharedAnswerIsStale(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { turmoil(t, seed, 5*time.Minute) })
		})
	}
}

func turmoil(t *testing.T, seed uint64, length time.Duration) {
	w := newWorld(t, seed, 3)
	end := time.Now().Add(length)
	var proxies [3]atomic.Pointer[worldProxy]
	for i := range proxies {
		proxies[i].Store(w.proxy(seed*10 + uint64(i)))
	}
	var all sync.WaitGroup
	var gaveOut atomic.Int64
	play := func(n uint64, once func(r *rand.Rand, p *worldProxy)) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, n))
			for time.Now().Before(end) {
				once(r, proxies[r.IntN(len(proxies))].Load())
			}
		})
	}
	for n := range uint64(4) {
		play(n, func(r *rand.Rand, p *worldProxy) {
			if p.read(w.tables[r.IntN(len(w.tables))], func() { nap(r, 5) }) {
				gaveOut.Add(1)
			}
			nap(r, 20)
		})
	}
	for n := range uint64(2) {
		play(10+n, func(r *rand.Rand, p *worldProxy) {
			p.write(w.tables[r.IntN(len(w.tables))], func() { nap(r, 30) })
			nap(r, 1000)
		})
	}
	play(20, func(r *rand.Rand, p *worldProxy) {
		nap(r, 20000)
		switch r.IntN(5) {
		case 0, 1:
			p.link.cut.Store(true)
			nap(r, 8000)
			p.link.cut.Store(false)
		case 2:
			w.server.forget(1)
		case 3:
			w.server.forget(2)
		case 4:
			at := r.IntN(len(proxies))
			p := proxies[at].Load()
			p.dead.Store(true)
			p.kill()
			proxies[at].Store(w.proxy(r.Uint64()))
		}
	})
	all.Wait()
	time.Sleep(2 * time.Minute)
	for i := range proxies {
		p := proxies[i].Load()
		for _, table := range w.tables {
			table.acked.Store(table.nodes[0].Load()) // also what nobody has heard of
			hits(p, table)
		}
		p.kill()
	}
	if gaveOut.Load() == 0 {
		t.Error("nothing was answered from memory")
	}
	t.Logf("%d answers from memory, %d writes", gaveOut.Load(), w.tables[0].writes.Load())
}

// nap sleeps for less than so many milliseconds.
func nap(r *rand.Rand, most int) { time.Sleep(time.Duration(r.IntN(most*1000)) * time.Microsecond) }

func TestEntryIsReadAsItWasWritten(t *testing.T) {
	e := &Entry{Scope: "s", Text: "SELECT 1", Params: "p", Columns: []byte("T"), Rows: bytes.Repeat([]byte("D"), 300), Foreign: true,
		Stamps: Stamps{{slot: 1, generation: 2, value: 3}, {slot: 65535, generation: 1 << 31, value: 1 << 63}}}
	b := e.encode(nil)
	if got := decodeEntry(b); fmt.Sprint(got) != fmt.Sprint(e) {
		t.Errorf("%v, want %v", got, e)
	}
	for i := range b {
		broken := bytes.Clone(b)
		broken[i] ^= 1
		if decodeEntry(broken) != nil || decodeEntry(b[:i]) != nil {
			t.Fatalf("an entry that is broken at byte %d is read", i)
		}
	}
}

// FuzzDecodeEntry: what comes from memcached may be anything.
func FuzzDecodeEntry(f *testing.F) {
	f.Add((&Entry{Scope: "s", Rows: []byte("D"), Stamps: Stamps{{slot: 1}}}).encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e := decodeEntry(b)
		if e != nil && len(e.Rows) > len(b) {
			t.Error("more is read than there is")
		}
		r := partReader{rest: b}
		for !r.broken {
			r.part()
		}
	})
}
