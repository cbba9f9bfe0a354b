package session

import "github.com/pgchorus/pgchorus/parser"

// leaveFollowed closes the connections over which the query cache is told of others' writes
// in a database, where a statement that runs outside of any block is refused while there
// are any: it is dropped, copied or moved.
func (s *Session) leaveFollowed(stmt *parser.Statement, sql string) {
	switch {
	case stmt.Node == "DropdbStmt":
		s.Follower.Leave(stmt.Name)
	case stmt.Node == "CreatedbStmt" && parser.FindWord(sql, "template") > 0, stmt.Node == "AlterDatabaseStmt":
		s.Follower.Leave("")
	}
}
