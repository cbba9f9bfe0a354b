package catalog

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// maxDatabases bounds how many databases facts are kept of.
const maxDatabases = 1024

// Cache holds a Database for each database of the cluster. It is safe for concurrent
// use; looking up takes no lock.
type Cache struct {
	size   int
	expire time.Duration
	now    func() time.Time

	databases atomic.Pointer[map[string]*Database] // the map never changes
	mu        sync.Mutex                           // held to replace it
}

// New returns an empty cache that keeps up to size facts of each kind in each
// database (relcache_size, at least 1) for the time expire (relcache_expire; 0 is for
// ever). now is the clock; nil is time.Now.
func New(size int, expire time.Duration, now func() time.Time) *Cache {
	if now == nil {
		now = time.Now
	}
	c := &Cache{size: max(size, 1), expire: max(expire, 0), now: now}
	c.databases.Store(&map[string]*Database{})
	return c
}

// Database returns what is known of a database, which may be nothing yet. It is to be
// asked for again for each statement: a database that was not in use is given up when
// there are too many, and from then on the old one stays empty.
func (c *Cache) Database(name string) *Database {
	d, ok := (*c.databases.Load())[name]
	if !ok {
		d = c.add(name)
	}
	markUsed(&d.used)
	return d
}

// add makes a database known, unless another session has been faster.
func (c *Cache) add(name string) *Database {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.databases.Load()
	if d, ok := old[name]; ok {
		return d
	}
	next := maps.Clone(old)
	if len(next) >= maxDatabases {
		giveUpOne(next)
	}
	d := newDatabase(c.size, c.expire, c.now)
	next[name] = d
	c.databases.Store(&next)
	return d
}

// giveUpOne takes out a database that nobody has looked up since it was last spared,
// or any if all are in use.
func giveUpOne(databases map[string]*Database) {
	var victim string
	for name, d := range databases {
		victim = name
		if !d.used.Swap(false) {
			break
		}
	}
	databases[victim].drop()
	delete(databases, victim)
}

// Forget drops all facts of all databases, because of a change that is not within
// one database, such as DROP DATABASE, or because the nodes hold other data than
// before.
func (c *Cache) Forget() {
	for _, d := range *c.databases.Load() {
		d.Forget()
	}
}
