package parser

import (
	"hash/maphash"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	// maxCachedText is the longest text that is remembered, in bytes.
	maxCachedText = 1 << 20
	// largeText is the length from which texts wait for each other only, as they
	// take milliseconds to seconds, in bytes.
	largeText = 64 << 10
	// maxScratch is the largest buffer that is kept for the next text.
	maxScratch = 64 << 10
	// cacheShards parts the cache, so that sessions seldom meet at a lock.
	cacheShards = 16
	// largestShare is the part of a shard that one entry may take: 1/largestShare.
	largestShare = 4
)

// Cache remembers Scripts, first by the text without its literals and, where the
// literals matter or Strip gives up, by the exact text. Keys are compared whole.
// It is shared by all sessions, bounded by bytes, and safe for concurrent use.
type Cache struct {
	seed    maphash.Seed
	shards  [cacheShards]shard
	parses  chan struct{} // a place for each parse under way
	large   chan struct{} // the same for texts longer than largeText
	scratch sync.Pool     // *scratch
	misses  atomic.Uint64

	defaults defaults
}

// NewCache returns a Cache that holds about maxBytes of keys and facts and lets
// at most maxParses goroutines parse at a time (and as many again parse texts
// longer than 64 KiB); 0 is half of GOMAXPROCS. A parse is a call of C code, which
// takes a thread.
func NewCache(maxBytes int64, maxParses int) *Cache {
	if maxParses <= 0 {
		maxParses = max(runtime.GOMAXPROCS(0)/2, 1)
	}
	c := &Cache{seed: maphash.MakeSeed(), parses: make(chan struct{}, maxParses), large: make(chan struct{}, maxParses)}
	c.scratch.New = func() any { return new(scratch) }
	for i := range c.shards {
		c.shards[i].limit = maxBytes / cacheShards
		c.shards[i].entries = map[entryKey]*entry{}
	}
	return c
}

// Script returns the facts about sql, from memory or by Classify.
func (c *Cache) Script(sql string) *Script {
	if len(sql) > maxCachedText {
		return c.parse(sql)
	}
	work := c.scratch.Get().(*scratch)
	key, plain := Strip(work.key[:0], sql)
	work.key = key
	s := c.lookUp(sql, key, plain)
	c.release(work)
	return s
}

// Stats are figures of a Cache.
type Stats struct {
	Entries int
	Bytes   int64
	Misses  uint64 // texts that had to be parsed
}

// Stats returns the present figures.
func (c *Cache) Stats() Stats {
	st := Stats{Misses: c.misses.Load()}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.RLock()
		st.Entries += len(sh.entries)
		st.Bytes += sh.bytes
		sh.mu.RUnlock()
	}
	return st
}

// lookUp asks by shape, then by exact text, then the parser.
func (c *Cache) lookUp(sql string, key []byte, plain bool) *Script {
	var shape *entry
	if plain {
		shape = c.find(entryKey{text: view(key), shape: true})
	}
	if shape != nil && !shape.exact {
		return c.moveCalls(shape.script, sql, true)
	}
	if e := c.find(entryKey{text: sql}); e != nil {
		return e.script
	}
	if plain && shape == nil {
		return c.learn(sql, key)
	}
	return c.parseExact(sql)
}

// parseExact parses a text that says nothing about others.
func (c *Cache) parseExact(sql string) *Script {
	s := c.parse(sql)
	c.store(entryKey{text: sql}, &entry{script: s, exact: true})
	return s
}

// learn parses a text whose shape is new.
func (c *Cache) learn(sql string, key []byte) *Script {
	s := c.parse(sql)
	switch {
	case s.Err != nil:
		// Nothing is known of the shape: other literals may be right.
	case s.LiteralSensitive:
		c.store(entryKey{text: view(key), shape: true}, &entry{exact: true})
	default:
		c.store(entryKey{text: view(key), shape: true}, &entry{script: c.moveCalls(placesInKey(s, sql), sql, false)})
		return s
	}
	c.store(entryKey{text: sql}, &entry{script: s, exact: true})
	return s
}

func (c *Cache) parse(sql string) *Script {
	c.misses.Add(1)
	places := c.parses
	if len(sql) > largeText {
		places = c.large
	}
	places <- struct{}{}
	defer func() { <-places }()
	return Classify(sql)
}

// placesInKey returns s with the places of its statement as offsets within the key. They
// are turned back when they are needed.
func placesInKey(s *Script, sql string) *Script {
	st := &s.Statements[0]
	if st.places == nil {
		return s
	}
	var cuts []cut
	strip(nil, sql, &cuts)
	m := &movedScript{script: *s, statement: [1]Statement{*st}}
	m.statement[0].places = st.places.moved(cuts, false)
	m.script.Statements = m.statement[:]
	return &m.script
}

// movedScript is a Script of one statement in one piece of memory.
type movedScript struct {
	script    Script
	statement [1]Statement
	calls     [4]TimeCall
}

// moveCalls returns s with the offsets of its time calls turned from those in sql
// to those in its key, or back. There is nothing to be done unless the time is
// asked for.
func (c *Cache) moveCalls(s *Script, sql string, toText bool) *Script {
	calls := s.Statements[0].TimeCalls
	if len(calls) == 0 {
		return s
	}
	work := c.scratch.Get().(*scratch)
	defer c.release(work)
	work.cuts = work.cuts[:0]
	work.key, _ = strip(work.key[:0], sql, &work.cuts)

	m := &movedScript{script: *s, statement: [1]Statement{s.Statements[0]}}
	m.statement[0].TimeCalls = relocate(m.calls[:0], calls, mover{cuts: work.cuts, toText: toText})
	m.script.Statements = m.statement[:]
	return &m.script
}

