// Package oidmap leads from one node's object identifiers to another's.
//
// Where writes are replicated as statements, each node numbers the types, tables and
// functions that are created for itself, and clients get these numbers: in
// RowDescription and ParameterDescription, and inside binary arrays, composite values and
// ranges. They send them back in Parse, in Bind and in function calls. So a frontend is
// told the numbers of one node only, and what other nodes say or are told is translated
// (ADR 0022).
//
// A [Cache], shared by all sessions, holds a [Database] for each database: which objects
// have which number on which node. Objects are matched by class, schema and name (an array
// type by its element, a function by its arguments too) when they are learnt, and by
// number from then on, so that a rename changes nothing: numbers are not used again
// before the server's counter has gone round, after 4 billion objects. A [Node] is a
// node between one attach and the next loss of it; behind those it may have been made anew.
//
// The package asks nobody. A session puts what it lacks into [ByNumber] and [ByName] and
// gives the rows to [Database.Learn]. A [Translation] collects what it found no number for.
//
// Only numbers from [First] on are looked at: those below are fixed by PostgreSQL's
// catalogue, or by initdb for what no client meets. Columns are matched by place, so
// a table whose columns were restored in another order has other attribute numbers.
package oidmap
