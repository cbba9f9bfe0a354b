package lb

import (
	"strings"

	"github.com/pgchorus/pgchorus/parser"
)

// aboutProcess keeps on main what tells of the processes and locks of the server that it
// runs on. A frontend has been told the number of main's process for its own, and
// statements wait for each other on main before they do so elsewhere.
func (x *examiner) aboutProcess(t *Traits) {
	for i := range x.stmt.Reads {
		if r := &x.stmt.Reads[i]; tellsOfProcesses(r) {
			t.stay(AsksAboutProcess, r.Name)
			return
		}
	}
	if !x.stmt.NodeLocal {
		return
	}
	for i := range x.stmt.Functions {
		if f := &x.stmt.Functions[i]; f.Class == parser.NodeLocal && isProcesses(f.Name) {
			t.stay(AsksAboutProcess, f.Name+"()")
			return
		}
	}
}

// tellsOfProcesses: a user's own relation of such a name is read on main for nothing.
func tellsOfProcesses(r *parser.Relation) bool {
	switch r.Name {
	case "pg_locks", "pg_stat_activity", "pg_stat_ssl", "pg_stat_gssapi":
		return true
	}
	return strings.HasPrefix(r.Name, "pg_stat_progress_")
}

// isProcesses names functions that tell of the processes of a server and of what they wait
// for.
func isProcesses(name string) bool {
	switch name {
	case "pg_backend_pid", "pg_blocking_pids", "pg_safe_snapshot_blocking_pids",
		"pg_isolation_test_session_is_blocked", "pg_lock_status", "pg_notification_queue_usage",
		"pg_stat_get_activity", "pg_stat_get_progress_info":
		return true
	}
	return strings.HasPrefix(name, "pg_stat_get_backend_")
}
