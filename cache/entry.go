package cache

import (
	"time"
	"unsafe"
)

// Entry is an answer that is kept. It never changes.
type Entry struct {
	// Scope, Text and Params are the whole key. Text is the statement as the frontend
	// sent it; Params are the parameters with their formats and the formats of the result,
	// encoded so that no two different ones are alike, and empty for a statement without
	// parameters whose result is text.
	Scope, Text, Params string
	// Columns describes the result, and Rows are the rest; Columns is empty if nobody has
	// asked for it.
	Columns, Rows []byte
	// Stamps are the counters from before the answer was asked for.
	Stamps Stamps
	// Foreign: it comes from a place that others write to.
	Foreign bool
	// Expires is the end of its age; zero for none.
	Expires time.Time
}

// entryOverhead is what an entry takes beside its parts, in bytes: itself, and its place
// in the store's tables.
const entryOverhead = int64(unsafe.Sizeof(Entry{})) + 128

// Size is what the entry takes, in bytes.
func (e *Entry) Size() int64 {
	return entryOverhead + int64(len(e.Scope)+len(e.Text)+len(e.Params)+cap(e.Columns)+cap(e.Rows)) +
		int64(cap(e.Stamps))*int64(unsafe.Sizeof(Stamp{}))
}
