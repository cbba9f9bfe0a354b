package oidmap

import (
	"sync"

	"github.com/pgchorus/pgchorus/internal/config"
)

// First is the lowest number that objects of users have (FirstNormalObjectId in
// PostgreSQL's access/transam.h).
const First = 16384

// Class is the catalogue that numbers an object.
type Class byte

// The classes whose numbers clients meet.
const (
	Type     Class = 't' // pg_type
	Relation Class = 'r' // pg_class
	Function Class = 'f' // pg_proc
)

// Node is a node from an attach to the next time that it goes out of service.
type Node struct {
	ID   config.NodeID
	Life uint64
}

// Object is an object as one node numbers it.
type Object struct {
	Class Class
	Node  Node
	OID   uint32
}

// maxNumbers bounds what is kept of one database. When there is more everything is
// forgotten, which costs time only.
const maxNumbers = 200_000

// entry is an object with its numbers on the nodes. It does not change once it is shown.
type entry struct {
	kind Kind
	at   []numbered
}

// numbered is an object on one node.
type numbered struct {
	node     Node
	oid, sub uint32
}

func (e *entry) on(node Node) (numbered, bool) {
	for _, n := range e.at {
		if n.node == node {
			return n, true
		}
	}
	return numbered{}, false
}

// Database is what is known of the objects of one database. It is safe for concurrent use.
type Database struct {
	mu     sync.RWMutex // guards the fields below
	byOID  map[Object]*entry
	listed map[Node]listed
}

// listed is how far the objects of a node were listed.
type listed struct {
	complete bool
	highest  uint32 // number of an object that is known of the other nodes too
}

func newDatabase() *Database {
	return &Database{byOID: map[Object]*entry{}, listed: map[Node]listed{}}
}

// Number is the number that the object has on another node.
func (d *Database) Number(object Object, to Node) (uint32, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	e, ok := d.byOID[object]
	if !ok {
		return 0, false
	}
	n, ok := e.on(to)
	return n.oid, ok
}

// kind says what values of a type look like, and of which type they are made, as the node
// numbers it.
func (d *Database) kind(object Object) (kind Kind, sub uint32, known bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	e, ok := d.byOID[object]
	if !ok {
		return Scalar, 0, false
	}
	n, _ := e.on(object.Node)
	return e.kind, n.sub, true
}

// Listed says how far the objects of a node were listed: new ones are to be looked for
// above highest. complete is false also where there are too many to list.
func (d *Database) Listed(node Node) (highest uint32, complete, known bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	l, known := d.listed[node]
	return max(l.highest, First-1), l.complete, known
}

// LearnAll keeps what all nodes have listed of what is new.
func (d *Database) LearnAll(said ...Listing) {
	complete := true
	for _, l := range said {
		complete = complete && len(l.Rows) <= MaxListed
	}
	if complete {
		d.Learn(said...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range said {
		now := d.listed[l.Node]
		_, before := d.listed[l.Node]
		now.complete = complete && (now.complete || !before)
		for _, row := range l.Rows {
			e := d.byOID[Object{Class(row.identity[0]), l.Node, row.OID}]
			if e != nil && len(e.at) >= len(said) {
				now.highest = max(now.highest, row.OID)
			}
		}
		d.listed[l.Node] = now
	}
}

// Learn keeps what nodes have said of the same objects.
func (d *Database) Learn(said ...Listing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := map[string]*entry{}
	for _, l := range said {
		for _, row := range l.Rows {
			e := found[row.identity]
			if e == nil {
				e = &entry{kind: row.kind}
				found[row.identity] = e
			}
			if _, twice := e.on(l.Node); !twice {
				e.at = append(e.at, numbered{l.Node, row.OID, row.sub})
			}
		}
	}
	for identity, e := range found {
		d.keep(Class(identity[0]), e)
	}
}

// keep makes an object known, with what was known of it on other nodes.
func (d *Database) keep(class Class, e *entry) {
	if len(d.byOID)+len(e.at) > maxNumbers {
		clear(d.byOID)
	}
	for _, n := range e.at {
		old := d.byOID[Object{class, n.node, n.oid}]
		if old == nil {
			continue
		}
		for _, m := range old.at {
			if _, known := e.on(m.node); !known {
				e.at = append(e.at, m)
			}
		}
	}
	for _, n := range e.at {
		d.byOID[Object{class, n.node, n.oid}] = e
	}
}

// Knows reports whether there is such an object.
func (d *Database) Knows(object Object) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byOID[object] != nil
}

// Adopt gives an object that came after a node was lost a number among those of the lost
// one: the number that it has on another. false: another object has it.
func (d *Database) Adopt(object Object, lost Node) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if taken := d.byOID[Object{object.Class, lost, object.OID}]; taken != nil {
		_, same := taken.on(object.Node)
		return same && d.byOID[object] == taken
	}
	old := d.byOID[object]
	e := &entry{}
	if old != nil {
		e.kind, e.at = old.kind, append(e.at, old.at...)
		if _, has := e.on(lost); has {
			return false
		}
	} else {
		e.at = append(e.at, numbered{node: object.Node, oid: object.OID})
	}
	n, _ := e.on(object.Node)
	e.at = append(e.at, numbered{lost, object.OID, n.sub})
	for _, n := range e.at {
		d.byOID[Object{object.Class, n.node, n.oid}] = e
	}
	return true
}
