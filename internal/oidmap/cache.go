package oidmap

import (
	"sync"

	"github.com/pgchorus/pgchorus/internal/config"
)

// maxDatabases bounds how many databases are known. When there are more, all are
// forgotten.
const maxDatabases = 1024

// Cache holds a Database for each database of the cluster. It is safe for concurrent use.
type Cache struct {
	mu        sync.Mutex // guards the fields below
	databases map[string]*Database
	lives     map[config.NodeID]uint64
}

// New returns an empty cache.
func New() *Cache {
	return &Cache{databases: map[string]*Database{}, lives: map[config.NodeID]uint64{}}
}

// Database is what is known of the objects of a database. A session may keep it.
func (c *Cache) Database(name string) *Database {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.databases[name]
	if d == nil {
		if len(c.databases) >= maxDatabases {
			clear(c.databases)
		}
		d = newDatabase()
		c.databases[name] = d
	}
	return d
}

// Node is the node as it is now.
func (c *Cache) Node(id config.NodeID) Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Node{id, c.lives[id]}
}

// Left is to be called when a node goes out of service: if it comes back, it may have been
// made anew, and number everything otherwise.
func (c *Cache) Left(id config.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives[id]++
}
