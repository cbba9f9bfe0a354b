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
// # Values
//
// [Cache.Plan] says how a statement is changed so that no node computes for itself what
// another would compute differently: one instant stands in place of each call for the time.
// The text is cut and not written anew from the tree, so that comments and hints,
// formatting and error positions stay as they are. Beside the time these are random
// numbers, UUIDs, what a node tells of itself, functions that only the catalogue
// ([Facts]) knows, and the defaults of columns that a statement leaves out or sets to
// DEFAULT. Values come from the proxy or, by [Plan.Questions], from the main node;
// [Plan.Splice] makes constants of them, [Plan.Params] parameters. A call is replaced
// only where the text tells how often it is evaluated; all else is among Plan.Reasons,
// so that whoever decides can lock, capture or refuse. Values of sequences are replaced
// only if PlanOptions.Lease asks for it; those that cannot be are among Plan.Unleased.
//
//	Statement   Targets: which columns of which relations; the places in the text
//	Default     what a default expression does (ParseDefault)
//	Plan        what is wanted (Slots), and where it goes
//	Filled      the text with values, and the way back for positions of errors
//
// # Hostile texts
//
// pg_query recurses over the tree without looking at its stack; texts that could
// make it overflow are answered with Unknown and never reach it (guard.go).
package parser

//go:generate go run ./gen builtins.go
