// Package backend is one connection to one PostgreSQL server: dialling it,
// logging in, sending requests and reading the answers they call for.
//
// It does not know what a transaction means to a session, nor which other nodes
// there are. A Conn has one owner at a time; only Close and Cancel may come from
// elsewhere.
//
// An exchange is Append, Flush, Receive: the owner puts messages into the
// outbox together with a list of wire.Expect, and Receive reads until that list is
// used up, an error has cut it short, or the server waits for copy data. What the
// frontend shall see goes to a Sink; all ReadyForQuery messages end here, since
// the transaction status that the frontend is told is the session's own.
package backend
