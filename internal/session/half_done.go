package session

import (
	"github.com/pgchorus/pgchorus/parser"
)

// bareOptions are those of a statement outside of any block.
func bareOptions(stmt *parser.Statement) allOptions {
	return allOptions{regardless: leftBehind(stmt), maintains: maintains(stmt)}
}

// maintains reports whether a statement changes neither data nor schema: what becomes of it
// on a node is that node's own, such as a VACUUM that was not given its lock.
func maintains(stmt *parser.Statement) bool {
	switch stmt.Node {
	case "VacuumStmt", "CheckPointStmt":
		return true
	}
	return false
}

// analyzes reports whether a statement is ANALYZE (or VACUUM), which works in transactions
// of its own outside of a block: in one of ours it would keep all of its locks.
func analyzes(stmt *parser.Statement) bool { return stmt.Node == "VacuumStmt" }

// always is for what may have committed a part of its work whatever its error is: a
// procedure that ends transactions itself.
func always(string) bool { return true }

// leftBehind says after which errors on main a statement outside of any block is run on
// the others too, so that they are left with the same: what works in several transactions,
// as everything with CONCURRENTLY does, leaves those behind that it has committed, such as
// an invalid index.
func leftBehind(stmt *parser.Statement) func(code string) bool {
	switch stmt.Node {
	case "IndexStmt", "ReindexStmt", "DropStmt", "AlterTableStmt", "ClusterStmt":
		return isDatas
	}
	return nil
}

// codeLength is that of an SQLSTATE.
const codeLength = 5

// isDatas reports whether an error comes of the statement and the data, which all nodes
// have, and not of main's own moment: a cancel, a lock, a lack of memory.
func isDatas(code string) bool {
	if len(code) != codeLength {
		return false
	}
	switch code[:2] { // the class (manual, appendix A)
	case "08", "25", "40", "53", "54", "55", "57", "58", "XX":
		return false
	}
	return true
}
