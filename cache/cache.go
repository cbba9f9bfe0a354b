package cache

import (
	"context"
	"hash/maphash"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Cache is the query cache. It is safe for concurrent use.
type Cache struct {
	*Versions
	Flights *Flights

	store Store
	// shared is what several proxies share; nil where the counters are this process's own.
	shared *Shared
	// namespace keeps apart the entries of proxies that are configured otherwise.
	namespace string

	seed   maphash.Seed
	maxAge time.Duration // memqcache_expire; 0: none
	// MaxAnswer is the longest answer that is kept, in bytes (memqcache_maxcache).
	MaxAnswer int

	hits, misses atomic.Uint64
	asked        [askedSlots]atomic.Uint32 // by hash, a part of the hashes that were last missed
}

// askedSlots is how many keys are remembered that were missed.
const askedSlots = 1 << 16

// New returns a cache that keeps its entries in store.
func New(store Store, maxAge time.Duration, maxAnswer int64) *Cache {
	return &Cache{
		Versions: NewVersions(), Flights: NewFlights(), store: store, seed: maphash.MakeSeed(),
		maxAge: maxAge, MaxAnswer: int(maxAnswer),
	}
}

// NewShared returns a cache whose entries and counters are in a memcached. Proxies with
// the same namespace share entries; counters are shared by all. Run has to be called.
func NewShared(server Server, nodes Nodes, namespace string, maxAge time.Duration, maxAnswer int64, log *zap.Logger) *Cache {
	versions := NewVersions()
	return &Cache{
		Versions: versions, Flights: NewFlights(), store: noStore{}, seed: maphash.MakeSeed(), namespace: namespace,
		maxAge: maxAge, MaxAnswer: int(min(maxAnswer, MaxItem)), shared: newShared(server, nodes, versions, log),
	}
}

// Run does what the cache needs beside its callers, until ctx ends.
func (c *Cache) Run(ctx context.Context) error {
	if c.shared == nil {
		<-ctx.Done()
		return nil
	}
	return c.shared.Run(ctx)
}

// Scope is what a session has in common with others that may share its answers: database,
// role, and whatever else of its settings changes what a text means or how its answer looks.
type Scope struct {
	text string
	hash uint64
}

// NewScope makes a scope of a text that is the same for those sessions only.
func (c *Cache) NewScope(text string) *Scope {
	return &Scope{text: text, hash: maphash.String(c.seed, text)}
}

// Key is what an answer is found by. Text and Params belong to the caller.
type Key struct {
	Scope        *Scope
	Text, Params []byte
}

// Hash is the place of the key. It is the same within one process only.
func (c *Cache) Hash(k Key) uint64 {
	const odd = 0x9e3779b97f4a7c15 // keeps apart what an exclusive or would not
	h := k.Scope.hash*odd ^ maphash.Bytes(c.seed, k.Text)
	if len(k.Params) > 0 {
		h = h*odd ^ maphash.Bytes(c.seed, k.Params)
	}
	return h
}

// Look returns the answer that is kept in this process for a key and is what a node would
// say now; nil if there is none. columns: it has to have them.
func (c *Cache) Look(k Key, columns bool) *Entry {
	e := c.store.Get(c.Hash(k))
	if e == nil || !e.answers(k) || columns && len(e.Columns) == 0 || !c.Valid(e.Stamps) || e.expired() {
		return nil
	}
	c.hits.Add(1)
	return e
}

// answers compares the key, of which the store knows a hash only.
func (e *Entry) answers(k Key) bool {
	return e.Text == string(k.Text) && e.Params == string(k.Params) && e.Scope == k.Scope.text
}

func (e *Entry) expired() bool { return !e.Expires.IsZero() && time.Now().After(e.Expires) }

// Put keeps an answer for which stamps were taken before it was asked for.
func (c *Cache) Put(k Key, columns, rows []byte, stamps Stamps) {
	if c.shared == nil && !c.Valid(stamps) {
		return
	}
	e := &Entry{
		Scope: k.Scope.text, Text: string(k.Text), Params: string(k.Params),
		Columns: columns, Rows: rows, Stamps: stamps,
	}
	if c.shared != nil {
		c.putShared(k, e)
		return
	}
	if c.maxAge > 0 {
		e.Expires = time.Now().Add(c.maxAge)
	}
	c.store.Put(c.Hash(k), e)
}

// Admits reports whether the answer for a missed key is worth to be kept. As long as there is room, all are. Then
// it is the second time that it is asked for, or somebody waits for it: a flood of texts that come once would
// drive out what others come back for, and be driven out itself.
func (c *Cache) Admits(hash uint64) bool {
	if !c.store.Full() {
		return true
	}
	part := uint32(hash>>32) | 1
	return c.asked[hash%askedSlots].Swap(part) == part || c.Flights.Awaited(hash)
}

// Land ends the flight of a key; see Flights.Land.
func (c *Cache) Land(hash uint64, fits bool) { c.Flights.Land(hash, fits, c.store.Settle) }

// Missed counts a read that could have been answered from here and was not.
func (c *Cache) Missed() { c.misses.Add(1) }

// Delete drops the answer that is kept for a key, and reports whether there was one.
func (c *Cache) Delete(k Key) bool {
	if c.shared != nil {
		return c.deleteShared(k)
	}
	hash := c.Hash(k)
	e := c.store.Get(hash)
	if e == nil || !e.answers(k) || !c.Valid(e.Stamps) || e.expired() {
		return false
	}
	c.store.Delete(hash)
	return true
}

// Forget makes all answers worthless, and those that are on their way. It does not wait for
// other proxies to hear of it.
func (c *Cache) Forget() {
	c.Versions.Touch(everything)
	if c.shared != nil {
		c.shared.forget()
	}
}

// Clear is Forget that fails if other proxies do not hear of it at once.
func (c *Cache) Clear() error {
	c.Forget()
	if c.shared == nil {
		return nil
	}
	return c.shared.invalidateAll()
}

// Stats are the figures of a Cache since its start.
type Stats struct {
	Hits, Misses uint64
	Usage
}

// Stats returns the present figures.
func (c *Cache) Stats() Stats {
	return Stats{Hits: c.hits.Load(), Misses: c.misses.Load(), Usage: c.store.Usage()}
}

// Close ends what the store has running.
func (c *Cache) Close() {
	c.store.Close()
	if c.shared != nil {
		c.shared.server.Close()
	}
}
