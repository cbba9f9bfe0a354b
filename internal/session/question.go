package session

import (
	"bytes"
	"context"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// A question of ours is a part of the statement that it is asked for, and may wait: the server
// locks a relation to tell of its defaults, its rules and the text of a view. So a cancel reaches it,
// and what comes of it for a reason that lies outside of the question is what comes of the statement,
// which is not run on a guess.

// question is ask for what the catalogue is asked on a session's own connection, under the
// session's own settings. With enable_seqscan = off and its relatives the server takes such a query
// for so expensive that it compiles it, which takes seconds; so it is told not to.
func (l *link) question(query string) ([]string, error) {
	const plain = "SET LOCAL jit = off;"
	if l.conn.Status == wire.TxIdle {
		return l.askRunning(plain + query) // several statements are a transaction
	}
	return l.askRunning("SAVEPOINT pgchorus_question;" + plain + query + ";ROLLBACK TO SAVEPOINT pgchorus_question;RELEASE SAVEPOINT pgchorus_question")
}

// askOf asks a question, and drops a connection that broke under it: who needs the node finds out why.
func (s *Session) askOf(l *link, query string) ([]string, error) {
	rows, err := l.question(query)
	if err != nil && !l.answer.Failed() {
		s.dropLink(l)
	}
	return rows, err
}

// besides asks the node something behind the work at hand, whose answer stays as it is.
func (l *link) besides(ask func()) {
	answer := l.answer
	l.answer = wire.Answer{}
	ask()
	l.answer = answer
}

// askRunning is ask for what is a part of the statement that runs.
func (l *link) askRunning(query string) ([]string, error) {
	l.s.running.add(l)
	rows, err := l.ask(query)
	l.s.running.remove(l)
	if l.answer.Failed() && (l.conn.Status == wire.TxFailed || isDisturbance(l.answer.Code())) {
		l.s.unanswered = bytes.Clone(l.answer.Err)
	}
	return rows, err
}

// isDisturbance reports whether an error says nothing of what was asked: a cancel or a
// timeout, a deadlock.
func isDisturbance(code string) bool {
	switch pgerr.Code(code) {
	case pgerr.QueryCanceled, pgerr.LockNotAvailable, pgerr.DeadlockDetected, pgerr.SerializationFailure:
		return true
	}
	return false
}

// disturbed ends a statement about which a question was not answered, as its frontend is
// told; nil if there is none.
func (s *Session) disturbed(ctx context.Context) error {
	if s.unanswered == nil {
		return nil
	}
	body := s.unanswered
	s.unanswered = nil
	return s.replyFailure(ctx, body)
}

// replyFailure tells the frontend of a node's error that a question of ours has met, and
// of why it was cancelled, if that was not the frontend's own doing. It returns errAnswered.
func (s *Session) replyFailure(ctx context.Context, body []byte) error {
	if err := s.deadlocked(wire.ErrorField(body, wire.FieldCode) == string(pgerr.QueryCanceled)); err != nil {
		s.letGo(ctx)
		s.replyError(err)
		return errAnswered
	}
	s.replyRaw(wire.WithoutPosition(body))
	return errAnswered
}
