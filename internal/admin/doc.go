// Package admin shows what pgchorus is doing: the tables of SHOW POOL_NODES and its
// relatives, in Pgpool-II's columns and words, because monitoring tools read them by
// those.
//
// [Tables] makes a [Table] for the name of a command. It decides nothing and imports
// nothing of the road; what it shows comes through [Reporter], which cmd fits to the
// parts. It does not speak the protocol either: whoever asks sends the table on, as
// rows to a frontend or in another form.
//
// Pgpool-II has one process for each frontend, and a fixed number of them; here a
// session takes that part in the tables. Its number stands for the process number,
// and places that no session has are shown as processes that wait.
package admin
