// Package stale looks for answers of the query cache that are too old, or that never were
// so.
//
// Writers raise numbers, each in a transaction that is made up: by every kind of statement that
// can change a row, in blocks and in strings, with savepoints and whole transactions that are rolled
// back among them, with COPY, TRUNCATE and DDL. A number comes to several tables by views, partitions, foreign keys and
// triggers. Readers read them in all protocols, in blocks and outside of them.
//
// An answer has to be one that a committed state could have shown when it was asked for: every
// number in it is the same, none is less than what was acknowledged before the read began or than what the same
// session has read before (but for blocks that keep a snapshot), and none is more than what was sent, which numbers of transactions that are rolled back are.
//
// It runs with the cache in the process, in two clustering modes and with connections that are lent for a
// transaction, and with two proxies that share a memcached, which is killed, paused and forgets. SEED and SECONDS choose what is made up and for how long
// (make stale).
//
// With a primary it runs beside standbys that lag: one stops replaying at times, the other shows each commit late. What is read
// there may be old, as read_consistency says, but what is kept of it must not be. So all of the above is demanded for sessions that share their
// answers with those who read there, and whose own reads go to the primary: what they are told comes from the primary or from memory. With read_consistency = strict
// it is demanded for all. While writers rest such a session has to be told what a standby has said, or the test would show nothing.
package stale
