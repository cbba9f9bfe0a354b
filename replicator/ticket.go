package replicator

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Tickets decide which statements may be executed on all nodes at once although main orders
// nobody there (decision 0036). Such a statement changes one row, which it finds by its table's
// key, and holds the ticket of that key until it is committed on every node. Everybody else
// who may lock rows of the table claims it, or one key of it, or everything, until his
// transaction ends. The two keep each other out:
//
//   - who wants a ticket and meets a claim goes the usual way, by Execute, without a wait,
//     unless it is the claim of another statement that is alone in its transaction and wants the
//     same key: that one is short, and is waited for;
//   - who claims meets tickets only of statements that are at the nodes now. He waits for them,
//     and no more are given out meanwhile.
//
// So of two who may conflict both go by main, or one begins when the other has ended. Whoever
// waits for a ticket holds nothing yet; and who holds one waits for nobody here. Locks that were
// not foreseen could close a circle all the same: so no wait lasts longer than ticketPatience.
// Two may then be under way that conflict, of which PostgreSQL's locks and the comparison of
// the answers take care: it costs time, not sameness.
//
// One for each database; safe for concurrent use.
type Tickets struct {
	mu         sync.Mutex // guards all that follows, and the Holdings
	everything int        // claims of everything
	atOnce     int        // tickets that are held
	waiting    []*ticketWaiter
	tables     map[TicketTable]*ticketTable
	spare      []*ticketKey
}

// TicketTable is the name of a table, in the schema that it is in.
type TicketTable struct{ Schema, Name string }

// ticketTable is what is held of a table.
type ticketTable struct {
	claims  int // of all of it
	atOnce  int // tickets of its keys
	keys    map[uint64]*ticketKey
	waiting []*ticketWaiter // for atOnce to be 0
}

// ticketKey is what is held of a key. It is kept as long as there is something.
type ticketKey struct {
	atOnce  bool
	brief   int // claims of statements that are alone in their transactions
	lasting int // claims of transactions
	// queue are those who want the ticket, the first first. While there are any, atOnce is
	// set or brief is not 0.
	queue   []*ticketWaiter
	waiting []*ticketWaiter // for atOnce to end, with a claim
}

// ticketWaiter is somebody who waits.
type ticketWaiter struct {
	done    chan struct{} // closed, under the lock, when he waits no more
	granted bool          // he has the ticket, or else a brief claim
}

// ticketPatience bounds a wait. Tickets are held for two round trips and a flush.
const ticketPatience = 2 * time.Second

// maxTicketTables is how many tables are remembered of which nothing is held.
const maxTicketTables = 1024

// TicketOffice has the Tickets of all databases. Safe for concurrent use.
type TicketOffice struct {
	mu        sync.Mutex
	databases map[string]*Tickets
}

// NewTicketOffice returns one with no databases.
func NewTicketOffice() *TicketOffice { return &TicketOffice{databases: map[string]*Tickets{}} }

// Database returns the tickets of a database, which are kept for ever.
func (o *TicketOffice) Database(name string) *Tickets {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.databases[name]
	if t == nil {
		t = NewTickets()
		o.databases[name] = t
	}
	return t
}

// NewTickets returns tickets of which none is held.
func NewTickets() *Tickets { return &Tickets{tables: map[TicketTable]*ticketTable{}} }

// Holding is what one transaction holds of the Tickets of its database. The zero value holds
// nothing. It belongs to one session, and is used again for its next transaction.
type Holding struct {
	tickets    *Tickets
	everything bool
	held       []held
}

// held is a claim or a ticket.
type held struct {
	name  TicketTable
	table *ticketTable
	key   *ticketKey // nil: all of the table
	value uint64     // of the key
	what  holdingKind
}

type holdingKind uint8

const (
	holdsAtOnce holdingKind = iota + 1
	holdsBriefly
	holdsLastingly
)

// maxHeldKeys is how many keys a transaction claims one by one before it claims the table.
const maxHeldKeys = 64

// Use has the holding, which holds nothing, be one of these tickets.
func (h *Holding) Use(t *Tickets) { h.tickets = t }

