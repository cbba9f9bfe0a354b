package lb

import (
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Class is what a statement is to routing.
type Class uint8

// The classes. In the modes that replicate, all but Read go to all nodes; the others
// tell them apart.
const (
	// Write may change what the nodes hold, or take a lock that others wait for: the
	// primary's. It is the zero value, so that what nobody has examined is a write.
	Write Class = iota
	// Read is safe on one node alone.
	Read
	// State changes what the session keeps in its backend, such as a setting, and is
	// allowed on a standby.
	State
	// Control begins or ends a transaction.
	Control
	// Bound changes nothing, but makes or uses what is on the primary alone: a
	// savepoint, a cursor, SET LOCAL, a weak lock, LISTEN.
	Bound
)

func (c Class) String() string {
	switch c {
	case Read:
		return "read"
	case State:
		return "session state"
	case Control:
		return "transaction control"
	case Bound:
		return "bound to the primary"
	}
	return "write"
}

// Traits are what routing asks about a statement.
type Traits struct {
	Class Class
	// MainOnly: a read that the main node answers, for Reason.
	MainOnly bool
	// OnMain: no read, and yet the main node alone does it, for Reason
	// (function_policy).
	OnMain bool
	// Everywhere: a read that its comment sends to all nodes (/*REPLICATION*/).
	Everywhere bool
	// Pins: within a transaction, what it leaves is on the main node only, and later
	// statements of the transaction may rely on it. The session notes it in Txn.Pinned.
	Pins bool
	// EndsFailure: it has a meaning in a transaction that has failed: the end of it, of a
	// part of it, or nothing at all.
	EndsFailure bool
	// Reason is why it is no read, or is MainOnly; None for any other read.
	Reason Reason
	// Name is what Reason speaks of, without the brackets of a function; "" for none.
	Name string

	// Statement is what was examined.
	Statement *parser.Statement
	// For a policy that is Adaptive only:
	bases        []catalog.Name // what views among its relations are made of
	writtenBases int            // so many of them belong to views that it writes to
	anyBase      bool           // a view is made of more than is known
	writer       string         // a function that may write nobody knows what, or ""
}

// why is Reason for what is no read. Traits that nobody has drawn are those of a write.
func (t *Traits) why() Reason {
	if t.Reason == None {
		return Writes
	}
	return t.Reason
}

// String is such as "read" or "write: calls write function f()".
func (t Traits) String() string {
	text := t.Class.String()
	if t.Everywhere {
		text += " everywhere"
	}
	if t.MainOnly {
		text += " on the main node"
	}
	if t.Reason != None {
		text += ": " + t.Reason.About(t.Name)
	}
	return text
}
