// Package deadlock finds deadlocks that span several nodes.
//
// Each server sees its own waits only. A session that waits on one node for a second one,
// which waits on another node for the first, is a deadlock that none of them ever ends: an
// ALTER TABLE that waits on one node for a reader there, while that reader's transaction
// waits on main for the ALTER TABLE.
//
// A [Detector] looks at the sessions now and then (deadlock_check_interval). If a statement
// has been under way for that long, it asks every node who waits for whom
// (pg_blocking_pids), over connections of its own, says which session each process belongs
// to, and unites the answers. [Find] looks for cycles in them; it is pure. Nodes are not asked
// at one moment, so a cycle counts when a second look shows it again, with the same
// statements. One session of it is chosen ([Victim]) and told to give up.
//
// A cycle on one node alone is left to its server (deadlock_timeout). Waits inside of
// pgchorus end by themselves: those for COMMITs under way (replicator.Gate, Window), since a
// COMMIT waits for no lock, and those behind a lost main (Order) after 0.3 s.
package deadlock
