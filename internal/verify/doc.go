// Package verify answers one question: do the nodes hold the same data?
//
// [Run] compares, on all nodes of one replicated set, the rows of every table, large
// objects, sequences, the schema, roles, databases and the settings that make nodes
// compute differently. It says what differs down to the key and the column, and with
// Options.Repair gives a deviating minority the rows of the others. [Schedule] does the
// same in the background, one table at a time (checksum_interval).
//
// It is for the replicating modes. In streaming_replication and logical_replication
// PostgreSQL itself keeps the nodes equal, and standbys lag on purpose.
//
// # The common point
//
// Nodes that are written to can only be compared at a point where all of them show the
// same transactions. [Hold] keeps COMMITs back; meanwhile one round trip takes a snapshot
// on every node, and everything after that is read from these snapshots, whatever is
// committed later. Writers wait for that round trip only. Without a Hold (no server runs)
// the snapshots are taken at about the same time.
//
// Some things no snapshot covers: CREATE DATABASE, TRUNCATE, the values of sequences. So
// whatever seems to differ is compared once more at a second point, and only what differs
// there, too, is reported; a table that was rewritten meanwhile is compared again. What
// is made and dropped all the time may end up in Report.Unchecked.
//
// # How tables are compared
//
// Every row is hashed from its text, columns in the order of their names, in a session
// whose settings are the same everywhere; the hashes of 1024 buckets are added up, which
// needs neither an order nor an index nor a key. Large tables are read in pieces. Of
// unequal buckets the keys and hashes are read in order, in batches, and merged: memory
// does not grow with the table. Foreign, unlogged and temporary tables and the schema
// pgchorus are left out.
//
// # Who is right
//
// With two nodes main is, since it decides the values that the others repeat. With more
// it is the majority, if main is in it. When main stands against a majority, or none
// agree, the difference is reported as unproven and not repaired.
//
// # Report
//
// [Report] is what --json prints: result (equal, different or unchecked), nodes, held,
// databases (name, tables, rows, holdMS), differences and warnings (kind, database,
// object, key, columns, node, reference, what, expected, found, proven, repaired),
// unchecked (database, object, reason), notes, repairedRows, and times. A warning is a
// difference that does not change results, such as the setting work_mem.
package verify
