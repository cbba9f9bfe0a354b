package session

import (
	"context"
	"errors"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// executeOne runs the session's work on one node. When the node is lost before the
// frontend was sent anything, the work is done by another; what a standby refuses
// because it is one, or lags, is done by the primary. ok is false when the frontend
// was answered with an error; err ends the session.
func (s *Session) executeOne(ctx context.Context, where target) (ok bool, err error) {
	if err := s.disturbed(ctx); err != nil {
		return s.refuseOrEnd(err)
	}
	if reason := s.torn(); reason != nil {
		return s.refused(reason)
	}
	if where.keeps && s.tx.kind != txNone {
		if err := s.enterBarrier(ctx); err != nil {
			return s.refuseOrEnd(err)
		}
	}
	mark := s.front.Mark()
	for {
		l, err := s.nodeFor(ctx, where)
		if err != nil {
			return s.refuseOrEnd(err)
		}
		if where.once && s.brokeBefore(ctx, l) {
			if reason := s.torn(); reason != nil {
				return s.refused(reason)
			}
			if s.terminated != nil {
				return false, errTerminatedByNode
			}
			continue
		}
		if err := s.readSnapshot(ctx, l); err != nil {
			return s.refuseOrEnd(err)
		}
		if s.link(l.ID()) != l {
			continue // lost while the snapshot was taken
		}
		s.Gate.Caught(l.ID())
		s.noteUse(l, where)
		s.numbers.missed = nil // of a node that was lost under the work
		answer, err := s.runOn(ctx, l)
		switch {
		case err == nil && s.runsAsText(answer, mark):
		case err == nil && s.outgrown(answer) && s.takeBack(mark):
			if g, _ := s.work.(*segment); s.tx.kind != txNone || !g.mayParse() {
				return s.refused(errOutdated())
			}
		case err == nil && s.belongsToPrimary(l, where, answer) && s.takeBack(mark):
			s.endPart(ctx, l)
			where = target{node: s.mainID(), primary: true, once: true}
		case err == nil && s.hasMissed() && !answer.Failed():
			if !s.takeBack(mark) || l == s.main() || where.once {
				s.takeBack(mark)
				return s.refused(errMissed())
			}
			where.node = s.mainID()
		case err == nil:
			ok := !answer.Failed()
			s.noteRun(where, ok)
			s.explainGivenUp(ctx, answer, mark) // its ROLLBACK is answered in the same place
			return ok, s.gone
		case wire.IsFrontendGone(err):
			return false, err
		default:
			if reason := s.repeatAfterLoss(ctx, l, where, mark, err); reason != nil {
				s.takeBack(mark)
				return s.refuseOrEnd(reason)
			}
			s.front.Rewind(mark)
			where.node = noNode
		}
	}
}

// brokeBefore reports whether a connection had broken before a write or a COMMIT was sent
// over it: then it is known that it has not taken effect.
func (s *Session) brokeBefore(ctx context.Context, l *link) bool {
	if l.conn.Quiet() {
		return false
	}
	err := l.conn.Idle(s.sinkOf(l))
	if err != nil {
		s.lost(ctx, l, err)
	}
	return err != nil
}

// noteUse keeps which node has what of the transaction.
func (s *Session) noteUse(l *link, where target) {
	s.ranOn = l.ID()
	if s.tx.kind == txNone {
		return
	}
	switch {
	case where.once && !s.replicates(), where.keeps:
		s.tx.writer = l.ID()
	case !where.primary || s.oneSnapshot():
		s.tx.readNode = l.ID() // not where a single read had to go
	}
}

// noteRun follows what a statement outside of a transaction has written.
func (s *Session) noteRun(where target, ok bool) {
	if !ok && where.primary && s.refusedAsStandby(where) {
		s.Standbys.Recheck() // it may be the primary no more
	}
	if s.tx.kind == txNone && where.once && s.hasPrimary() {
		s.noteWritten()
		s.track.End(s.policy(), s.login.Database, ok, s.Mutations)
	}
}

// refusedAsStandby reports whether the primary has refused to write although the
// transaction may.
func (s *Session) refusedAsStandby(where target) bool {
	l := s.link(s.ranOn)
	return where.once && !s.tx.readOnly && l != nil && l.answer.Code() == string(pgerr.ReadOnlySQLTransaction)
}

// repeatAfterLoss reports a lost node, and says why its work is not done by another;
// nil if it is.
func (s *Session) repeatAfterLoss(ctx context.Context, l *link, where target, mark wire.Mark, cause error) error {
	lost := l.ID()
	s.caching.unknown = s.caching.unknown || where.once
	alive := s.lost(ctx, l, cause)
	if s.terminated != nil {
		return errTerminatedByNode
	}
	return s.cannotRepeat(lost, where, alive, mark, cause)
}

// errAnswered: the frontend has been given a node's own error.
var errAnswered = errors.New("answered with a node's error")

// refuseOrEnd answers with an error of ours; a fatal one ends the session.
func (s *Session) refuseOrEnd(err error) (ok bool, _ error) {
	if errors.Is(err, errAnswered) {
		return false, nil
	}
	var shown *pgerr.Error
	if errors.As(err, &shown) && shown.Severity == pgerr.SeverityError {
		return s.refused(err)
	}
	return false, err
}

// cannotRepeat says why work that was lost with its node is not done by another; nil
// if it is.
func (s *Session) cannotRepeat(id config.NodeID, where target, alive bool, mark wire.Mark, cause error) error {
	switch {
	case s.front.SentAfter(mark):
		return lostWhileAnswering(id, cause)
	case where.once && s.tx.kind != txNone:
		return lostTransaction(id, cause) // nothing of a block is committed before its COMMIT
	case where.once:
		return pgerr.Newf(pgerr.ConnectionFailure, "node %d was lost, whether the statement took effect is not known", id).Wrap(cause)
	case s.tx.writer == id:
		return lostTransaction(id, cause)
	case alive && s.tx.wrote:
		return lostTransaction(id, cause)
	case s.oneSnapshot():
		return lostTransaction(id, cause)
	}
	return nil
}

// torn is why the transaction cannot go on: a node has left, between two of its
// statements, with a part of it that no other has.
func (s *Session) torn() error {
	switch {
	case s.tx.kind == txNone:
		return nil
	case s.tx.writer != noNode && s.link(s.tx.writer) == nil:
		return lostTransaction(s.tx.writer, errLeft)
	case s.oneSnapshot() && s.tx.readNode != noNode && len(s.begun()) == 0:
		return lostTransaction(s.tx.readNode, errLeft)
	}
	return nil
}

var errLeft = errors.New("node has left")

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
		if err := s.pumpCopy(ctx, []*link{l}, nil); err != nil {
			return nil, err
		}
		answer, err = l.Finish(true)
	}
	return answer, err
}

