package cache

import (
	"fmt"
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
}

var _ Store = (*Memory)(nil)

// countersPerEntry is how many counters of use ristretto wants for each entry.
const countersPerEntry = 10

// maxCounted bounds how many entries the counters of use are made for: they are made at
// once, half a byte each.
const maxCounted = 1 << 20

// NewMemory returns a Store of at most maxBytes (memqcache_total_size) and maxEntries
// (memqcache_max_num_cache), both at least 1.
func NewMemory(maxBytes, maxEntries int64) (*Memory, error) {
	maxBytes, maxEntries = max(maxBytes, 1), max(maxEntries, 1)
	m := &Memory{max: Usage{MaxBytes: maxBytes, MaxEntries: maxEntries}, least: (maxBytes + maxEntries - 1) / maxEntries}
	var err error
	m.entries, err = ristretto.NewCache(&ristretto.Config[uint64, *Entry]{
		NumCounters: countersPerEntry * min(maxEntries, maxBytes/entryOverhead+1, maxCounted),
		MaxCost:     maxBytes,
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
	e, _ := m.entries.Get(hash)
	return e
}

// Put implements Store. That an entry counts as its share at least is what bounds their
// number.
func (m *Memory) Put(hash uint64, e *Entry) {
	m.count.Add(1)
	m.bytes.Add(e.Size())
	if !m.entries.Set(hash, e, max(e.Size(), m.least)) {
		m.left(e)
	}
}

// Settle implements Store.
func (m *Memory) Settle() { m.entries.Wait() }

// Delete implements Store.
func (m *Memory) Delete(hash uint64) { m.entries.Del(hash) }

// Usage implements Store.
func (m *Memory) Usage() Usage {
	u := m.max
	u.Entries, u.Bytes = max(m.count.Load(), 0), max(m.bytes.Load(), 0)
	return u
}

// Close implements Store.
func (m *Memory) Close() { m.entries.Close() }