// AtOnce asks for the ticket of a key, given as a number that two spellings of one key share:
// other keys may share it too. granted: the statement may be executed by ExecuteAtOnce; it
// has claimed the key otherwise. ctx, or what bound makes of it, bounds the wait: an error is
// its end, and nothing is held then.
func (h *Holding) AtOnce(ctx context.Context, name TicketTable, value uint64, bound Bound) (granted bool, err error) {
	t := h.tickets
	t.mu.Lock()
	table := t.table(name)
	key := t.key(table, value)
	switch t.admits(table, key) {
	case goesAtOnce:
		t.grant(table, key)
		granted = true
	case goesByMain:
		key.brief++
	default:
		w := &ticketWaiter{done: make(chan struct{})}
		key.queue = append(key.queue, w)
		t.mu.Unlock()
		err = awaitTicket(ctx, w, bound)
		t.mu.Lock()
		granted, err = t.leaveQueue(key, w, err)
	}
	if err == nil {
		h.keep(held{name, table, key, value, kindOf(granted)})
	} else {
		t.drop(table, key, value)
	}
	t.mu.Unlock()
	return granted, err
}

func kindOf(granted bool) holdingKind {
	if granted {
		return holdsAtOnce
	}
	return holdsBriefly
}

// leaveQueue ends a wait for a ticket. Who has lost his patience goes by main.
func (t *Tickets) leaveQueue(key *ticketKey, w *ticketWaiter, err error) (granted bool, _ error) {
	at := slices.Index(key.queue, w)
	switch {
	case at < 0:
		return w.granted, nil // it was given to him, if only just
	case err != nil:
		key.queue = slices.Delete(key.queue, at, at+1)
		return false, err
	}
	key.queue = slices.Delete(key.queue, at, at+1)
	key.brief++
	return false, nil
}

// Key claims a key of a table for a transaction, before it locks the row.
func (h *Holding) Key(ctx context.Context, name TicketTable, value uint64, bound Bound) error {
	t := h.tickets
	t.mu.Lock()
	if h.everything || h.holds(name, nil) {
		t.mu.Unlock()
		return nil
	}
	table := t.table(name)
	key := t.key(table, value)
	if h.holds(name, key) {
		t.mu.Unlock()
		return nil
	}
	if len(h.held) >= maxHeldKeys {
		t.drop(table, key, value)
		t.mu.Unlock()
		return h.Table(ctx, name, bound)
	}
	key.lasting++
	h.keep(held{name, table, key, value, holdsLastingly})
	w := waitFor(key.atOnce, &key.waiting)
	t.mu.Unlock()
	return awaitTicket(ctx, w, bound)
}

// Table claims all of a table for a transaction, before it locks anything in it.
func (h *Holding) Table(ctx context.Context, name TicketTable, bound Bound) error {
	t := h.tickets
	t.mu.Lock()
	if h.everything || h.holds(name, nil) {
		t.mu.Unlock()
		return nil
	}
	table := t.table(name)
	table.claims++
	h.keep(held{name: name, table: table, what: holdsLastingly})
	w := waitFor(table.atOnce > 0, &table.waiting)
	t.mu.Unlock()
	return awaitTicket(ctx, w, bound)
}

// Everything claims all tables of the database.
func (h *Holding) Everything(ctx context.Context, bound Bound) error {
	t := h.tickets
	t.mu.Lock()
	if h.everything {
		t.mu.Unlock()
		return nil
	}
	t.everything++
	h.everything = true
	w := waitFor(t.atOnce > 0, &t.waiting)
	t.mu.Unlock()
	return awaitTicket(ctx, w, bound)
}

// Yield gives a ticket back for a claim of the same key: the statement was taken back on all
// nodes, and is executed by main's order now.
func (h *Holding) Yield() {
	if len(h.held) == 0 {
		return
	}
	t := h.tickets
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range h.held {
		if it := &h.held[i]; it.what == holdsAtOnce {
			it.what = holdsBriefly
			it.key.brief++
			t.endAtOnce(it.table, it.key)
		}
	}
}

// Release gives everything back, when the transaction has ended on every node.
func (h *Holding) Release() {
	if len(h.held) == 0 && !h.everything {
		return
	}
	t := h.tickets
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.everything {
		t.everything--
		h.everything = false
	}
	for i := range h.held {
		t.release(&h.held[i])
	}
	clear(h.held)
	h.held = h.held[:0]
}

func (t *Tickets) release(it *held) {
	switch {
	case it.key == nil:
		it.table.claims--
		return
	case it.what == holdsAtOnce:
		t.endAtOnce(it.table, it.key)
	case it.what == holdsBriefly:
		it.key.brief--
		t.next(it.table, it.key)
	default:
		it.key.lasting--
	}
	t.drop(it.table, it.key, it.value)
}

