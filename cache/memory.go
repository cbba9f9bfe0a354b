package cache

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/ristretto/v2"
)

// Memory is a Store within the process (memqcache_method = shmem).
type Memory struct {
	entries *ristretto.Cache[uint64, *Entry]
	max     Usage
	least   int64 // what an entry counts at least
	count   atomic.Int64
	bytes   atomic.Int64

	// Of entries that have come ristretto is told a batch at a time: each time it is told something it
	// has a goroutine run, which costs a miss more than all else of the cache.
	mu      sync.Mutex // guards fresh and cost
	fresh   map[uint64]*Entry
	cost    int64
	batch   int64        // cost of a whole batch
	waiting atomic.Int64 // entries in fresh
}

var _ Store = (*Memory)(nil)

// countersPerEntry is how many counters of use ristretto wants for each entry.
const countersPerEntry = 10

// maxCounted bounds how many entries the counters of use are made for: they are made at
// once, half a byte each.
const maxCounted = 1 << 20

// A batch is as many entries, or as many bytes, or the given part of what may be kept.
const (
	batchEntries = 64
	batchBytes   = 256 << 10
	batchPart    = 8
)

// NewMemory returns a Store of at most maxBytes (memqcache_total_size) and maxEntries
// (memqcache_max_num_cache), both at least 1.
func NewMemory(maxBytes, maxEntries int64) (*Memory, error) {
	maxBytes, maxEntries = max(maxBytes, 1), max(maxEntries, 1)
	m := &Memory{max: Usage{MaxBytes: maxBytes, MaxEntries: maxEntries}, least: (maxBytes + maxEntries - 1) / maxEntries}
	m.fresh, m.batch = map[uint64]*Entry{}, min(maxBytes/batchPart, batchBytes)
	var err error
	m.entries, err = ristretto.NewCache(&ristretto.Config[uint64, *Entry]{
		NumCounters: countersPerEntry * min(maxEntries, maxBytes/entryOverhead+1, maxCounted),
		MaxCost:     maxBytes - m.batch,
		BufferItems: 64, // as its documentation has it
		OnExit:      m.left,
		KeyToHash:   func(hash uint64) (uint64, uint64) { return hash, 0 },
		// What an entry takes is counted by Size.
		IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, fmt.Errorf("query cache: %w", err)
	}
	return m, nil
}

// left is told of every entry that was kept and is no more.
func (m *Memory) left(e *Entry) {
	if e != nil {
		m.count.Add(-1)
		m.bytes.Add(-e.Size())
	}
}

// Get implements Store.
func (m *Memory) Get(hash uint64) *Entry {
	if m.waiting.Load() > 0 {
		m.mu.Lock()
		e := m.fresh[hash]
		m.mu.Unlock()
		if e != nil {
			return e
		}
	}
	e, _ := m.entries.Get(hash)
	return e
}

// Put implements Store.
func (m *Memory) Put(hash uint64, e *Entry) {
	m.count.Add(1)
	m.bytes.Add(e.Size())
	cost := m.costOf(e)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropFresh(hash)
	if m.cost+cost > m.batch || len(m.fresh) == batchEntries {
		m.passFresh()
	}
	if cost > m.batch {
		m.pass(hash, e)
		return
	}
	m.fresh[hash] = e
	m.cost += cost
	m.waiting.Store(int64(len(m.fresh)))
}

// costOf is what an entry counts. That it is its share at least is what bounds their number.
func (m *Memory) costOf(e *Entry) int64 { return max(e.Size(), m.least) }

// pass tells ristretto of an entry.
func (m *Memory) pass(hash uint64, e *Entry) {
	if !m.entries.Set(hash, e, m.costOf(e)) {
		m.left(e)
	}
}

// passFresh tells ristretto of a batch. m.mu is held.
func (m *Memory) passFresh() {
	for hash, e := range m.fresh {
		m.pass(hash, e)
	}
	clear(m.fresh)
	m.cost = 0
	m.waiting.Store(0)
}

// dropFresh drops an entry that ristretto has not been told of. m.mu is held.
func (m *Memory) dropFresh(hash uint64) {
	if e := m.fresh[hash]; e != nil {
		delete(m.fresh, hash)
		m.cost -= m.costOf(e)
		m.waiting.Store(int64(len(m.fresh)))
		m.left(e)
	}
}

// Settle implements Store.
func (m *Memory) Settle() { m.entries.Wait() }

// Delete implements Store.
func (m *Memory) Delete(hash uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropFresh(hash)
	m.entries.Del(hash)
}

// Full implements Store. What is kept varies a little when all there is room for has been used.
func (m *Memory) Full() bool {
	const part = 16
	return m.bytes.Load() >= m.max.MaxBytes-m.max.MaxBytes/part-m.batch || m.count.Load() >= m.max.MaxEntries-m.max.MaxEntries/part-m.batch/m.least
}

// Usage implements Store.
func (m *Memory) Usage() Usage {
	u := m.max
	u.Entries, u.Bytes = max(m.count.Load(), 0), max(m.bytes.Load(), 0)
	return u
}

// Close implements Store.
func (m *Memory) Close() { m.entries.Close() }
