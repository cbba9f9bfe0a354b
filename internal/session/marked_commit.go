package session

import (
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// Each writing transaction ends with a mark and COMMIT on every node. The two are
// statements of ours there, in one message with one Sync: parsing and planning the mark takes a
// server as long as to make it.

// names of our own on a node.
const (
	markStatement   = "pgchorus_mark"
	commitStatement = "pgchorus_commit"
)

// markText has the arguments of a Slot's Mark as its parameters.
const markText = "SELECT pgchorus.mark($1::pg_catalog.int4,$2::pg_catalog.int4,$3,$4)"

// markTypes are those of markText: int8 (pg_type.dat).
var markTypes = []uint32{20, 20, 20, 20}

// endsPrepared reports whether the node's part of the transaction can be ended so. A mark with
// something in front of it or behind it is sent as text, and so is what is not COMMIT.
func (m *marking) endsPrepared(e replicator.Ending, calm bool) bool {
	return m.on && e == replicator.SendCommit && !calm && !m.fresh
}

// appendMarkedCommit ends the node's part of the transaction. The unnamed portal is free: it would not
// outlive the transaction.
func (l *link) appendMarkedCommit() {
	hidden := func(what wire.ExpectKind) wire.Expect { return wire.Expect{What: what, Hide: true} }
	if !l.marks {
		l.marks = true
		l.appendKept(markStatement, markText, markTypes)
		l.appendKept(commitStatement, "COMMIT", nil)
	}
	mark := l.s.marking.slot.Mark()
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindIntegers(b, markStatement, mark[:]) })
	l.append(hidden(wire.ExpectExecute), func(b []byte) []byte { return wire.AppendExecute(b, "") })
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindPlain(b, "", commitStatement) })
	l.append(wire.Expect{What: wire.ExpectExecute, Silent: true}, func(b []byte) []byte { return wire.AppendExecute(b, "") })
	l.unsynced = true
	l.appendSync()
}

// appendKept prepares a statement of ours that the node keeps, in the place of one that may be
// there from before.
func (l *link) appendKept(name, text string, types []uint32) {
	hidden := func(what wire.ExpectKind) wire.Expect { return wire.Expect{What: what, Hide: true} }
	l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', name) })
	l.append(hidden(wire.ExpectParse), func(b []byte) []byte { return wire.AppendParse(b, name, text, types) })
}

// appendNoMarks closes them, before somebody looks at the node's list.
func (l *link) appendNoMarks() {
	if !l.marks {
		return
	}
	l.marks = false
	for _, name := range []string{markStatement, commitStatement} {
		l.append(wire.Expect{What: wire.ExpectClose, Hide: true}, func(b []byte) []byte { return wire.AppendClose(b, 'S', name) })
	}
	l.unsynced = true
}

// doubtMarks is called when code has run that may have had the nodes forget prepared statements.
func (s *Session) doubtMarks() {
	for _, l := range s.links {
		if l != nil {
			l.marks = false
		}
	}
}

// forgetOwn is called when somebody has had the node forget all prepared statements.
func (l *link) forgetOwn() {
	clear(l.autos)
	l.marks = false
}
