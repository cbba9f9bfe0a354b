package session

import (
	"context"
	"time"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// resetTimeout bounds the reset of a session's connections (Pgpool-II: 10 s for the
// whole of reset_query_list).
const resetTimeout = 10 * time.Second

// keepsConnections reports whether the connections may serve another session.
// Pgpool-II keeps none to the databases that others want to copy or drop.
func (s *Session) keepsConnections() bool {
	cfg := s.Config().Pool
	if !cfg.ConnectionCache || s.first() == nil || s.terminated != nil {
		return false
	}
	if cfg.ChildMaxConnections > 0 && s.set.Uses >= cfg.ChildMaxConnections {
		return false
	}
	return !neverKept(s.login.Database)
}

// neverKept names the databases to which no connection outlives its session.
func neverKept(database string) bool {
	switch database {
	case "postgres", "template0", "template1", "regression":
		return true
	}
	return false
}

// reset brings the connections back to how they were after log-in: those that the session has used.
// false means that they have to be closed.
func (s *Session) reset(ctx context.Context) bool {
	deadline := time.Now().Add(resetTimeout)
	for _, l := range s.links {
		if l != nil && l.touched {
			l.conn.SetDeadline(deadline)
			l.begin()
			l.appendReset(s.Config().Pool.ResetQueryList)
		}
	}
	clean := true
	for _, l := range s.links {
		if l != nil && l.touched {
			clean = l.finishReset() && clean
		}
	}
	return clean
}

// appendReset appends reset_query_list. ABORT is left out where there is nothing to
// abort, since the server would warn of it.
func (l *link) appendReset(list []string) {
	l.appendNoAutos()
	l.appendSync()
	for _, query := range list {
		if l.s.isAbort(query) && !l.begun {
			continue
		}
		l.appendQuery(wire.Expect{What: wire.ExpectQuery}, query)
	}
}

func (s *Session) isAbort(query string) bool {
	script := s.Scripts.Script(query)
	return len(script.Statements) == 1 && script.Statements[0].Kind == parser.Rollback
}

// finishReset reads the answers; the connection is usable if all went well.
func (l *link) finishReset() bool {
	if l.conn.Flush() != nil {
		return false
	}
	err := l.conn.Receive(&l.exchange, nil, &l.answer)
	if err != nil || l.answer.Failed() || l.conn.Status != wire.TxIdle {
		return false
	}
	return l.conn.SetDeadline(time.Time{}) == nil
}
