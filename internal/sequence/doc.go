// Package sequence gives all nodes the same values of sequences.
//
// A sequence takes no lock that lasts: two sessions that draw at the same time are given 1
// and 2 by the main node, and may be given 2 and 1 by another. So values are drawn from the
// main node alone, put into the text of the statement, and given to all nodes. To spare each
// INSERT the question, several values are drawn at once: a lease, which all sessions take
// from. [Leases] keeps them, for each database and sequence; the size grows while a lease
// lasts less than a second.
//
// It asks nobody itself: [Draw], [Advance], [Lock] and [Align] are the queries, and the
// session sends them over its own connections and in its own transaction, so that the rights
// of its role count and the server sees who waits for whom.
//
// # The other nodes
//
// Before the first value of a lease is given out, each other node draws until it is as far
// as the main node (Advance). Whichever node is main next is then beyond every value that
// anybody was given. Draws and advances commute, and none of them sets a position, so that
// none can set it back.
//
// # Who keeps whom out
//
// A draw holds an advisory lock on the main node in shared mode until its transaction ends
// (pg_advisory_xact_lock_shared); what lets each node draw by itself, or sets a position,
// holds it alone ([Lock]). ALTER SEQUENCE, TRUNCATE ... RESTART IDENTITY and DROP take the
// server's own lock of the sequence, which conflicts with that of a draw. Leases that were
// given out before are worth nothing afterwards: [Database.Hold] discards them.
//
// # When the main node changes
//
// Values are of an epoch, that of the cluster's View. Those that were drawn in an older one
// and had not reached every node by the time that somebody began to draw in a newer one are
// refused ([Database.Keep]): the next main may give them out again.
package sequence
