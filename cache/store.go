package cache

// Store keeps entries by the hash of their key. It is safe for concurrent use. What it
// drops, or does not take, only costs time; an entry that it returns may be that of another
// key with the same hash.
type Store interface {
	// Get returns the entry kept for hash, or nil.
	Get(hash uint64) *Entry
	// Put keeps an entry in the place of the one that was kept for hash.
	Put(hash uint64, e *Entry)
	// Delete drops the entry kept for hash.
	Delete(hash uint64)
	// Settle returns when what was put before can be found, unless it was dropped.
	Settle()
	// Full reports whether an entry would take the place of others.
	Full() bool
	// Usage tells what is kept.
	Usage() Usage
	// Close ends the store's goroutines.
	Close()
}

// Usage is what a Store holds.
type Usage struct {
	Entries, MaxEntries int64
	Bytes, MaxBytes     int64
}
