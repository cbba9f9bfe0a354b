package capture

import (
	"hash/maphash"
	"sync/atomic"
)

// largeSlots bounds how many texts a Large remembers; a power of 2.
const largeSlots = 4096

// Large remembers the texts of statements that have changed more rows than are captured, so
// that they go under locks from the beginning. A text may push another one out, which only
// costs time. Safe for concurrent use; a nil Large remembers nothing.
type Large struct {
	seed  maphash.Seed
	slots [largeSlots]atomic.Uint64
}

// NewLarge returns one that is empty.
func NewLarge() *Large { return &Large{seed: maphash.MakeSeed()} }

// Note remembers a text.
func (l *Large) Note(sql string) {
	if l != nil {
		hash := maphash.String(l.seed, sql)
		l.slots[hash%largeSlots].Store(hash)
	}
}

// Has reports whether the text was noted.
func (l *Large) Has(sql string) bool {
	if l == nil {
		return false
	}
	hash := maphash.String(l.seed, sql)
	return l.slots[hash%largeSlots].Load() == hash
}
