package catalog

import "slices"

// maxPrepared bounds how many prepared transactions are remembered.
const maxPrepared = 10000

// Change is what DDL is about. The zero value is anything.
type Change struct {
	// Names are those of relations, in whatever schema, if it is about nothing else.
	Names []string
	// Bodies: it is about functions, types and the like.
	Bodies bool
	// Onward: what DDL does from now on is something else, too: default privileges, event triggers.
	Onward bool
	// Nothing: facts were only in doubt, or are nobody else's.
	Nothing bool
	// By is the session whose transaction has made it; 0 for none.
	By uint32
}

// maxRecent is how many changes are remembered.
const maxRecent = 512

// note remembers the change that has made the generation.
func (d *Database) note(c Change) { d.recent[d.generation.Load()%maxRecent] = c }

// Concern is what somebody has to do with.
type Concern struct {
	// Names are those of relations, in whatever schema.
	Names []string
	// Far: relations of other names, too.
	Far bool
	// Code: functions of users.
	Code bool
	// Defines: it is DDL itself.
	Defines bool
	// Of is the session that asks, whose own changes are no news to it; 0 for none.
	Of uint32
}

// MayConcern reports whether something that has changed since a generation may concern somebody.
func (d *Database) MayConcern(since uint64, concern Concern) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.generation.Load()
	if now-since > maxRecent {
		return true
	}
	for g := since + 1; g <= now; g++ {
		if d.recent[g%maxRecent].concerns(&concern) {
			return true
		}
	}
	return false
}

func (c *Change) concerns(whom *Concern) bool {
	switch {
	case c.Nothing, c.By != 0 && c.By == whom.Of:
		return false
	case c.Onward && whom.Defines:
		return true
	case c.Bodies:
		return whom.Code
	case len(c.Names) > 0:
		return whom.Far || slices.ContainsFunc(c.Names, func(name string) bool { return slices.Contains(whom.Names, name) })
	}
	return true
}

// changes are transactions with DDL that are being committed: some nodes may have it already.
type changes struct {
	last uint64
	open []uint64 // their numbers, the oldest first
}

// BeginChange is called before the first node is sent the COMMIT of DDL. It returns what EndChange is to
// be told.
func (d *Database) BeginChange() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &d.changes
	c.last++
	c.open = append(c.open, c.last)
	d.changing.Store(int32(len(c.open)))
	return c.last
}

// EndChange is called when no node has anything left of it to do, and what was known is forgotten.
func (d *Database) EndChange(change uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &d.changes
	c.open = slices.DeleteFunc(c.open, func(open uint64) bool { return open == change })
	d.changing.Store(int32(len(c.open)))
	d.settled.Broadcast()
}

// ChangedSince reports whether something may have become another since a generation. What is being
// committed counts.
func (d *Database) ChangedSince(generation uint64) bool {
	return d.changing.Load() > 0 || d.Generation() != generation // in this order: who ends a change has counted it before
}

// AwaitChanges returns when all that is being committed now has been committed on all nodes, and is
// known to have been.
func (d *Database) AwaitChanges() {
	if d.changing.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for now := d.changes.last; len(d.changes.open) > 0 && d.changes.open[0] <= now; {
		d.settled.Wait()
	}
}

// NotePrepared remembers that a prepared transaction of that name (PREPARE TRANSACTION) will change nothing here.
func (d *Database) NotePrepared(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.prepared) < maxPrepared {
		if d.prepared == nil {
			d.prepared = map[string]bool{}
		}
		d.prepared[name] = true
	}
}

// TakePrepared forgets a prepared transaction. It reports whether it will change nothing.
func (d *Database) TakePrepared(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	harmless := d.prepared[name]
	delete(d.prepared, name)
	return harmless
}

// opened are the transactions that have changed the catalogue and have not ended. They alone are shown what they have
// changed, and look here first: so nothing is kept that others are told of it.
type opened struct {
	all   int            // how many changes may concern anything
	names map[string]int // relations that were created or dropped, which concerns no others
}

func (o *opened) holds(name string) bool { return o.names[name] > 0 }

// Open is called when a transaction has changed the catalogue: relations of these names, or, with none, anything.
// Close is given the same.
func (d *Database) Open(names []string) { d.count(names, 1) }

// Close is called when the transaction has ended, and what it has changed has been forgotten.
func (d *Database) Close(names []string) { d.count(names, -1) }

func (d *Database) count(names []string, by int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(names) == 0 {
		d.opened.all += by
	}
	for _, name := range names {
		if d.opened.names == nil {
			d.opened.names = map[string]int{}
		}
		if d.opened.names[name] += by; d.opened.names[name] == 0 {
			delete(d.opened.names, name)
		}
	}
}
