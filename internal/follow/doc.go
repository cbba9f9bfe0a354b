// Package follow tells the query cache what others commit on the nodes: writers that go
// around this process, to a node or through another pgchorus (cache_follow_wal).
//
// It follows, in each database that has cached answers, the nodes' WAL by logical decoding
// (PostgreSQL, 49): the plugin test_decoding, in a temporary slot, which needs no table, no
// publication and no replica identity, and goes with the connection. Of each committed
// transaction it counts up the relations that it has changed; what they mean to an answer is
// known to package cache. Values of rows are not looked at, and kept nowhere.
//
//	Follower  has databases followed, and gives their leases to sessions
//	State     how a node is followed
//
// # What is not in the stream
//
// Logical decoding leaves out definitions. Two event triggers of ours, made in each database
// that is followed, write a message into the WAL for those (schema.go), and all answers of
// the database end.
//
// # When it counts up
//
// A COMMIT is decoded as soon as it is written, which may be before others see what it has
// done. So its relations are marked as being written when it is decoded, and counted up when
// a snapshot of the node shows that it has ended.
//
// # When it is not followed
//
// A [cache.Lease] holds for a short time (cache_follow_wal_delay) from the last moment of
// which everything is known, on all nodes that are to be followed. While it does not hold nothing is
// answered from memory, and nothing is kept. Whoever begins to follow makes all answers of the database
// worthless when the stream has begun and everything that was under way by then has ended.
// ADR 0037 has the argument.
//
// # Goroutines
//
// Each link, a node in a database, has two: one reads the stream, the other one asks the
// node. Run waits for all of them.
package follow
