package pool

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Queue is what can be seen of the sets of one user and database.
type Queue struct {
	User, Database string
	Lent, Idle     int
	Waiting        int
	// Longest is how long the one in front of the queue has waited.
	Longest time.Duration
}

// Queues lists them by database and user.
func (l *Loans) Queues() []Queue {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Queue
	for _, g := range l.groups {
		q := Queue{User: g.user, Database: g.database, Lent: g.open - len(g.idle), Idle: len(g.idle), Waiting: len(g.waiters)}
		if len(g.waiters) > 0 {
			q.Longest = time.Since(g.waiters[0].since)
		}
		all = append(all, q)
	}
	slices.SortFunc(all, func(a, b Queue) int {
		return cmp.Or(strings.Compare(a.Database, b.Database), strings.Compare(a.User, b.User))
	})
	return all
}
