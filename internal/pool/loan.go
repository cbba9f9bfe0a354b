package pool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound how many sets of connections are lent and kept by transaction pooling. The
// names are PgBouncer's; 0 is no limit.
type Limits struct {
	PerPool     int // default_pool_size: for each user and database
	PerUser     int // max_user_connections
	PerDatabase int // max_db_connections
}

// Loans lends sets for a transaction (pool_mode = transaction). Who finds none waits in a
// queue of its user and database, first come, first served: a set that comes back is handed
// to the one in front, and nobody who comes later overtakes. Safe for concurrent use.
type Loans struct {
	pool   *Pool
	limits func() Limits

	mu        sync.Mutex // guards the fields below, and those of the groups
	groups    map[owner]*group
	users     map[string]int // sets by user, lent and idle
	databases map[string]int
	tickets   uint64
}

// owner is whom a queue and a limit are for.
type owner struct{ user, database string }

// group are the sets of one user and database. The start-up parameters of a set may be others
// than those of the next.
type group struct {
	owner
	open    int    // lent and idle
	idle    []*Set // the one returned longest ago comes first
	waiters []*waiter
	// waiting is len(waiters), for those who only want to know that.
	waiting atomic.Int32
	// remembered is what Remember was given, while a set is open.
	remembered map[Key]any
}

// maxRemembered bounds for how many start-up packets of a user and database something is
// remembered; when there are more, all is forgotten.
const maxRemembered = 100

// waiter is somebody in a queue.
type waiter struct {
	key    Key
	fits   Fits
	ticket uint64
	since  time.Time
	// granted gets the set, once.
	granted chan *Set
}

// Fits says how well an idle set suits a borrower: 0 not at all, and the more the better. It
// must neither block nor use Loans.
type Fits func(*Set) int

// NewLoans lends sets whose connections p knows. limits is asked each time, so that a reload
// changes them.
func NewLoans(p *Pool, limits func() Limits) *Loans {
	l := &Loans{pool: p, limits: limits, groups: map[owner]*group{}, users: map[string]int{}, databases: map[string]int{}}
	p.mu.Lock()
	p.loans = l
	p.mu.Unlock()
	return l
}

// ErrNoLoan is the end of a wait in the queue in which nothing became free.
var ErrNoLoan = errors.New("no connection became free")

// Borrow lends a set, which may be empty, and waits for one until ctx ends. The set comes back
// by Return or Drop.
func (l *Loans) Borrow(ctx context.Context, key Key, fits Fits) (*Set, error) {
	w := &waiter{key: key, fits: fits}
	l.mu.Lock()
	g := l.group(key)
	if len(g.waiters) == 0 {
		set, closing := l.grant(g, w)
		if set != nil {
			l.mu.Unlock()
			l.closeAll(closing)
			return set, nil
		}
		defer l.closeAll(closing) // room for others under a limit that both are at
	}
	l.tickets++
	w.ticket, w.since, w.granted = l.tickets, time.Now(), make(chan *Set, 1)
	g.waiters = append(g.waiters, w)
	g.waiting.Add(1)
	l.mu.Unlock()

	select {
	case set := <-w.granted:
		return set, nil
	case <-ctx.Done():
		return l.giveUp(g, w)
	}
}

// giveUp takes a waiter out of the queue, unless it has been handed a set in this moment.
func (l *Loans) giveUp(g *group, w *waiter) (*Set, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(g.waiters, w)
	if at < 0 {
		return <-w.granted, nil
	}
	g.waiters = slices.Delete(g.waiters, at, at+1)
	g.waiting.Add(-1)
	l.forgetGroup(g)
	return nil, ErrNoLoan
}

func (l *Loans) group(key Key) *group {
	o := owner{key.User, key.Database}
	g := l.groups[o]
	if g == nil {
		g = &group{owner: o}
		l.groups[o] = g
	}
	return g
}

// forgetGroup drops a group that has nothing in it.
func (l *Loans) forgetGroup(g *group) {
	if g.open == 0 && len(g.waiters) == 0 {
		delete(l.groups, g.owner)
	}
}

// grant lends what suits w best: an idle set, or an empty one if there is room, for which an
// idle set of no use to w is closed. nil if w has to wait. l.mu is held; closing is to be
// closed when it is not.
func (l *Loans) grant(g *group, w *waiter) (set *Set, closing []*Set) {
	if at := bestOf(g.idle, w); at >= 0 {
		set = g.idle[at]
		g.idle = slices.Delete(g.idle, at, at+1)
		set.Uses++
		set.Connected = time.Now()
		return set, nil
	}
	for !l.hasRoom(g) {
		victim := l.victim(g)
		if victim == nil {
			return nil, closing
		}
		closing = append(closing, victim)
	}
	set = newSet(w.key)
	set.group = g
	l.count(g, 1)
	return set, closing
}

// bestOf is the idle set that suits best, of those the one used last; -1 if none does.
func bestOf(idle []*Set, w *waiter) int {
	best, at := 0, -1
	for i := len(idle) - 1; i >= 0; i-- {
		if idle[i].Key != w.key {
			continue
		}
		if rank := w.fits(idle[i]); rank > best {
			best, at = rank, i
		}
	}
	return at
}

func (l *Loans) hasRoom(g *group) bool {
	limit := l.limits()
	return below(g.open, limit.PerPool) && below(l.users[g.user], limit.PerUser) && below(l.databases[g.database], limit.PerDatabase)
}

