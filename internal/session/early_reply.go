package session

import (
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// Inside of a block the frontend is answered when main has done its statement and the others
// have been sent it (early_reply). The session waits for them all the same before it reads
// the next message: while the frontend thinks, mostly. What becomes known only then fails
// the transaction: the frontend is told with its next statement, or at COMMIT.

// changesRows reports whether a statement's answer may be given early: others change what
// later ones mean.
func changesRows(kind parser.Kind) bool {
	switch kind {
	case parser.Insert, parser.Update, parser.Delete, parser.Merge:
		return true
	}
	return false
}

// mayReplyEarly reports whether the work that comes next ends what the frontend has sent,
// and is such that it can be answered early.
func (s *Session) mayReplyEarly() bool {
	return s.closing && s.tx.kind == txExplicit && s.care == nil && !s.drew.taken && len(s.settings.channels) == 0 &&
		s.config().Replication.EarlyReply
}

// replyEarly tells the frontend that its statement is done. If it has sent more already, it
// has not been waiting.
func (s *Session) replyEarly() {
	if s.front.HasFrame() || s.hasMissed() || !s.running.settleCancel() {
		return
	}
	s.tellHeard()
	s.reply(func(b []byte) []byte { return wire.AppendReady(b, s.tx.status()) })
	s.flush()
	s.answered = true
}

// settleCancel has no cancel hit the statement any more; false if one has.
func (r *running) settleCancel() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered = !r.cancelled
	return r.answered
}

// owe keeps an error of a statement that the frontend believes to have succeeded.
func (s *Session) owe(err *pgerr.Error) {
	if s.tx.owed == nil {
		s.tx.owed = err
	}
}

// failedTransaction is why a statement is refused in a block that has failed.
func (s *Session) failedTransaction() error {
	if s.tx.owed != nil {
		return s.tx.owed
	}
	return errFailedTransaction()
}
