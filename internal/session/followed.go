package session

import "github.com/pgchorus/pgchorus/parser"

// leaveDatabases closes connections of ours to a database where a statement that runs
// outside of any block is refused while there are any: it is dropped, copied or moved. Those
// are the ones over which the query cache is told of others' writes, until comeBack is
// called, and idle ones.
func (s *Session) leaveDatabases(stmt *parser.Statement, sql string) (comeBack func()) {
	switch {
	case stmt.Node == "DropdbStmt":
		return s.Follower.Leave(stmt.Name) // mayDrop closes the idle ones
	case stmt.Node == "CreatedbStmt" && parser.FindWord(sql, "template") > 0, stmt.Node == "AlterDatabaseStmt":
		comeBack = s.Follower.Leave("")
		s.Pool.CloseIdle()
		return comeBack
	}
	return func() {}
}
