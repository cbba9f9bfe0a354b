// Package streaming finds the primary and knows how far the standbys are behind it,
// in the clustering modes in which PostgreSQL replicates by itself
// (streaming_replication, logical_replication). A publisher is called primary here
// and a subscriber standby, too.
//
// Monitor tells the cluster manager which node is the primary, and answers two
// questions of the sessions without a lock and mostly without I/O: Delay (how far
// is this standby behind?) and Caught (has it everything that was committed before
// that moment?). It does not decide where a statement goes and does not promote
// anybody.
//
// # How a lag is known
//
// The primary is asked for its WAL position; the moment before the question and the
// position are a sample. Every commit that was acknowledged before that moment lies
// below the position, so a standby that has replayed the position has them all: it
// is fresh as of that moment. The moments are of this process's monotonic clock, so
// no two machines have to agree on the time.
//
// What the standby says is proof of that only if it replays the primary's own
// history: its timeline has to be the primary's (for a subscriber: its replication
// slot has to be one of the primary's). A standby that does not answer, or whose
// history is not known, has an unknown delay, never a small one.
//
// A commit with synchronous_commit = off is acknowledged before it is written. If
// that is the primary's setting it is allowed for; a session that sets it for
// itself may miss its own writes for as long as the WAL writer takes, which is three
// times wal_writer_delay.
//
// Nothing is written on the servers but a message that nobody reads, on the primary,
// when a standby could not be judged otherwise; flush.go says why.
//
// # Goroutines
//
// Each node has a link, which owns the one connection to it and puts questions that
// come at the same time into one query, and a follower, which asks again and again
// while sessions wait for the node. So a node that hangs delays nobody who does not
// ask for it, and a thousand waiting sessions cost as many queries as one. Run
// starts them all and waits for them.
package streaming
