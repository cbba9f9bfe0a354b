// Package pgmock is a backend that does what PostgreSQL cannot be made to do: it dies
// between two messages, sends what no server sends, or half a byte at a time.
//
// A Server listens on loopback and plays a script to each connection: steps that
// expect a message, send bytes as they are, or end the connection. It knows as much
// of the protocol as it takes to find where the peer's messages end; what it sends is
// never checked, which is the point.
//
// It is for tests. It does not answer SQL: Serve answers every query with the same
// row, so that a session can live on it where the test is about something else.
package pgmock
