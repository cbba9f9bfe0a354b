package session

import (
	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

var _ backend.Sink = (*Session)(nil)

// Take passes a backend's message on to the frontend. It is held in the outbox for
// as long as it fits, so that a statement can be repeated on another node, or its
// success be taken back, while the frontend has seen nothing.
//
// A frontend that has gone must not look like a node that has: it is remembered,
// and what is still to come is dropped.
func (s *Session) Take(c *backend.Conn, kind wire.Kind, total int, e *wire.Expect) error {
	if e.Tail && (kind == wire.KindDataRow || kind == wire.KindRowDescription) {
		return s.takeTail(c, kind, total, e)
	}
	if s.gone != nil {
		return c.Discard(total)
	}
	if len(s.numbers.missed) > 0 {
		return c.Discard(total)
	}
	switch kind {
	case wire.KindRowDescription, wire.KindNoData:
		return s.takeColumns(c, total, e)
	case wire.KindCommandComplete:
		s.passNotices()
		if s.warning != "" {
			s.replyWarning(pgerr.NoActiveSQLTransaction, s.warning)
			s.warning = ""
		}
		s.beforeTag = s.front.Mark()
	case wire.KindNoticeResponse, wire.KindParameterDescription:
		return s.takeChanged(c, kind, total, e)
	}
	return s.takeBytes(c, total)
}

// passNotices passes on what functions had to say that main was asked for beforehand.
func (s *Session) passNotices() {
	if len(s.notices) > 0 {
		s.pass(s.notices)
		s.notices = s.notices[:0]
	}
}

// takeBytes passes a message on unchanged, a long one in pieces.
func (s *Session) takeBytes(c *backend.Conn, total int) error {
	if wire.Whole(total) {
		frame, err := c.Next(total)
		if err != nil {
			return err
		}
		s.pass(frame)
		return nil
	}
	return c.Pieces(total, func(piece []byte) error {
		s.pass(piece)
		return nil
	})
}

// pass appends bytes for the frontend. What waits there is written before the outbox
// would outgrow its buffer.
func (s *Session) pass(b []byte) {
	if s.front.Pending()+len(b) > wire.OutboxSize {
		s.flush()
	}
	if s.gone == nil {
		s.front.Append(b)
	}
}

// takeChanged passes on what tells of the text that we sent rather than of the
// frontend's.
func (s *Session) takeChanged(c *backend.Conn, kind wire.Kind, total int, e *wire.Expect) error {
	frame, err := c.Next(total)
	if err != nil {
		return err
	}
	if kind == wire.KindNoticeResponse {
		s.takeNotice(c, frame, e)
		return nil
	}
	at := len(s.front.Outbox())
	if e.Params > 0 {
		s.front.SetOutbox(wire.AppendParamsWithout(s.front.Outbox(), frame, e.Params-1))
	} else {
		s.front.SetOutbox(append(s.front.Outbox(), frame...))
	}
	s.takeParameters(c, wire.Frame(s.front.Outbox()[at:]).Body(), e)
	return nil
}

// takeNotice passes a notice on, at once if the node has nothing more to say yet: a server
// does not let it wait for the end of the statement either. It does not count as sent, so
// that the statement can still be repeated; then the frontend hears the notice twice. Behind
// a part of the answer it waits.
func (s *Session) takeNotice(c *backend.Conn, notice wire.Frame, e *wire.Expect) {
	s.front.SetOutbox(wire.AppendPlaced(s.front.Outbox(), notice, e))
	s.caching.record.spoiled = true
	if s.tentative || s.autoWork() != nil || c.Buffered() > 0 || !wire.OnlyNotices(s.front.Outbox()) {
		return
	}
	if err := s.front.FlushAside(s.front.Mark() - wire.Mark(s.front.Pending())); err != nil {
		s.gone = err
	}
}

// hear keeps a notification of the main node's; those of the others say the same. It may
// come while the node is asked something of ours, so it waits for the next ReadyForQuery.
// The frontend knows its own process by the number that we gave it.
func (l *link) hear(frame wire.Frame) {
	if s := l.s; l == s.main() {
		s.heard = wire.AppendNotification(s.heard, frame, l.conn.PID(), s.process)
	}
}

// tellHeard passes on the notifications that have come.
func (s *Session) tellHeard() {
	if len(s.heard) > 0 {
		s.pass(s.heard)
		s.heard = s.heard[:0]
	}
}

// Fail passes on a backend's error. At the end of a transaction it waits until all
// nodes have spoken: what one refuses, another may have confirmed.
func (s *Session) Fail(frame wire.Frame, e *wire.Expect) error {
	if s.gone == nil && !s.ending {
		s.passNotices()
		if refusal := s.takeRefusal(frame); refusal != nil {
			s.replyError(refusal)
			return nil
		}
		s.front.SetOutbox(wire.AppendPlaced(s.front.Outbox(), s.inOwnNames(frame), e))
	}
	return nil
}

// flush writes to the frontend and remembers when it has gone.
func (s *Session) flush() {
	if s.gone != nil {
		return
	}
	if s.caching.record.on {
		s.tee()
	}
	if err := s.front.Flush(); err != nil {
		s.gone = err
	}
}

// reply appends an encoded message for the frontend.
func (s *Session) reply(encode func([]byte) []byte) {
	if s.gone == nil {
		s.front.SetOutbox(encode(s.front.Outbox()))
	}
}

func (s *Session) replyTag(tag string) {
	s.beforeTag = s.front.Mark()
	s.reply(func(b []byte) []byte { return wire.AppendCommandComplete(b, tag) })
}

func (s *Session) replyEmpty(kind wire.Kind) {
	s.reply(func(b []byte) []byte { return wire.AppendEmpty(b, kind) })
}
