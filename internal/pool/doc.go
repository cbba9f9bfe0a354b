// Package pool keeps connections to the nodes between sessions.
//
// What is kept is a Set: the connections of one session, one to each live node,
// as in Pgpool-II. A set is reused for the same user, database and start-up
// parameters. The pool does not log in a frontend, does not reset a set before
// it comes back, and does not know node states; internal/session does, and
// internal/cluster.
//
// The pool also knows every connection that is open, lent or idle, so that all
// connections to a node can be cut at once when it is detached: a session that
// waits for an answer from a dead node is woken by that.
package pool
