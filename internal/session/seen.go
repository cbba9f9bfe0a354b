package session

import (
	"github.com/pgchorus/pgchorus/internal/catalog"
)

// A transaction with one snapshot for all of its statements asks the catalogue by that snapshot, too.
// What it is told is everybody's if nothing has changed since before the snapshot was taken.

// seen is the state of the catalogue when such a transaction began; the zero value is no state.
type seen struct {
	generation uint64 // of what is known
	turn       uint64 // of sequence.Habits
	database   uint64 // of the query cache
	rests      bool   // nobody was about to change that
}

// noteSeen is called before the transaction has a snapshot.
func (s *Session) noteSeen() {
	if !keepsSnapshot(s.isolation()) {
		return
	}
	s.tx.seen.generation = s.generation()
	_, s.tx.seen.turn = s.leases().Habits()
	if s.Cache != nil {
		s.tx.seen.database, s.tx.seen.rests = s.Cache.At(s.databaseSlot())
	}
}

// seeOwn is called when something was forgotten that the transaction has changed itself.
func (s *Session) seeOwn(known *catalog.Database) {
	if s.tx.seen.generation+1 == known.Generation() {
		s.tx.seen.generation++
	}
}

// sees tells, before a node is asked about the catalogue, of which generation the answer will be, and
// whether it is everybody's.
func (s *Session) sees(l *link, known *catalog.Database) (generation uint64, shared bool) {
	switch {
	case !l.begun:
		return known.Generation(), true
	case keepsSnapshot(s.isolation()):
		s.noteOutdated(known)
		return s.tx.seen.generation, len(s.tx.ddl) == 0
	}
	return known.Generation(), len(s.tx.ddl) == 0
}

// noteOutdated is called when a transaction is told of the catalogue by an older snapshot than others:
// its statements look up anew what it is not shown. What is made of the answer holds for nobody else.
func (s *Session) noteOutdated(known *catalog.Database) {
	if !s.tx.outdated && s.tx.seen.generation != known.Generation() {
		s.tx.outdated = true
		s.tx.ddl = append(s.tx.ddl, ddl{change: catalog.Change{Nothing: true}})
	}
}

// seesCached is sees for what the query cache is told, at a count of its changes.
func (s *Session) seesCached(database uint64) bool {
	switch {
	case len(s.tx.ddl) > 0:
		return false
	case s.tx.kind == txNone || !keepsSnapshot(s.isolation()):
		return true
	}
	return s.tx.seen.rests && s.tx.seen.database == database
}