// waitFor adds somebody to those who wait, if there is something to wait for; nil if not.
func waitFor(busy bool, waiting *[]*ticketWaiter) *ticketWaiter {
	if !busy {
		return nil
	}
	w := &ticketWaiter{done: make(chan struct{})}
	*waiting = append(*waiting, w)
	return w
}

// keep notes what is held.
func (h *Holding) keep(it held) { h.held = append(h.held, it) }

// holds reports whether the key, or for nil all of the table, is claimed.
func (h *Holding) holds(name TicketTable, key *ticketKey) bool {
	for i := range h.held {
		if it := &h.held[i]; it.key == key && (key != nil || it.name == name) {
			return true
		}
	}
	return false
}

// admission is what becomes of somebody who wants a ticket.
type admission uint8

const (
	waitsForTicket admission = iota
	goesAtOnce
	goesByMain
)

// admits decides; who is in front of the queue has nobody before him.
func (t *Tickets) admits(table *ticketTable, key *ticketKey) admission {
	if key.atOnce || len(key.queue) > 0 {
		return waitsForTicket
	}
	return t.admitsFirst(table, key)
}

// admitsFirst decides where the ticket is not held.
func (t *Tickets) admitsFirst(table *ticketTable, key *ticketKey) admission {
	switch {
	case t.everything > 0, table.claims > 0, key.lasting > 0:
		return goesByMain
	case key.brief > 0:
		return waitsForTicket
	}
	return goesAtOnce
}

func (t *Tickets) grant(table *ticketTable, key *ticketKey) {
	key.atOnce = true
	table.atOnce++
	t.atOnce++
}

// endAtOnce lets those go on who have claimed what a ticket was for.
func (t *Tickets) endAtOnce(table *ticketTable, key *ticketKey) {
	key.atOnce = false
	key.waiting = wake(key.waiting)
	if table.atOnce--; table.atOnce == 0 {
		table.waiting = wake(table.waiting)
	}
	if t.atOnce--; t.atOnce == 0 {
		t.waiting = wake(t.waiting)
	}
	t.next(table, key)
}

// next gives the ticket to the first in the queue, or lets all of them go by main.
func (t *Tickets) next(table *ticketTable, key *ticketKey) {
	for len(key.queue) > 0 && !key.atOnce {
		switch t.admitsFirst(table, key) {
		case waitsForTicket:
			return
		case goesAtOnce:
			t.grant(table, key)
			key.queue[0].granted = true
		case goesByMain:
			key.brief++
		}
		close(key.queue[0].done)
		key.queue = slices.Delete(key.queue, 0, 1)
	}
}

func wake(waiting []*ticketWaiter) []*ticketWaiter {
	for _, w := range waiting {
		close(w.done)
	}
	clear(waiting)
	return waiting[:0]
}

// awaitTicket waits until w waits no more, and not for ever; w is nil if there is nothing to wait
// for.
func awaitTicket(ctx context.Context, w *ticketWaiter, bound Bound) error {
	if w == nil {
		return nil
	}
	if bound != nil {
		bounded, stop := bound(ctx)
		defer stop()
		ctx = bounded
	}
	patience := time.NewTimer(ticketPatience)
	defer patience.Stop()
	select {
	case <-w.done:
	case <-patience.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// table is what is held of a table. One of which nothing is held makes room for another.
func (t *Tickets) table(name TicketTable) *ticketTable {
	it := t.tables[name]
	if it != nil {
		return it
	}
	if len(t.tables) >= maxTicketTables {
		for other, idle := range t.tables {
			if idle.claims == 0 && len(idle.keys) == 0 {
				delete(t.tables, other)
			}
		}
	}
	it = &ticketTable{keys: map[uint64]*ticketKey{}}
	t.tables[name] = it
	return it
}

func (t *Tickets) key(table *ticketTable, value uint64) *ticketKey {
	key := table.keys[value]
	if key != nil {
		return key
	}
	if last := len(t.spare) - 1; last >= 0 {
		key, t.spare = t.spare[last], t.spare[:last]
	} else {
		key = &ticketKey{}
	}
	table.keys[value] = key
	return key
}

// maxSpareKeys is how many keys are kept to be used again.
const maxSpareKeys = 256

// drop forgets a key of which nothing is held.
func (t *Tickets) drop(table *ticketTable, key *ticketKey, value uint64) {
	if key.atOnce || key.brief > 0 || key.lasting > 0 || len(key.queue) > 0 {
		return
	}
	delete(table.keys, value)
	if len(t.spare) < maxSpareKeys {
		t.spare = append(t.spare, key)
	}
}
