package parser

import "hash/maphash"

const (
	// memoEntries is the number of texts that a session remembers, and fewMemoEntries how many
	// it has room for until two of them have the same place; powers of 2.
	memoEntries    = 64
	fewMemoEntries = 8
	// maxMemoText is the longest of them, in bytes: a Memo holds at most
	// memoEntries times that.
	maxMemoText = 8 << 10
)

// Memo is a session's own memory of the last texts, in front of the Cache, by
// exact text and without locks. The zero value is ready. It is for one Cache.
// Not safe for concurrent use.
type Memo struct {
	entries []memoEntry // nil until there is a text
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
	hash := maphash.String(c.seed, sql)
	if e := m.at(hash); e != nil && e.text == sql {
		return e.script
	}
	e := m.place(c, hash)
	e.text, e.script = sql, c.Script(sql)
	return e.script
}

// Recall is Script for a text that lies in somebody's buffer, and returns a copy of the text
// too: the one that m has, if it has one, so that nothing is allocated.
func (m *Memo) Recall(c *Cache, sql []byte) (text string, script *Script) {
	if len(sql) <= maxMemoText {
		// Bytes and String give the same hash for the same text.
		if e := m.at(maphash.Bytes(c.seed, sql)); e != nil && e.text == string(sql) {
			return e.text, e.script
		}
	}
	text = string(sql)
	return text, m.Script(c, text)
}

// at is what m has in the place of a hash; nil for nothing.
func (m *Memo) at(hash uint64) *memoEntry {
	if len(m.entries) == 0 {
		return nil
	}
	if e := &m.entries[hash&uint64(len(m.entries)-1)]; e.script != nil {
		return e
	}
	return nil
}

// place is where a text of this hash goes. An idle session mostly has few texts, so there is room for
// all of them only once two have met.
func (m *Memo) place(c *Cache, hash uint64) *memoEntry {
	switch {
	case len(m.entries) == 0:
		m.entries = make([]memoEntry, fewMemoEntries)
	case len(m.entries) < memoEntries && m.at(hash) != nil:
		m.grow(c)
	}
	return &m.entries[hash&uint64(len(m.entries)-1)]
}

// grow makes room for all texts. No two of those that are there meet in it, as they did not with less.
func (m *Memo) grow(c *Cache) {
	few := m.entries
	m.entries = make([]memoEntry, memoEntries)
	for _, e := range few {
		if e.script != nil {
			m.entries[maphash.String(c.seed, e.text)&(memoEntries-1)] = e
		}
	}
}
