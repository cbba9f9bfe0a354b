package follow

import (
	"bytes"
	"time"

	"github.com/pgchorus/pgchorus/cache"
)

// maxNames bounds how many relations of one transaction are told apart; more than that are
// the whole database.
const maxNames = 1000

// disbelief is longer than a COMMIT usually takes.
const disbelief = time.Minute

// transaction gathers what a transaction has changed, each relation once.
type transaction struct {
	slots map[cache.Slot]struct{}
	// last is the head of the last change, which many more of the same relation may follow.
	last []byte
	// whole: everything in the database may have changed.
	whole bool
	// ours: it went through this process, which has counted it up already.
	ours bool
}

func (t *transaction) reset() {
	clear(t.slots)
	t.last, t.whole, t.ours = t.last[:0], false, false
}

// gatherer turns the lines of a stream into transactions.
type gatherer struct {
	slotOf func(relation string) cache.Slot
	whole  cache.Slot // of the database
	// utf8: names are in the encoding that the cache knows them in.
	utf8 bool
	// believed is when transactions of this process are taken for what the process knows of
	// them again: one whose COMMIT was sent before definitions changed may have done more.
	believed time.Time
	// mark is in the row by which a transaction of this process marks itself; empty for none.
	mark []byte

	tx transaction
}

// take takes the next line of a transaction.
func (g *gatherer) take(l line) {
	switch l.kind {
	case kindBegin:
		g.tx.reset()
	case kindMessage:
		g.tx.whole = g.tx.whole || l.tellsDefinition()
	case kindChange:
		if len(l.head) > 0 && bytes.Equal(l.head, g.tx.last) {
			return
		}
		g.tx.last = append(g.tx.last[:0], l.head...)
		g.change(l)
	}
}

func (g *gatherer) change(l line) {
	names, ok := l.names()
	if !ok {
		g.tx.whole = true
		return
	}
	for _, n := range names {
		if n.schema == schemaName && n.relation == markTable {
			g.tx.ours = g.tx.ours || len(g.mark) > 0 && bytes.Contains(l.rest, g.mark)
			continue
		}
		if !g.utf8 && !isASCII(n.relation) {
			g.tx.whole = true
			continue
		}
		if g.tx.slots == nil {
			g.tx.slots = map[cache.Slot]struct{}{}
		}
		g.tx.slots[g.slotOf(n.relation)] = struct{}{}
	}
	g.tx.whole = g.tx.whole || len(g.tx.slots) > maxNames
}

// changed are the counters of what the transaction has changed, none if it is one of ours.
func (g *gatherer) changed() []cache.Slot {
	switch {
	case g.tx.ours && time.Now().After(g.believed):
		return nil
	case g.tx.whole:
		if !g.tx.ours {
			g.believed = time.Now().Add(disbelief)
		}
		return []cache.Slot{g.whole}
	}
	slots := make([]cache.Slot, 0, len(g.tx.slots))
	for slot := range g.tx.slots {
		slots = append(slots, slot)
	}
	return slots
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
