package catalog

import (
	"hash/maphash"
	"maps"
	"sync/atomic"
	"time"
)

// shards is how many maps a table is split into. A map is copied to add to it, so
// this is what keeps a large relcache_size affordable.
const shards = 64

// table is a bounded set of facts. Any number of goroutines may get, without a lock
// between them, while one changes it: a map that has been published does not change.
type table[T any] struct {
	size  int
	seed  maphash.Seed
	count int // of all entries; the writer's own
	maps  [shards]atomic.Pointer[map[Name]*entry[T]]
}

// entry is one fact. used is set when it is looked up, and taken away when room is
// needed and the entry is spared for once.
type entry[T any] struct {
	fact  T
	until time.Time // zero: for ever
	used  atomic.Bool
}

func newTable[T any](size int) *table[T] {
	return &table[T]{size: size, seed: maphash.MakeSeed()}
}

// shard is the number of the map that n belongs to.
func (t *table[T]) shard(n Name) int { return int(maphash.String(t.seed, n.Name) % shards) }

// load returns a map to read.
func (t *table[T]) load(shard int) map[Name]*entry[T] {
	if m := t.maps[shard].Load(); m != nil {
		return *m
	}
	return nil
}

// get returns a fact that is not too old. The clock is read only if that depends on
// it.
func (t *table[T]) get(n Name, now func() time.Time) (fact T, ok bool) {
	e, ok := t.load(t.shard(n))[n]
	if !ok || !e.until.IsZero() && !now().Before(e.until) {
		return fact, false
	}
	markUsed(&e.used)
	return e.fact, true
}

// put stores a fact, at the cost of another one if the table is full.
func (t *table[T]) put(n Name, fact T, until time.Time) {
	if !n.storable() {
		return
	}
	shard := t.shard(n)
	_, known := t.load(shard)[n]
	if !known && t.count >= t.size {
		t.giveUpOne(shard)
	}
	next := t.copied(shard)
	next[n] = &entry[T]{fact: fact, until: until}
	t.maps[shard].Store(&next)
	if !known {
		t.count++
	}
}

// copied returns a map that may be changed, and published then.
func (t *table[T]) copied(shard int) map[Name]*entry[T] {
	if m := t.load(shard); m != nil {
		return maps.Clone(m)
	}
	return map[Name]*entry[T]{}
}

// giveUpOne takes out an entry that nobody has looked up since it was last spared,
// looking in one map after the other from a shard on; any if all are in use.
func (t *table[T]) giveUpOne(from int) {
	shard, name := t.victim(from)
	next := t.copied(shard)
	delete(next, name)
	t.maps[shard].Store(&next)
	t.count--
}

// victim is not to be asked of an empty table.
func (t *table[T]) victim(from int) (shard int, name Name) {
	for i := range shards {
		at := (from + i) % shards
		for n, e := range t.load(at) {
			shard, name = at, n
			if !e.used.Swap(false) {
				return shard, name
			}
		}
	}
	return shard, name
}

// remove takes out the facts of a name in all schemas, which are in one shard.
func (t *table[T]) remove(name string) {
	shard := t.shard(Name{Name: name})
	next := t.copied(shard)
	before := len(next)
	maps.DeleteFunc(next, func(n Name, _ *entry[T]) bool { return n.Name == name })
	t.maps[shard].Store(&next)
	t.count -= before - len(next)
}

// clear takes out everything.
func (t *table[T]) clear() {
	for i := range t.maps {
		t.maps[i].Store(nil)
	}
	t.count = 0
}

// markUsed writes only where that changes something: a write would take the cache
// line away from all other processors.
func markUsed(used *atomic.Bool) {
	if !used.Load() {
		used.Store(true)
	}
}
