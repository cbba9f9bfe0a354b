package sequence

import (
	"slices"
	"sync"
	"time"
)

// Leases are the values that were drawn and not used yet, of all databases. Safe for
// concurrent use.
type Leases struct {
	now func() time.Time

	mu        sync.Mutex // guards databases
	databases map[string]*Database
}

// New returns Leases without values. now is the clock, time.Now but in tests.
func New(now func() time.Time) *Leases {
	return &Leases{now: now, databases: map[string]*Database{}}
}

// Database is what is kept of the database of that name.
func (l *Leases) Database(name string) *Database {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.databases[name]
	if d == nil {
		d = &Database{now: l.now, leases: map[string]*lease{}}
		l.databases[name] = d
	}
	return d
}

// maxSequences bounds the sequences of a database of which values are kept. When there are
// more, those that are kept are dropped, which makes gaps.
const maxSequences = 10000

// Database has the leases of one database. Safe for concurrent use.
type Database struct {
	now func() time.Time

	mu         sync.Mutex // guards the fields below
	leases     map[string]*lease
	epoch      uint64
	holds      int
	generation uint64 // counts what has discarded the leases
	habits     *Habits
	turn       uint64 // counts what has made habits others
}

// lease is what is kept of one sequence.
type lease struct {
	name   string // as the main node spelled it
	values []int64
	size   int       // of the last draw
	drawn  time.Time // when that was
	// users may draw from the sequence: those who have.
	users map[string]bool
	// high is the furthest value that was drawn, and floor what it was when the main node
	// changed: the next one has to be beyond it.
	high, floor       int64
	hasHigh, hasFloor bool
	increment         int64
	cycles            bool
}

// Taken are values out of a lease.
type Taken struct {
	// Name is the sequence's, qualified, as the main node spelled it.
	Name   string
	Values []int64
	// Generation is what Database.Valid is to be asked with, when the statement has run.
	Generation uint64
}

// Take takes n values of a sequence that is known by key, in the given epoch; false if there
// are not as many. user may draw from it by what the server has said before; "" asks for no
// right.
func (d *Database) Take(key string, n int, epoch uint64, user string) (Taken, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enter(epoch)
	l := d.leases[key]
	if l == nil || d.holds > 0 || epoch != d.epoch || len(l.values) < n || user != "" && !l.users[user] {
		return Taken{}, false
	}
	taken := Taken{Name: l.name, Values: l.values[:n:n], Generation: d.generation}
	l.values = l.values[n:]
	return taken, true
}

// GiveBack takes in values that a statement was given and has not come to use, to be given
// out before others. They are dropped where anything was discarded since.
func (d *Database) GiveBack(key string, values []int64, epoch, generation uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enter(epoch)
	l := d.leases[key]
	if l == nil || l.cycles || d.holds > 0 || epoch != d.epoch || generation != d.generation {
		return
	}
	l.values = append(slices.Clone(values), l.values...)
	slices.SortFunc(l.values, l.order)
}

// enter begins an epoch. What is left of leases is not given out any more.
func (d *Database) enter(epoch uint64) {
	if epoch <= d.epoch {
		return
	}
	d.epoch = epoch
	for _, l := range d.leases {
		l.values = nil
		if l.hasHigh {
			l.floor, l.hasFloor = l.high, true
		}
	}
}

// lasting is the time that a lease should last: the next one is twice as large if it has not
// (PostgreSQL's sequences know no such thing; a second is short for a gap, and long for a
// question).
const lasting = time.Second

// Size is how many values to draw beyond those that are needed now, and the generation to
// keep them by. limit is sequence_lease_size: 1 keeps nothing.
func (d *Database) Size(key string, epoch uint64, limit int) (more int, generation uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enter(epoch)
	l := d.leases[key]
	if l == nil || d.holds > 0 || limit <= 1 {
		return 0, d.generation
	}
	if d.now().Sub(l.drawn) < lasting {
		return min(2*l.size, limit) - 1, d.generation
	}
	return max(min(l.size/2, limit), 1) - 1, d.generation
}

// Drawn are values that the main node has given.
type Drawn struct {
	Key, Name string
	Values    []int64
	Increment int64
	Cycles    bool
	// User may draw from the sequence, as it has; "" if nobody was asked.
	User string
	// Epoch and Generation are those from before the draw.
	Epoch, Generation uint64
}

// Keep takes in what was drawn, when each other node has advanced as far, and keeps all but
// the first n values. ok is false if the first n must not be used either: another main node
// may give them out, or has.
func (d *Database) Keep(drawn Drawn, n int) (ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.epoch != drawn.Epoch {
		return false
	}
	l := d.lease(drawn)
	if l.isBehind(drawn) {
		return false
	}
	l.reach(drawn.Values[len(drawn.Values)-1])
	if d.generation != drawn.Generation || d.holds > 0 {
		return true // for this statement alone
	}
	l.size, l.drawn = len(drawn.Values), d.now()
	l.users[drawn.User] = true
	l.values = append(l.values, drawn.Values[min(n, len(drawn.Values)):]...)
	slices.SortFunc(l.values, l.order)
	return true
}

// lease is what is kept of the sequence.
func (d *Database) lease(drawn Drawn) *lease {
	l := d.leases[drawn.Key]
	if l != nil {
		return l
	}
	if len(d.leases) >= maxSequences {
		clear(d.leases)
	}
	l = &lease{name: drawn.Name, increment: drawn.Increment, cycles: drawn.Cycles, users: map[string]bool{}}
	d.leases[drawn.Key] = l
	return l
}

// order puts values in the order of the sequence. One that cycles is not sorted.
func (l *lease) order(a, b int64) int {
	switch {
	case l.cycles || a == b:
		return 0
	case (a < b) == (l.increment > 0):
		return -1
	}
	return 1
}

// isBehind: the next main node has not reached what an earlier one had given out.
func (l *lease) isBehind(drawn Drawn) bool {
	return l.hasFloor && !l.cycles && l.order(l.floor, drawn.Values[0]) >= 0
}

func (l *lease) reach(value int64) {
	if !l.hasHigh || l.order(l.high, value) < 0 {
		l.high, l.hasHigh = value, true
	}
}

// Floor is how far a node has to advance before it is drawn from: what was given out before
// it was the main node.
func (d *Database) Floor(key string) (floor int64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.leases[key]; l != nil {
		return l.floor, l.hasFloor && !l.cycles
	}
	return 0, false
}

// Hold discards all leases, because a statement is about to change sequences, and has
// nothing kept until Release, which is to be called when the statement's transaction has
// ended.
func (d *Database) Hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds++
	d.discard()
}

// Release ends a Hold.
func (d *Database) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds--
	d.discard()
}

// Discard forgets all that is known of sequences.
func (d *Database) Discard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.discard()
}

func (d *Database) discard() {
	d.generation++
	clear(d.leases)
}

// Valid reports whether nothing was discarded since values were taken or drawn.
func (d *Database) Valid(generation uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.generation == generation
}
