package parser

import "hash/maphash"

const (
	// memoEntries is the number of texts that a session remembers; a power of 2.
	memoEntries = 64
	// maxMemoText is the longest of them, in bytes: a Memo holds at most
	// memoEntries times that.
	maxMemoText = 8 << 10
)

// Memo is a session's own memory of the last texts, in front of the Cache, by
// exact text and without locks. The zero value is ready. It is for one Cache.
// Not safe for concurrent use.
type Memo struct {
	entries [memoEntries]memoEntry
}

type memoEntry struct {
	text   []byte // a buffer that is used again
	script *Script
}

// Script returns the facts about sql. It allocates nothing when sql is among the
// last texts, nor, mostly, when c knows its shape. sql may be changed afterwards.
func (m *Memo) Script(c *Cache, sql []byte) *Script {
	if len(sql) > maxMemoText {
		return c.Script(view(sql))
	}
	e := &m.entries[maphash.Bytes(c.seed, sql)%memoEntries]
	if e.script != nil && string(e.text) == string(sql) {
		return e.script
	}
	e.text = append(e.text[:0], sql...)
	e.script = c.Script(view(sql))
	return e.script
}
