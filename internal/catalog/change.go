package catalog

import "slices"

// maxPrepared bounds how many prepared transactions are remembered.
const maxPrepared = 10000

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
