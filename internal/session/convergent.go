package session

import (
	"regexp"

	"github.com/pgchorus/pgchorus/parser"
)

// A statement with CONCURRENTLY that main gives up for a reason of its own moment, such as a
// cancel, leaves an invalid index on main alone, which PostgreSQL wants to be dropped (manual,
// CREATE INDEX, "Building Indexes Concurrently"). The DROP INDEX is sent to the others in a
// form that they can follow: it leaves all nodes alike.

var (
	dropsIndex = regexp.MustCompile(`(?i)^\s*DROP\s+INDEX(?:\s+CONCURRENTLY)?\s`)
	ifExists   = regexp.MustCompile(`(?i)^\s*IF\s+EXISTS\s`)
)

// othersText is what the nodes that are not main are sent in the place of sql, once it has
// succeeded on main; empty for sql itself, which it nearly always is.
func othersText(stmt *parser.Statement, sql string) string {
	if stmt.Node != "DropStmt" {
		return ""
	}
	at := dropsIndex.FindStringIndex(sql)
	if at == nil || ifExists.MatchString(sql[at[1]:]) {
		return ""
	}
	return sql[:at[1]] + "IF EXISTS " + sql[at[1]:]
}
