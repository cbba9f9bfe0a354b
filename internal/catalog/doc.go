// Package catalog remembers facts of PostgreSQL's catalogue that routing and the
// query cache need: how volatile a function is, what kind of relation a name stands
// for, what a view reads, and what the columns of a table are given by default.
//
// It asks nobody itself. A session that misses facts puts the names into a
// [Question], sends its SQL over a connection of its own, and gives the rows back to
// [Database.Store], with the generation that it read before it asked. A [Cache] is
// shared by all sessions; it holds a [Database] for each database, with a bounded
// number of entries and an age (relcache_size and relcache_expire of Pgpool-II's
// configuration).
//
// # Names, not objects
//
// Sessions differ in search_path, so an unqualified name stands for every function
// or relation of that name in any schema, and its facts are the union of theirs:
// what restricts wins. The columns of a [Table] cannot be united: where a name stands for
// several, the session has to say which one it means ([ResolveSQL]). Names are compared
// as bytes. A session whose client_encoding is not that of the others has to keep names
// beyond ASCII out of its questions.
//
// # When facts change
//
// [Database.Forget] drops everything and makes answers to older questions worthless.
// It has to be called when DDL has run and again when its transaction has ended, in
// whatever way: until then other sessions, which do not see the change, may ask, and
// so may this one, which sees what may be rolled back. DDL that runs on a node past
// pgchorus is found out by age only, and so is what a standby that lags behind has
// answered wrongly.
//
// # Limits
//
// The labels in pg_proc are believed; of bodies of functions no more is looked at than
// whether words such as now and random are in them (Function.Alike). What
// is said of a view holds for what its definition and the row security policies below
// it say. Inheritance children and partitions count for the flags of a relation (a
// standby cannot read an unlogged partition), not for what it is said to read.
package catalog