// scratch is memory for one look-up, used again by others.
type scratch struct {
	key  []byte
	cuts []cut
}

func (c *Cache) release(work *scratch) {
	if cap(work.key) <= maxScratch && cap(work.cuts) <= maxScratch/32 {
		c.scratch.Put(work)
	}
}

// view makes a string of bytes that stay as they are while it is in use. What a
// Cache keeps is cloned first.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// entryKey is the whole key of an entry.
type entryKey struct {
	text  string
	shape bool // text is stripped
}

// entry is what is remembered for a key. A shape that is literal-sensitive has
// exact set and no script.
type entry struct {
	key    entryKey
	script *Script
	exact  bool
	size   int64
	used   atomic.Bool // since the hand of the clock last passed
}

// shard is one part of a Cache. When it is full, entries that were not used since
// the last round go, oldest first.
type shard struct {
	mu      sync.RWMutex // guards the fields below
	entries map[entryKey]*entry
	queue   []*entry // ring, oldest at head
	head    int
	bytes   int64
	limit   int64
}

func (c *Cache) shard(key entryKey) *shard {
	return &c.shards[maphash.String(c.seed, key.text)%cacheShards]
}

func (c *Cache) find(key entryKey) *entry {
	sh := c.shard(key)
	sh.mu.RLock()
	e := sh.entries[key]
	sh.mu.RUnlock()
	if e != nil && !e.used.Load() {
		e.used.Store(true)
	}
	return e
}

// store keeps a copy of the key. What is too large is not kept, which costs time
// only.
func (c *Cache) store(key entryKey, e *entry) {
	e.size = int64(len(key.text)) + scriptSize(e.script)
	sh := c.shard(key)
	if e.size > sh.limit/largestShare {
		return
	}
	e.key = entryKey{text: strings.Clone(key.text), shape: key.shape}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, there := sh.entries[e.key]; there {
		return
	}
	sh.makeRoom(e.size)
	sh.entries[e.key] = e
	sh.queue = append(sh.queue, e)
	sh.bytes += e.size
}

// makeRoom gives entries that were used another round. One round spares each
// entry once at most, so it ends.
func (sh *shard) makeRoom(size int64) {
	for sh.bytes+size > sh.limit && sh.head < len(sh.queue) {
		e := sh.queue[sh.head]
		sh.queue[sh.head] = nil
		sh.head++
		if e.used.Swap(false) {
			sh.queue = append(sh.queue, e)
			continue
		}
		delete(sh.entries, e.key)
		sh.bytes -= e.size
	}
	if sh.head > len(sh.queue)/2 {
		left := copy(sh.queue, sh.queue[sh.head:])
		clear(sh.queue[left:])
		sh.queue = sh.queue[:left]
		sh.head = 0
	}
}

// entryOverhead is what an entry takes beside its texts and lists: itself, its
// place in the map and in the queue.
const entryOverhead = 256

// scriptSize estimates the memory of s, in bytes.
func scriptSize(s *Script) int64 {
	size := int64(entryOverhead)
	if s == nil {
		return size
	}
	size += int64(unsafe.Sizeof(*s))
	for i := range s.Statements {
		size += statementSize(&s.Statements[i])
	}
	return size
}

func statementSize(st *Statement) int64 {
	size := int64(unsafe.Sizeof(*st)) + int64(len(st.Name)+len(st.Value)+len(st.Body))
	for _, v := range st.Values {
		size += int64(len(v)) + 16
	}
	size += int64(len(st.Reads)+len(st.Writes)) * 72
	size += int64(len(st.Functions)+len(st.UnknownFunctions)) * 96
	size += int64(len(st.Operators)+len(st.Casts)) * 24
	size += int64(len(st.TimeCalls)) * int64(unsafe.Sizeof(TimeCall{}))
	size += int64(len(st.Targets)) * int64(unsafe.Sizeof(Target{}))
	for i := range st.Targets {
		size += int64(len(st.Targets[i].Columns)+len(st.Targets[i].Equal)+len(st.Targets[i].ConflictSets)+len(st.Targets[i].Pins)) * 32
	}
	if st.Locked != nil {
		size += int64(unsafe.Sizeof(*st.Locked)) + int64(len(st.Locked.Equal))*32
	}
	if st.Point != nil {
		size += int64(unsafe.Sizeof(*st.Point)) + int64(len(st.Point.Equal))*32 + int64(len(st.Point.Uses))*64 + int64(len(st.Point.Defaults))*8
	}
	size += placesSize(st.places)
	if st.Inner != nil {
		size += statementSize(st.Inner)
	}
	return size
}

func placesSize(p *places) int64 {
	if p == nil {
		return 0
	}
	size := int64(unsafe.Sizeof(*p)) + int64(len(p.calls))*int64(unsafe.Sizeof(valueCall{}))
	for i := range p.layouts {
		l := &p.layouts[i]
		size += int64(unsafe.Sizeof(*l)) + int64(len(l.rows))*8 +
			int64(len(l.cells))*int64(unsafe.Sizeof(defaultCell{})) + int64(len(l.sets))*int64(unsafe.Sizeof(setCell{}))
	}
	return size
}
