package main

import (
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/pgchorus/pgchorus/internal/config"
)

// logTime is Pgpool-II's layout of a time in its log.
func logTime(t time.Time, out zapcore.PrimitiveArrayEncoder) {
	out.AppendString(t.Format("2006-01-02 15:04:05.000"))
}

// logLevel maps log_min_messages; PostgreSQL's LOG lies between its WARNING and ERROR
// for a server log, and is our Info.
func logLevel(level config.LogLevel) zapcore.Level {
	switch level {
	case "debug5", "debug4", "debug3", "debug2", "debug1":
		return zapcore.DebugLevel
	case "error", "fatal", "panic":
		return zapcore.ErrorLevel
	}
	return zapcore.InfoLevel
}
