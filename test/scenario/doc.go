// Package scenario plays what happens to an operator against three real PostgreSQL
// nodes and the real server: nodes that die, hang, leave and come back under load,
// full and empty pools, cancels, reloads and stops. The nodes are strangers, which
// pgchorus keeps equal, a primary with standbys, a publisher with subscribers, or one
// that serves and others that stand by (newStageIn).
//
// Every scenario ends with the invariant it is about: no session is lost, no write
// that a frontend was told of is missing on a node that is left, and the nodes that
// are left are equal. What a single statement answers is not looked at here, but in
// test/protocol and test/driver.
//
// The package has no code but tests. A moment is never waited for by the clock: a
// test holds a lock on the nodes, sees in pg_stat_activity who waits for it, and acts
// then (see waiters).
package scenario
