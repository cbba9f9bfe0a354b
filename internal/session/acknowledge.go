package session

import (
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// acknowledgement is what the frontend is told of a COMMIT as soon as it is decided
// (commit_mode last_agent, ADR 0027), while the others still carry it out.
type acknowledgement struct {
	// may: behind the COMMIT the frontend is told tail and ReadyForQuery, and nothing else.
	may  bool
	tail []byte
	// given: it has been told.
	given bool
}

// commitTag answers a COMMIT of the frontend's.
const commitTag = "COMMIT"

var commitComplete = wire.AppendCommandComplete(nil, commitTag)

// endsString is for a query string of one statement: its COMMIT is the last thing that the
// frontend waits for.
func (s *Session) endsString(stmt *parser.Statement) {
	if stmt.Kind == parser.Commit && !stmt.Chain {
		s.ack = acknowledgement{may: true, tail: commitComplete}
	}
}

// mayAcknowledge reports whether nobody relies on more than the rows of the transaction. What
// it has changed of the catalogue, all sessions have to know of before the frontend does.
func (s *Session) mayAcknowledge() bool {
	return s.ack.may && s.gone == nil && len(s.tx.ddl) == 0 && !s.tx.roles && !s.tx.touchedRights && !s.tx.numbered && s.tx.locked == nil
}

// acknowledge tells the frontend that its transaction is committed. It does not wait for the
// frontend to read that, since others wait for the nodes that this session has yet to hear.
func (s *Session) acknowledge() {
	s.tellHeard()
	s.reply(func(b []byte) []byte { return wire.AppendReady(append(b, s.ack.tail...), wire.TxIdle) })
	s.ack.given = true
	if s.gone == nil {
		s.gone = s.front.FlushNow()
	}
}
