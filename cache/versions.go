package cache

import (
	"slices"
	"sync/atomic"
	"time"
)

// slots is the number of counters, a power of 2: 1 MiB with the times. Two names of ten
// thousand share one with a probability of a sixth each, and then a write of one also
// makes answers from the other worthless.
const slots = 1 << 16

const (
	// busyBits are the lower bits of a counter, which tell how many write the name now.
	// There are fewer sessions than they can count.
	busyBits = 20
	busyMask = 1<<busyBits - 1
)

// Slot is the place of a name's counter.
type Slot uint32

// everything is the slot that every read depends on.
const everything Slot = 0

// Versions has a counter for each name. It is safe for concurrent use and takes no lock.
type Versions struct {
	start    time.Time
	counters [slots]atomic.Uint64
	// changed is when a counter last went up, as time since start.
	changed [slots]atomic.Int64
}

// NewVersions returns counters that are at rest.
func NewVersions() *Versions {
	return &Versions{start: time.Now()}
}

// Name is the slot of a relation's name, without its schema, in a database. It is the same
// in every process, which may share counters ([Shared]).
func (v *Versions) Name(database, name string) Slot {
	hash := fnv(fnv(fnvStart, database), "\x00") // no name has one
	return Slot(1 + fnv(hash, name)%(slots-1))
}

// fnvStart and fnvPrime are those of FNV-1a with 64 bits.
const (
	fnvStart = 14695981039346656037
	fnvPrime = 1099511628211
)

func fnv(hash uint64, text string) uint64 {
	for i := range len(text) {
		hash = (hash ^ uint64(text[i])) * fnvPrime
	}
	return hash
}

// Database is the slot that every read within a database depends on.
func (v *Versions) Database(database string) Slot { return v.Name(database, "") }

// Everything is the slot that every read depends on.
func (v *Versions) Everything() Slot { return everything }

// At is a counter as it is, and whether nobody is writing its name.
func (v *Versions) At(slot Slot) (value uint64, rests bool) {
	value = v.counters[slot].Load()
	return value, value&busyMask == 0
}

// Stamp is a counter as it was.
type Stamp struct {
	slot  Slot
	value uint64
	// generation tells a shared counter from one that was lost and made anew.
	generation uint32
}

// Stamps are the counters that an answer depends on, as they were before it was asked for.
type Stamps []Stamp

// Take appends the counters of slots. It is false if one of them is being written: nothing
// that is read now may be kept.
func (v *Versions) Take(dst Stamps, slots ...Slot) (Stamps, bool) {
	for _, slot := range slots {
		value := v.counters[slot].Load()
		if value&busyMask != 0 {
			return dst, false
		}
		dst = append(dst, Stamp{slot: slot, value: value})
	}
	return dst, true
}

// Valid reports whether none of the counters has moved since.
func (v *Versions) Valid(stamps Stamps) bool {
	for i := range stamps {
		if v.counters[stamps[i].slot].Load() != stamps[i].value {
			return false
		}
	}
	return true
}

// Since is when the last of the counters went up, or that of the start. What a standby
// shows that has not replayed everything from before then may be older than the stamps.
func (v *Versions) Since(stamps Stamps) time.Time {
	var latest int64
	for i := range stamps {
		latest = max(latest, v.changed[stamps[i].slot].Load())
	}
	return v.start.Add(time.Duration(latest))
}

// Write is what one transaction writes, from before its COMMIT until after.
type Write struct {
	v      *Versions
	slots  []Slot
	shared *sharedWrite // nil where the counters are this process's own
}

// Begin says that slots are about to be changed by a COMMIT that will be sent now. Until
// End nothing that depends on them is kept or given out.
func (v *Versions) Begin(slots []Slot) Write {
	w := Write{v: v, slots: slices.Clone(slots)}
	for _, slot := range w.slots {
		v.counters[slot].Add(1)
	}
	return w
}

// End says that the COMMIT is over on every node. changed is false only if it is certain
// that no node has done it.
func (w Write) End(changed bool) {
	if changed {
		w.v.note(w.slots)
	}
	if w.shared != nil {
		w.shared.end()
	}
	for _, slot := range w.slots {
		if !changed {
			w.v.counters[slot].Add(^uint64(0))
			continue
		}
		w.v.counters[slot].Add(1<<busyBits - 1)
	}
}

// note says that slots have changed by now. It comes before any counter goes up, here or
// in memcached: who sees one that did asks a standby for what was committed before then.
func (v *Versions) note(slots []Slot) {
	for _, slot := range slots {
		raise(&v.changed[slot], int64(time.Since(v.start)))
	}
}

// raise does not let a moment go back: writes of one name end in any order.
func raise(moment *atomic.Int64, to int64) {
	for last := moment.Load(); last < to; last = moment.Load() {
		if moment.CompareAndSwap(last, to) {
			return
		}
	}
}

// doubt is how long names stay out of the cache whose COMMIT a server may still be doing
// after its connection was lost: longer than a server usually takes for it.
const doubt = time.Minute

// EndInDoubt says that the connection was lost over which the COMMIT was sent, to a server
// that goes on: it may do it later. Nothing that depends on the names is kept for a minute.
func (w Write) EndInDoubt() {
	time.AfterFunc(doubt, func() { w.End(true) })
}

// Touch is Begin and End for what has happened already.
func (v *Versions) Touch(slots ...Slot) { v.Begin(slots).End(true) }