func below(n, limit int) bool { return limit <= 0 || n < limit }

// victim takes out an idle set whose end makes room for g: one of its own, or else one of
// those that share the limit which is reached.
func (l *Loans) victim(g *group) *Set {
	if len(g.idle) > 0 {
		return l.takeIdle(g)
	}
	limit := l.limits()
	if !below(g.open, limit.PerPool) {
		return nil
	}
	byUser := !below(l.users[g.user], limit.PerUser)
	byDatabase := !below(l.databases[g.database], limit.PerDatabase)
	for _, other := range l.groups {
		if len(other.idle) > 0 && (!byUser || other.user == g.user) && (!byDatabase || other.database == g.database) {
			return l.takeIdle(other)
		}
	}
	return nil
}

// takeIdle takes the idle set that was returned longest ago out of its group, for good.
func (l *Loans) takeIdle(g *group) *Set {
	set := g.idle[0]
	g.idle = slices.Delete(g.idle, 0, 1)
	l.count(g, -1)
	return set
}

func (l *Loans) count(g *group, n int) {
	g.open += n
	if l.users[g.user] += n; l.users[g.user] == 0 {
		delete(l.users, g.user)
	}
	if l.databases[g.database] += n; l.databases[g.database] == 0 {
		delete(l.databases, g.database)
	}
}

// Return takes a set back whose connections are as its next borrower may have them.
func (l *Loans) Return(set *Set) {
	set.Disconnected = time.Now()
	l.mu.Lock()
	g := set.group
	g.idle = append(g.idle, set)
	closing := l.serve(g)
	if limit := l.limits(); limit.PerPool > 0 && g.open > limit.PerPool && len(g.idle) > 0 {
		closing = append(closing, l.takeIdle(g)) // the limit was lowered
	}
	l.mu.Unlock()
	l.closeAll(closing)
}

// Drop takes a set back whose connections have been closed.
func (l *Loans) Drop(set *Set) {
	l.mu.Lock()
	g := set.group
	l.count(g, -1)
	closing := l.serve(g)
	l.forgetGroup(g)
	l.mu.Unlock()
	l.closeAll(closing)
}

// serve hands sets to those in front of the queues, first of g's, as far as there are any. Who
// waits in another one may do so for a limit that they share.
func (l *Loans) serve(g *group) (closing []*Set) {
	closing = l.serveGroup(g)
	if limit := l.limits(); limit.PerUser <= 0 && limit.PerDatabase <= 0 {
		return closing
	}
	for _, other := range l.inOrder() {
		closing = append(closing, l.serveGroup(other)...)
	}
	return closing
}

// inOrder are the groups with a queue, by who has waited longest.
func (l *Loans) inOrder() []*group {
	var all []*group
	for _, g := range l.groups {
		if len(g.waiters) > 0 {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b *group) int { return cmp.Compare(a.waiters[0].ticket, b.waiters[0].ticket) })
	return all
}

func (l *Loans) serveGroup(g *group) (closing []*Set) {
	for len(g.waiters) > 0 {
		set, closed := l.grant(g, g.waiters[0])
		closing = append(closing, closed...)
		if set == nil {
			break
		}
		w := g.waiters[0]
		g.waiters = slices.Delete(g.waiters, 0, 1)
		g.waiting.Add(-1)
		w.granted <- set // has room for the one
	}
	return closing
}

func (l *Loans) closeAll(sets []*Set) {
	for _, set := range sets {
		l.pool.CloseSet(set)
	}
}

// Wanted reports whether somebody waits for a set like this one. It takes no lock.
func (l *Loans) Wanted(set *Set) bool { return set.group.waiting.Load() > 0 }

// Remember keeps what a log-in was told, for the next one with the same start-up packet, until the last
// set of its user and database is closed, or all that are idle (CloseIdle).
func (l *Loans) Remember(key Key, what any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[owner{key.User, key.Database}]
	if g == nil {
		return
	}
	if g.remembered == nil || len(g.remembered) >= maxRemembered {
		g.remembered = map[Key]any{}
	}
	g.remembered[key] = what
}

// Remembered returns what Remember was given last; nil for nothing.
func (l *Loans) Remembered(key Key) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g := l.groups[owner{key.User, key.Database}]; g != nil && g.open > 0 {
		return g.remembered[key]
	}
	return nil
}

// CloseIdle closes the idle sets; expired narrows them down, nil is all.
func (l *Loans) CloseIdle(expired func(*Set) bool) {
	var closing []*Set
	l.mu.Lock()
	for _, g := range l.groups {
		if expired == nil {
			g.remembered = nil
		}
		for i := 0; i < len(g.idle); {
			if expired != nil && !expired(g.idle[i]) {
				i++
				continue
			}
			closing = append(closing, g.idle[i])
			g.idle = slices.Delete(g.idle, i, i+1)
			l.count(g, -1)
		}
		closing = append(closing, l.serveGroup(g)...)
		l.forgetGroup(g)
	}
	l.mu.Unlock()
	l.closeAll(closing)
}

// idleSets appends copies of what is known about the idle sets.
func (l *Loans) idleSets(out []Set) []Set {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.groups {
		for _, set := range g.idle {
			out = append(out, set.copied())
		}
	}
	return out
}

// QueueOf is the length of the queue for a key.
func (l *Loans) QueueOf(key Key) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g := l.groups[owner{key.User, key.Database}]; g != nil {
		return len(g.waiters)
	}
	return 0
}
