package session

import (
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// Each writing transaction ends with a mark and COMMIT on every node. The two are
// statements of ours there, in one message with one Sync: parsing and planning the mark takes a
// server as long as to make it.

// autoMark and autoCommit are at the places behind that of autoBegin. The mark has the arguments of a
// Slot's Mark as its parameters, each an int8 (pg_type.dat).
var (
	autoMark = &autoStatement{
		slot: autoSlots + 1, text: "SELECT pgchorus.mark($1::pg_catalog.int4,$2::pg_catalog.int4,$3,$4)", types: []uint32{20, 20, 20, 20},
	}
	autoCommit = &autoStatement{slot: autoSlots + 2, text: "COMMIT"}
)

// endsPrepared reports whether the node's part of the transaction can be ended so. A mark with
// something in front of it or behind it is sent as text, and so is what is not COMMIT.
func (m *marking) endsPrepared(e replicator.Ending, calm bool) bool {
	return m.on && e == replicator.SendCommit && !calm && !m.fresh
}

// appendMarkedCommit ends the node's part of the transaction. The unnamed portal is free: it would not
// outlive the transaction.
func (l *link) appendMarkedCommit() {
	l.appendAutoParse(autoCommit)
	l.appendAutoMark()
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindPlain(b, "", autoCommit.name()) })
	l.append(wire.Expect{What: wire.ExpectExecute, Silent: true}, func(b []byte) []byte { return wire.AppendExecute(b, "") })
	l.unsynced = true
	l.appendSync()
}

// appendAutoMark appends the mark, if the transaction has one.
func (l *link) appendAutoMark() {
	if !l.s.marking.on {
		return
	}
	l.appendAutoParse(autoMark)
	mark := l.s.marking.slot.Mark()
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindIntegers(b, autoMark.name(), mark[:]) })
	l.append(hidden(wire.ExpectExecute), func(b []byte) []byte { return wire.AppendExecute(b, "") })
}

// doubtMarks is called when code has run that may have had the nodes forget prepared statements.
func (s *Session) doubtMarks() {
	for _, l := range s.links {
		if l != nil {
			l.doubtAutos(autoBegin, autoMark, autoCommit)
		}
	}
}