// nodeFor is the link for work of one node.
func (s *Session) nodeFor(ctx context.Context, where target) (*link, error) {
	if where.primary {
		return s.primary(ctx)
	}
	return s.reader(ctx, where.node)
}

// reader is the link to read from: the one that was chosen, or any other when the
// session has none to that node.
func (s *Session) reader(ctx context.Context, id config.NodeID) (*link, error) {
	if l := s.link(id); l != nil {
		return l, nil
	}
	if id != noNode && s.view.Up(id) && (s.tx.kind == txNone || s.hasPrimary()) {
		if err := s.join(ctx, id); err != nil && !s.readElsewhere(id) && s.first() == nil {
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

// anyLink is the first link; with none left, new connections are made, for as long as
// search_primary_node_timeout allows.
func (s *Session) anyLink(ctx context.Context) (*link, error) {
	if l := s.first(); l != nil {
		return l, nil
	}
	if err := s.reconnect(ctx); err != nil {
		return nil, err
	}
	return s.first(), nil
}

func lostWhileAnswering(id config.NodeID, cause error) error {
	return pgerr.Newf(pgerr.ConnectionFailure, "node %d was lost while its answer was under way", id).
		WithDetail("Part of the answer had been sent before.").
		WithHint("Repeat the statement: another node will answer it.").
		Wrap(cause)
}
