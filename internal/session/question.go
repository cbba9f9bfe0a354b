package session

import "github.com/pgchorus/pgchorus/internal/wire"

// question is ask for what the catalogue is asked on a session's own connection, under the
// session's own settings. With enable_seqscan = off and its relatives the server takes such a query
// for so expensive that it compiles it, which takes seconds; so it is told not to.
func (l *link) question(query string) ([]string, error) {
	const plain = "SET LOCAL jit = off;"
	if l.conn.Status == wire.TxIdle {
		return l.ask(plain + query) // several statements are a transaction
	}
	return l.ask("SAVEPOINT pgchorus_question;" + plain + query + ";ROLLBACK TO SAVEPOINT pgchorus_question;RELEASE SAVEPOINT pgchorus_question")
}
