package lb

import (
	"strings"

	"github.com/pgchorus/pgchorus/parser"
)

// aboutServer keeps on main what tells of the server that it runs on: of processes and
// locks, of what it has counted, of how it keeps values. A frontend has been told the number
// of main's process for its own, statements wait for each other on main before they do so
// elsewhere, and who asks twice wants to be told of the same server.
func (x *examiner) aboutServer(t *Traits) {
	for i := range x.stmt.Reads {
		if r := &x.stmt.Reads[i]; tellsOfServer(r.Name) {
			t.stay(AsksAboutServer, r.Name)
			return
		}
	}
	for i := range x.stmt.Functions {
		if f := &x.stmt.Functions[i]; f.Class != parser.UnknownFunction && asksServer(f.Name) {
			t.stay(AsksAboutServer, f.Name+"()")
			return
		}
	}
}

// tellsOfServer: a user's own relation of such a name is read on main for nothing.
func tellsOfServer(name string) bool {
	return name == "pg_locks" || isStatistics(name)
}

// asksServer names functions that tell of processes and what they wait for, of what a server
// has counted, and of how it keeps a value: main may have copied one as it was stored, which
// the others have compressed.
func asksServer(name string) bool {
	switch name {
	case "pg_backend_pid", "pg_blocking_pids", "pg_safe_snapshot_blocking_pids",
		"pg_isolation_test_session_is_blocked", "pg_lock_status", "pg_notification_queue_usage",
		"pg_column_compression", "pg_column_size", "pg_column_toast_chunk_id":
		return true
	}
	return isStatistics(name)
}

// isStatistics names the views and functions of the cumulative statistics system and of
// progress reports (manual, chapter 28).
func isStatistics(name string) bool {
	return strings.HasPrefix(name, "pg_stat_") || strings.HasPrefix(name, "pg_statio_")
}
