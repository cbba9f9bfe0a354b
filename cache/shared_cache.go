package cache

import "go.uber.org/zap"

// Found is what was learned in a search for an answer: the counters, if they are shared, as
// they were before the answer is asked of a node.
type Found struct {
	stamps Stamps
	rests  bool
}

// Find is Look, also for entries in memcached, which are found together with the counters
// of slots: those that the answer depends on. An answer that depends on others is not
// given out.
func (c *Cache) Find(k Key, columns bool, slots []Slot) (*Entry, Found) {
	if c.shared == nil {
		return c.Look(k, columns), Found{}
	}
	s := c.shared
	if !s.usable() {
		return nil, Found{}
	}
	item, counters, err := s.fetch(c.itemKey(k), slots)
	if err != nil {
		s.silence(err)
		return nil, Found{}
	}
	found := s.stamp(slots, counters)
	if !s.usable() {
		return nil, Found{} // the counters may lack what others have written since
	}
	e := decodeEntry(item)
	if e == nil || !e.answers(k) || columns && len(e.Columns) == 0 || !found.covers(e.Stamps) {
		return nil, found
	}
	c.hits.Add(1)
	return e, found
}

// stamp makes stamps of counters that were read.
func (s *Shared) stamp(slots []Slot, counters []counter) Found {
	found := Found{stamps: make(Stamps, len(slots)), rests: true}
	for i, slot := range slots {
		found.rests = s.see(slot, counters[i]) && found.rests
		found.stamps[i] = Stamp{slot: slot, generation: counters[i].generation, value: counters[i].value}
	}
	return found
}

// covers reports whether all of an entry's counters were read, and are what they were.
func (f *Found) covers(stamps Stamps) bool {
	for _, stamp := range stamps {
		if !f.has(stamp) {
			return false
		}
	}
	return len(stamps) > 0
}

func (f *Found) has(stamp Stamp) bool {
	for _, now := range f.stamps {
		if now == stamp {
			return true
		}
	}
	return false
}

// Stamps are the counters of slots before an answer is asked for; false if what is read now
// may not be kept.
func (c *Cache) Stamps(found Found, slots []Slot) (Stamps, bool) {
	if c.shared == nil {
		return c.Take(make(Stamps, 0, len(slots)), slots...)
	}
	return found.stamps, found.rests
}

// Now is At after a look at what other proxies have done.
func (c *Cache) Now(slot Slot) (value uint64, rests bool) {
	if c.shared == nil {
		return c.At(slot)
	}
	if c.shared.isWithout() {
		return c.At(slot) // what it writes is made worthless as a whole when it returns
	}
	found := Found{}
	if _, counters, err := c.shared.fetch("", []Slot{slot}); err == nil {
		found = c.shared.stamp([]Slot{slot}, counters)
		found.rests = counters[0].value&busyMask == 0
	}
	value, rests = c.At(slot)
	return value, rests && found.rests
}

// Moves counts how often a name was written by others than this process, as far as was
// seen.
func (c *Cache) Moves(slot Slot) uint64 {
	if c.shared == nil {
		return 0
	}
	return c.shared.moves(slot)
}

// Begin is Versions.Begin, of which other proxies hear too. It waits for them if need be.
func (c *Cache) Begin(slots []Slot) Write {
	w := c.Versions.Begin(slots)
	if c.shared != nil {
		w.shared = c.shared.begin(w.slots)
	}
	return w
}

// Touch is Begin and End for what has happened already.
func (c *Cache) Touch(slots ...Slot) { c.Begin(slots).End(true) }

// putShared keeps an entry in memcached.
func (c *Cache) putShared(k Key, e *Entry) {
	item := e.encode(make([]byte, 0, e.Size()))
	if len(item) > MaxItem || !c.shared.usable() {
		return
	}
	if err := c.shared.server.Set(c.itemKey(k), Item{Value: item}, c.maxAge); err != nil {
		c.shared.log.Debug("answer not kept in memcached", zap.Error(err))
	}
}

func (c *Cache) deleteShared(k Key) bool {
	key := c.itemKey(k)
	items, err := c.shared.server.Get([]string{key})
	if err != nil {
		return false
	}
	e := decodeEntry(items[key].Value)
	return e != nil && e.answers(k) && c.shared.server.Delete(key) == nil
}

// noStore keeps nothing.
type noStore struct{}

func (noStore) Get(uint64) *Entry  { return nil }
func (noStore) Put(uint64, *Entry) {}
func (noStore) Delete(uint64)      {}
func (noStore) Settle()            {}
func (noStore) Full() bool         { return false }
func (noStore) Usage() Usage       { return Usage{} }
func (noStore) Close()             {}
