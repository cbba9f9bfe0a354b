// Package capture decides how a write that reads more than its own row is kept the same on
// all nodes, and makes the SQL for it. It is pure: a statement's facts and the catalogue's
// go in, a Plan comes out.
//
// Under READ COMMITTED each node gives a statement a snapshot of its own. Two nodes that run
// the same statement in the same order may therefore see different commits, and what it
// computes from other rows, or which rows it picks, may differ, while its command tag is
// the same everywhere. A point write is free of that: it changes one row, found by a whole
// unique key, from constants and from its own columns, and row locks order it.
//
// Everything else has a Plan, in one of these ways:
//
//   - Rows: main runs the statement with a RETURNING of ours, and the other nodes are given
//     the rows that came of it, by key (Plan.OnMain, Plan.Replay).
//   - Locks: the tables are locked on all nodes, main first, before each runs the statement
//     (Locks). That is for what Rows cannot do: no key, a key that changes, a trigger whose
//     effects are not in the rows, several targets.
//   - Digest: each node runs the statement and the rows that came of it are compared
//     (Plan.Digest). It prevents nothing, but tells.
//
// The package does not know nodes, sessions or messages; internal/session runs plans.
package capture
