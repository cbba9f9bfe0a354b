// Package logkey holds the names of log fields, so that one search over the log
// finds every line of a node or of a session.
package logkey

// Names of log fields.
const (
	Session  = "session"
	Frontend = "frontend"
	User     = "user"
	Database = "database"
	Node     = "node"
	Epoch    = "epoch"
	Reason   = "reason"
	Status   = "status"
	Attempt  = "attempt"
	File     = "file"
	Address  = "address"
	Level    = "level"    // of safety.Verdict: D0 to D6
	Action   = "action"   // of safety.Verdict
	LeftOut  = "left_out" // how often the same was not told since
	Command  = "command"
	Index    = "index"
	GID      = "gid"
)
