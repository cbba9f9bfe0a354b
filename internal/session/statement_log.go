package session

import (
	"fmt"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// What operators and their tools look for in the log is in the words of Pgpool-II.

// logStatement is log_statement.
func (s *Session) logStatement(sql string) {
	if s.config().Log.LogStatement {
		s.log.Info("statement: " + sql)
	}
}

// noteSent counts a statement that the node is sent, and tells where it goes
// (log_per_node_statement, notice_per_node_statement).
func (l *link) noteSent(kind parser.Kind, sql string) {
	s := l.s
	s.Counters.sent(l.ID(), kind)
	cfg := &s.config().Log
	if cfg.LogPerNodeStatement {
		s.log.Info(fmt.Sprintf("DB node id: %d backend pid: %d statement: %s", l.ID(), l.conn.PID(), sql))
	}
	if cfg.NoticePerNodeStatement && s.hears(config.LevelNotice) {
		notice := &pgerr.Error{Severity: pgerr.SeverityNotice, Code: pgerr.SuccessfulCompletion,
			Message: fmt.Sprintf("DB node id: %d statement: %s", l.ID(), sql)}
		s.reply(func(b []byte) []byte { return wire.AppendNotice(b, notice) })
	}
}

// hears reports whether the frontend wants messages of ours of that level
// (client_min_messages).
func (s *Session) hears(level config.LogLevel) bool {
	return clientRank(level) >= clientRank(s.config().Log.ClientMinMessages)
}

// clientRank orders the levels as client_min_messages does.
func clientRank(level config.LogLevel) int {
	switch level {
	case config.LevelLog:
		return 1
	case config.LevelInfo, config.LevelNotice:
		return 2
	case config.LevelWarning:
		return 3
	case config.LevelError, config.LevelFatal, config.LevelPanic:
		return 4
	}
	return 0 // the levels for debugging
}

// signLog has the lines of the log name the session, as far as it is known by now.
func (s *Session) signLog() { s.log = s.Log.WithLazy(zap.Inline(s)) }

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (s *Session) MarshalLogObject(line zapcore.ObjectEncoder) error {
	line.AddString(logkey.Frontend, s.front.NetConn().RemoteAddr().String())
	if s.login.User != "" {
		line.AddString(logkey.User, s.login.User)
		line.AddString(logkey.Database, s.login.Database)
	}
	if s.id != 0 {
		line.AddUint32(logkey.Session, s.id)
	}
	return nil
}

// logConnection is log_connections.
func (s *Session) logConnection() {
	if s.Config().Log.LogConnections {
		s.log.Info("connection authorized", zap.String("application_name", s.params["application_name"]))
	}
}

// logDisconnection is log_disconnections.
func (s *Session) logDisconnection() {
	if s.Config().Log.LogDisconnections {
		s.log.Info("disconnection", zap.Duration("session time", time.Since(s.started).Round(time.Millisecond)))
	}
}
