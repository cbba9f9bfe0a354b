// Package cache answers a repeated read from memory, and is never stale: what it
// returns is what a node would have answered at that moment.
//
// It knows nothing of messages, statements or nodes. An [Entry] is bytes; what it
// was made from are names, counted by [Versions]. Which statements may be answered
// from it, and which names a write touches, is decided in internal/cachepolicy; what
// is recorded and when, in internal/session (cache*.go).
//
//	Cache     Look, Put: entries by their whole key; figures
//	Scope     what a session has in common with others that may share its answers
//	Versions  one counter for each name: what a commit changes, and what makes an
//	          entry worthless
//	Write     one transaction's hold on the counters, from before its COMMIT until after
//	Flights   many who miss the same answer wait for one who asks
//
// # Validity
//
// A counter has two parts: how often its name was written, and how many are writing it
// now. A writer counts in before the first node is sent the COMMIT, and counts up when
// the last one has answered and before its frontend hears of it ([Versions.Begin],
// [Write.End]). An answer is kept with the counters as they were before its read was
// sent, all of which have to be at rest, and is given out only while each is the same
// still. Nothing is ever searched for or deleted because of a write: entries that are
// worthless go when room is needed. ADR 0031 has the argument.
//
// # Limits
//
// Counters are found by a hash of the name; two names that share one only cost entries.
// Writers that do not come through this process are not seen by it. Who follows them
// (internal/follow) calls Begin and End in their place, and grants a [Lease] for as long as
// nothing of them can have been missed.
package cache
