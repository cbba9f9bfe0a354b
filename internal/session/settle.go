package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/wire"
)

// settle ends what a query string or an extended query has begun: it commits the
// implicit transaction, or takes it back, and tells the frontend that we are ready.
func (s *Session) settle(ctx context.Context, ok bool) error {
	return s.settleAt(ctx, ok, holdTag)
}

// tagRule says what becomes of the last command tag while the implicit transaction
// is committed: a query string's comes after the COMMIT, an Execute's before it
// (PostgreSQL, exec_simple_query and exec_execute_message).
type tagRule uint8

const (
	holdTag tagRule = iota
	keepTag
)

func (s *Session) settleAt(ctx context.Context, ok bool, tag tagRule) error {
	if err := s.settleTransaction(ctx, ok, tag); err != nil {
		return err
	}
	s.endAtOnce(ok)
	s.rejoinOthers(ctx)
	if len(s.settings.channels) > 0 {
		s.listenAgain() // before the frontend relies on it
	}
	s.closing = false
	if s.answered {
		s.answered = false
		return s.gone
	}
	s.tellHeard()
	if !s.ack.given {
		s.reply(func(b []byte) []byte { return wire.AppendReady(b, s.tx.status()) })
	}
	s.ack = acknowledgement{}
	if !s.front.HasFrame() {
		s.flush()
	}
	return s.gone
}

func (s *Session) settleTransaction(ctx context.Context, ok bool, tag tagRule) error {
	switch s.tx.kind {
	case txExplicit:
		s.tx.failed = s.tx.failed || !ok
		if !ok && s.tx.ended {
			s.rollback(ctx)
			return nil
		}
		if s.tx.failed {
			s.abortBlock(ctx)
		}
		return nil
	case txImplicit:
		return s.endImplicit(ctx, ok, tag)
	}
	s.leaveBarrier()
	s.tickets.holding.Release()
	return nil
}

// endImplicit commits or rolls back the transaction around statements that the
// frontend has put into no block. If the COMMIT fails, the error takes the place of
// the command tag that the frontend was to be shown.
func (s *Session) endImplicit(ctx context.Context, ok bool, tag tagRule) error {
	if !ok || s.gone != nil {
		s.rollback(ctx)
		return nil
	}
	mark := s.beforeTag
	if tag == keepTag || s.front.SentAfter(mark) {
		s.ack = acknowledgement{may: true}
		_, err := s.commit(ctx)
		return err
	}
	tail := append(s.kept[:0], s.front.Tail(mark)...)
	s.kept = tail
	s.front.Rewind(mark)
	s.ack = acknowledgement{may: true, tail: tail}
	committed, err := s.commit(ctx)
	if committed && !s.ack.given {
		s.front.Append(tail)
	}
	return err
}
