package session

import (
	"errors"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// This file is the one place where an error becomes something that the frontend
// sees. A pgerr.Error is shown as it is; a server's refusal is passed on as the
// server wrote it; of anything else the frontend learns only that it happened.

// replyError answers a statement with an error.
func (s *Session) replyError(err error) {
	shown := s.shown(err)
	if s.answered {
		s.owe(shown)
		return
	}
	if shown == s.tx.owed {
		s.tx.owed = nil
	}
	s.reply(func(b []byte) []byte { return wire.AppendError(b, shown) })
}

// shown is the part of err that the frontend may see.
func (s *Session) shown(err error) *pgerr.Error {
	var e *pgerr.Error
	if errors.As(err, &e) {
		if e.Err != nil {
			s.log.Debug("answered with an error", zap.Error(e))
		}
		return e
	}
	s.log.Error("internal error", zap.Error(err))
	return pgerr.New(pgerr.InternalError, "internal error in pgchorus").WithHint("The log of pgchorus has the cause.")
}

// tellFatal tells the frontend why its session ends, if it can still be told.
func (s *Session) tellFatal(err error) {
	if s.gone != nil || err == nil || wire.IsFrontendGone(err) {
		return
	}
	var refused *auth.BackendError
	switch {
	case errors.As(err, &refused):
		s.replyRaw(refused.Body)
	case errors.Is(err, errTerminatedByNode):
		s.replyRaw(s.terminated)
	default:
		shown := *s.shown(err)
		shown.Severity = pgerr.SeverityFatal
		s.reply(func(b []byte) []byte { return wire.AppendError(b, &shown) })
	}
	s.boundFarewell()
	s.flush()
}

// replyRaw answers with an error as a server has written it.
func (s *Session) replyRaw(body []byte) {
	if s.answered {
		field := func(f byte) string { return wire.ErrorField(body, f) }
		s.owe(pgerr.New(pgerr.Code(field(wire.FieldCode)), field(wire.FieldMessage)).WithDetail("%s", field(wire.FieldDetail)))
		return
	}
	s.reply(func(b []byte) []byte { return wire.AppendMessage(b, wire.KindErrorResponse, body) })
}

// errTerminatedByNode ends a session one of whose backends was terminated while its
// node lives on; the frontend is shown what the server said.
var errTerminatedByNode = errors.New("backend was terminated by an administrator")

// replyWarning sends a NoticeResponse of severity WARNING.
func (s *Session) replyWarning(code pgerr.Code, message string) {
	if !s.hears(config.LevelWarning) {
		return
	}
	warning := &pgerr.Error{Severity: pgerr.SeverityWarning, Code: code, Message: message}
	s.reply(func(b []byte) []byte { return wire.AppendNotice(b, warning) })
}

// errCancelled is PostgreSQL's answer to a statement that its frontend has cancelled.
func errCancelled() error {
	return pgerr.New(pgerr.QueryCanceled, "canceling statement due to user request")
}

// errFailedTransaction is PostgreSQL's answer to everything but the end of an
// aborted block.
func errFailedTransaction() error {
	return pgerr.New(pgerr.InFailedSQLTransaction,
		"current transaction is aborted, commands ignored until end of transaction block")
}
