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
	text   string
	script *Script
}

// Script returns the facts about sql. It allocates nothing when sql is among the
// last texts, nor, mostly, when c knows its shape.
func (m *Memo) Script(c *Cache, sql string) *Script {
	if len(sql) > maxMemoText {
		return c.Script(sql)
	}
	e := &m.entries[maphash.String(c.seed, sql)%memoEntries]
	if e.script == nil || e.text != sql {
		e.text, e.script = sql, c.Script(sql)
	}
	return e.script
}

// Recall is Script for a text that lies in somebody's buffer, and returns a copy of the text
// too: the one that m has, if it has one, so that nothing is allocated.
func (m *Memo) Recall(c *Cache, sql []byte) (text string, script *Script) {
	if len(sql) <= maxMemoText {
		// Bytes and String give the same hash for the same text.
		e := &m.entries[maphash.Bytes(c.seed, sql)%memoEntries]
		if e.script != nil && e.text == string(sql) {
			return e.text, e.script
		}
	}
	text = string(sql)
	return text, m.Script(c, text)
}
