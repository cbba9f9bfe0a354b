// Package parser says what the SQL text of a frontend does: text in, facts out.
// It does no I/O, asks no clock and starts no goroutine.
//
// [Classify] parses a query string with PostgreSQL's own grammar (pg_query) and
// returns a [Script] with one [Statement] for each statement in it: its kind, how
// it relates to transaction blocks, whether one node alone may run it, the
// relations and functions that it names, and the places where it asks for the
// current time. A text that cannot be parsed is no error: its statement has kind
// [Unknown], and whoever routes it takes it for a write.
//
// The package knows the text only. Views, triggers, defaults, user-defined
// functions and settings of the session are the business of the catalogue;
// Statement.UnknownFunctions and Statement.ReadBySyntax are there for it. Where a
// statement goes is decided in lb, how it is repeated in replicator.
//
// # Three levels
//
// Parsing costs tens of microseconds, so that it is done once for each shape:
//
//	Memo      a session's own table of exact texts; no lock
//	Cache     shared; by the text without its literals (Strip), or by exact text
//	Classify  the parser, a bounded number at a time
//
// A key is always compared whole. pg_query's fingerprint is no key: it drops
// digits of table names, options of BEGIN and names of savepoints and cursors.
// Where a literal decides (nextval('s'), 'now'::timestamptz, SET) the exact text
// is the key; Script.LiteralSensitive tells.
//
// # Time
//
// [SpliceTime] and [ParamTime] put one instant in place of each time call, by
// cutting the text and not by writing it anew from the tree, so that comments and
// hints, formatting and error positions before the call stay as they are.
//
// # Hostile texts
//
// pg_query recurses over the tree without looking at its stack; texts that could
// make it overflow are answered with Unknown and never reach it (guard.go).
package parser

//go:generate go run ./gen builtins.go
