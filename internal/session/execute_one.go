package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// executeOne runs the session's work on one node. When the node is lost before the
// frontend was sent anything, the work is done by another. ok is false when the
// frontend was answered with an error; err ends the session.
func (s *Session) executeOne(ctx context.Context, where target) (ok bool, err error) {
	mark := s.front.Mark()
	id := where.node
	for {
		l, err := s.reader(ctx, id)
		if err != nil {
			return false, err
		}
		s.tx.readNode = l.ID()
		s.tx.alone = s.tx.alone || where.once
		answer, err := s.runOn(ctx, l)
		if err == nil {
			return !answer.Failed(), s.gone
		}
		if wire.IsFrontendGone(err) {
			return false, err
		}
		lost := l.ID()
		alive := s.lost(ctx, l, err)
		if s.terminated != nil {
			return false, errTerminatedByNode
		}
		if reason := s.cannotRepeat(lost, where, alive, mark, err); reason != nil {
			s.takeBack(mark)
			return s.refused(reason)
		}
		s.front.Rewind(mark)
		id = noNode
	}
}

// cannotRepeat says why work that was lost with its node is not done by another; nil
// if it is.
func (s *Session) cannotRepeat(id config.NodeID, where target, alive bool, mark wire.Mark, cause error) error {
	switch {
	case s.front.SentAfter(mark):
		return lostWhileAnswering(id, cause)
	case where.once:
		return pgerr.Newf(pgerr.ConnectionFailure, "node %d was lost, whether the statement took effect is not known", id).Wrap(cause)
	case s.tx.alone:
		return lostTransaction(id, cause)
	case alive && s.tx.wrote:
		return lostTransaction(id, cause)
	case s.oneSnapshot():
		return lostTransaction(id, cause)
	}
	return nil
}

// lostTransaction is told when a node took a part of the transaction with it that no
// other node has.
func lostTransaction(id config.NodeID, cause error) error {
	return pgerr.Newf(pgerr.SerializationFailure, "connection to node %d was lost, the transaction is rolled back", id).
		WithHint("The transaction might succeed if retried.").Wrap(cause)
}

// runOn sends the work to a node and passes on what it answers; a COPY FROM STDIN
// gets its data on the way.
func (s *Session) runOn(ctx context.Context, l *link) (*wire.Answer, error) {
	if err := l.Start(true); err != nil {
		return nil, err
	}
	answer, err := l.Finish(true)
	for err == nil && answer.CopyIn {
		if err := s.pumpCopy(ctx, []*link{l}); err != nil {
			return nil, err
		}
		answer, err = l.Finish(true)
	}
	return answer, err
}

// reader is the link to read from: the one that was chosen, or any other when the
// session has none to that node.
func (s *Session) reader(ctx context.Context, id config.NodeID) (*link, error) {
	if l := s.link(id); l != nil {
		return l, nil
	}
	if id != noNode && s.view.Up(id) && s.tx.kind == txNone {
		if err := s.join(ctx, id); err != nil && s.main() == nil {
			return nil, err
		}
	}
	if l := s.link(id); l != nil {
		return l, nil
	}
	if l := s.link(s.lb); l != nil {
		return l, nil
	}
	return s.anyLink(ctx)
}

// anyLink is main's link; with none left, new connections are made, for as long as
// search_primary_node_timeout allows.
func (s *Session) anyLink(ctx context.Context) (*link, error) {
	if l := s.main(); l != nil {
		return l, nil
	}
	if err := s.reconnect(ctx); err != nil {
		return nil, err
	}
	return s.main(), nil
}

func lostWhileAnswering(id config.NodeID, cause error) error {
	return pgerr.Newf(pgerr.ConnectionFailure, "node %d was lost while its answer was under way", id).
		WithDetail("Part of the answer had been sent before.").
		WithHint("Repeat the statement: another node will answer it.").
		Wrap(cause)
}
