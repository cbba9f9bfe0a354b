package session

import (
	"time"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// txKind says who opened the transaction.
type txKind uint8

const (
	txNone     txKind = iota
	txImplicit        // ours: around statements outside of a block
	txExplicit        // the frontend's BEGIN
)

// noNode stands for no node.
const noNode config.NodeID = -1

// transaction is what this transaction has done so far.
type transaction struct {
	kind   txKind
	failed bool // aborted: only its end is awaited
	// aborted: the nodes that did not meet the error have taken back what it has undone.
	aborted bool
	// ended: a statement that failed has ended the block.
	ended bool
	wrote bool // something was sent to all nodes
	// lostPart: a connection that had a part of it is gone.
	lostPart bool
	begin    string // the text that opens the block on a node
	// isolation is what BEGIN or SET TRANSACTION asked for; empty for the default.
	isolation string
	// owed is why it has failed, as long as the frontend has not been told.
	owed       *pgerr.Error
	savepoints savepoints
	gid        string // of the PREPARE TRANSACTION that is run
	// writer is the one node that has the transaction's writes, in the modes that do not
	// replicate; noNode while there are none.
	writer config.NodeID
	// changed: a statement of it may have changed something.
	changed bool
	// pinned: the main node alone has what later statements may rely on, such as a
	// savepoint or what SET LOCAL has set.
	pinned bool
	// settings: SET was run in it on the main node alone.
	settings  bool
	committed bool // it has ended so
	set       []setNow
	// ddl is what it has changed of the catalogue.
	ddl []ddl
	// opened is what of that others are not shown, as long as it has not ended.
	opened []openChange
	// implied is what operators and casts call, with that.
	implied ownImplied
	// seen is the state of the catalogue that it sees, if it has one snapshot for all that it does.
	seen seen
	// outdated: it was told of the catalogue by an older snapshot than what others have changed.
	outdated bool
	// changes is the catalogue that its COMMIT changes, and change the number of that; nil for none.
	changes *catalog.Database
	change  uint64
	// marks: something that may change data was sent to all nodes.
	marks bool
	// notifies: it has a NOTIFY in it. unpreparable: PREPARE TRANSACTION would refuse it.
	notifies, unpreparable bool
	// serial is the node that knows what a SERIALIZABLE transaction conflicts with; noNode
	// for other transactions.
	serial config.NodeID
	// writes is how many statements all nodes have had of it; changesSchema: one was DDL.
	writes        int
	changesSchema bool
	// defers: it has used SET CONSTRAINTS, or written what may have deferred checks.
	defers bool
	// ranCode: DO or CALL was sent in it.
	ranCode bool
	// numbered: it may have made types or tables that others can see.
	numbered bool
	// single: it was opened for one read of one node.
	single bool
	// readOnly: BEGIN READ ONLY opened it.
	readOnly bool
	// modes are what BEGIN and SET TRANSACTION have asked for beside the isolation.
	modes modes
	// roles: it has changed roles, so kept connections may be to somebody who may no
	// longer come in.
	roles bool
	// touchedRights: rights or settings that were changed in it are what they were before, if
	// it is rolled back.
	touchedRights bool
	locked        map[string]bool // sequences that others may not draw from; nil for none
	relock        []string        // those that were, before it was begun anew
	// habits are those that the transaction alone can see, as of habitsAt changes of ddl.
	habits   *sequence.Habits
	habitsAt int
	inside   bool // has entered the barrier
	// trail is what is known of the rows that it has made on trailOf; nil for nothing.
	trail   *capture.Trail
	trailOf *link
	// cursors is how many have been opened on main to see the rows that were there (capture.Change.WatchSQL).
	cursors  int
	readNode config.NodeID
	at       time.Time // the value of now() in it; zero until it is asked for
}

const plainBegin = "BEGIN"

func (tx *transaction) open(kind txKind, begin, isolation string) {
	tx.reset()
	tx.kind, tx.begin, tx.isolation = kind, begin, isolation
}

// reset makes it that outside of any.
func (tx *transaction) reset() {
	*tx = transaction{readNode: noNode, writer: noNode, serial: noNode}
}

// now is the transaction's time, the same for all of its statements.
func (tx *transaction) now() time.Time {
	if tx.at.IsZero() {
		tx.at = time.Now()
	}
	return tx.at
}

// status is what the frontend is told in ReadyForQuery.
func (tx *transaction) status() wire.TxStatus {
	switch {
	case tx.kind != txExplicit:
		return wire.TxIdle
	case tx.failed:
		return wire.TxFailed
	}
	return wire.TxOpen
}
