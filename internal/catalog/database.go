package catalog

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxMissingAge bounds how long a name counts as one that does not exist, even if
// facts are kept for ever: what is made past pgchorus would otherwise never be seen.
const maxMissingAge = 30 * time.Second

// Database is what is known of one database. It is safe for concurrent use; looking up
// takes no lock.
type Database struct {
	expire time.Duration
	now    func() time.Time

	used       atomic.Bool   // for Cache: looked up since it was last spared
	generation atomic.Uint64 // counts Forget; changes under mu
	functions  *table[Function]
	relations  *table[Relation]
	tables     *table[*Table]
	// code and surroundings are what statements set off.
	code         *table[*Code]
	surroundings *table[*Surroundings]
	deferral     atomic.Pointer[deferral]
	implied      atomic.Pointer[implied]
	changing     atomic.Int32 // length of changes.open

	mu       sync.Mutex      // held to change what is above or below, not to look facts up
	prepared map[string]bool // transactions without DDL
	changes  changes
	opened   opened
	recent   [maxRecent]Change // of the last generations
	settled  sync.Cond         // one of them has ended
	dropped  bool              // no longer the Cache's own: nothing is stored any more
}

func newDatabase(size int, expire time.Duration, now func() time.Time) *Database {
	d := &Database{
		expire:    expire,
		now:       now,
		functions: newTable[Function](size),
		relations: newTable[Relation](size),
		tables:    newTable[*Table](size),

		code:         newTable[*Code](size),
		surroundings: newTable[*Surroundings](size),
	}
	d.settled.L = &d.mu
	return d
}

// Function returns what is known of the functions of that name; false if that is
// nothing, or too old.
func (d *Database) Function(n Name) (Function, bool) {
	return d.functions.get(n, d.now)
}

// Relation returns what is known of the relations of that name; false if that is
// nothing, or too old.
func (d *Database) Relation(n Name) (Relation, bool) {
	return d.relations.get(n, d.now)
}

// Table returns what is known of the columns of the table of that name; false if that
// is nothing, or too old. It is shared: nobody may change it.
func (d *Database) Table(n Name) (*Table, bool) {
	return d.tables.get(n, d.now)
}

// Generation is to be read before the snapshot is taken that a question will be answered
// from, and given to Store with the answer. Usually that is before a node is asked; in a
// transaction that keeps its snapshot (REPEATABLE READ, SERIALIZABLE) it is before the
// transaction's first statement.
func (d *Database) Generation() uint64 { return d.generation.Load() }

// Forget drops all facts, because DDL was seen. What is stored with an older
// generation is thrown away.
func (d *Database) Forget() {
	d.ForgetFor(Change{})
}

// ForgetFor is Forget where it is known what has changed.
func (d *Database) ForgetFor(c Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget()
	d.note(c)
}

// ForgetNames drops what is known of relations with the change's names, in whatever schema,
// because some were created or dropped, which changes nothing about others. What is
// stored with an older generation is thrown away.
func (d *Database) ForgetNames(c Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.generation.Add(1)
	d.note(c)
	for _, name := range c.Names {
		d.relations.remove(name)
		d.tables.remove(name)
		d.surroundings.remove(name)
	}
}

func (d *Database) forget() {
	d.generation.Add(1)
	d.functions.clear()
	d.relations.clear()
	d.tables.clear()
	d.code.clear()
	d.surroundings.clear()
	if last := d.implied.Load(); last != nil {
		d.implied.Store(&implied{Implied: last.Implied}) // for who cannot ask
	}
}

// drop ends the use of d, for sessions that still hold it: nobody would tell it of
// DDL any more.
func (d *Database) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget()
	d.dropped = true
}

// Store is Decode and Keep: it remembers what the rows say that q.SQL brought. After
// it, names can still be unknown, for the reasons that Answer is there for.
func (d *Database) Store(q Question, rows []string, generation uint64) error {
	a, err := q.Decode(rows)
	if err != nil {
		return err
	}
	d.Keep(a, generation)
	return nil
}

// Keep remembers an answer to what was asked at generation, if nothing was forgotten
// since.
func (d *Database) Keep(a Answer, generation uint64) {
	now := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dropped || d.opened.all > 0 || d.generation.Load() != generation {
		return
	}
	for n, f := range a.functions {
		d.functions.put(n, f, d.until(now, f.Exists))
	}
	for n, r := range a.relations {
		if !d.opened.holds(n.Name) {
			d.relations.put(n, r, d.until(now, r.Exists))
		}
	}
	for n, t := range a.tables {
		if !ofOneSession(n) && !d.opened.holds(n.Name) {
			d.tables.put(n, t, d.until(now, t.Exists))
		}
	}
}

// until is the end of the age of a fact that was learnt now.
func (d *Database) until(now time.Time, exists bool) time.Time {
	switch {
	case !exists && (d.expire == 0 || d.expire > maxMissingAge):
		return now.Add(maxMissingAge)
	case d.expire == 0:
		return time.Time{}
	}
	return now.Add(d.expire)
}
