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
)
