// Package replicator runs a statement on every node so that all of them end up
// with the same data.
//
// It is given statements that lb has already routed to all nodes, on connections
// that the session owns; it does not decide where a statement goes, open
// connections, speak the protocol or change node states. What happened is told
// in an Outcome or a Decision, and the caller acts on it.
//
// # Order
//
// Execute runs a statement on the main node first and alone, then on the others
// at the same time, so that locks are granted in one order everywhere: whoever
// gets a lock first on main is first on every node (replication-correctness 1.3,
// lemma 1). The answers are compared before anything is committed.
//
// ExecuteAtOnce runs a statement on all nodes at the same time, where Tickets keep everybody
// away from its row who would have to be ordered with it. ExecuteAndCommit does so with a statement
// that is committed by the message that it is sent in; its answers are compared afterwards.
//
// Commit sends COMMIT to all nodes at once, or to the main node first where it
// may refuse. A node that does not confirm what another one has confirmed is to be
// fenced: it may lack the transaction.
//
// Gate keeps what Execute does on the others behind the commits that main had
// already confirmed and they had not (5.3 of the same page).
//
// Window keeps the taking of snapshots apart from commits, so that a transaction's
// snapshots show the same on all nodes (1.7); TakeSnapshot and CommitWithin go through
// it. Clustering mode snapshot_isolation needs it, the others do without.
//
// Barrier holds all writing transactions at their boundaries for as long as a node
// needs to join.
//
// # Differences
//
// Answers that differ are told in Outcome.Differ, and the transaction is rolled back.
// Outcome.Judge says what else follows under replication_stop_on_mismatch and
// failover_if_affected_tuples_mismatch: who is outvoted and to be fenced.
//
// # Loss
//
// An error from a Node means that its connection is lost. Execute goes on with the
// others: a statement that only the lost main had seen is run on the next node
// first; one that the others had been sent is not repeated.
package replicator
