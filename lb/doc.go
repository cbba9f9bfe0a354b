// Package lb says where a statement goes: to all nodes, to one, to those that the
// session is connected to, or to none because pgchorus answers it itself.
//
// Three pure functions do it. [Examine] draws [Traits] from a statement: what the parser
// found, what the catalogue knows of its functions and relations, what the lists and
// patterns of the configuration say. [Route] looks at traits, transaction and nodes and
// gives a [Decision]; it is a list of rules of which the first that applies decides.
// [Explain] goes through the same list and tells of each rule, because the first
// question of every operator is "why did it go there?". [Choose] picks the node that a
// session's reads go to, by weight, redirect lists and lag.
//
// Two types remember. [Track] is what one session has written, [Mutations] what all of
// them have written lately; both serve disable_load_balance_on_write. What they have to
// say about a read is part of Route's input.
//
// The package does not parse, does not ask the catalogue (Examine says what would have
// to be asked, and its caller asks), does not know connections, and does not execute.
//
// # The rules that outrank the others
//
// In native_replication and snapshot_isolation a statement that is not known to be safe
// on one node goes to all nodes, whatever else is set. In streaming_replication and
// logical_replication what is not known to be a read goes to the primary, and nowhere
// else if there is none. Everything else here is about cost, and about reads that see
// what they ought to.
//
// # Where it differs from Pgpool-II
//
// Locking clauses, writing CTEs and INTO count at any depth in every mode. PostgreSQL's
// own functions are judged one by one, not by their label. Views are looked into. What
// leaves state on the primary (a savepoint, SET LOCAL, a cursor) keeps the transaction's
// reads there, and is no write. A transaction that keeps one snapshot and may write
// reads on the main node, so that the update of a row that has changed since it was read
// is found. All entries of dml_adaptive_object_relationship_list that match are
// followed, also those of what they lead to; a write of which nobody knows what it
// changes counts as a write to anything.
package lb
