// The program bench measures pgchorus side by side with what people would use
// instead: one PostgreSQL server alone, PgBouncer before it, Pgpool-II before the
// same three servers, and, for writes, three bare servers that do the same work at
// once without knowing of each other, which is what replication costs at least.
//
//	go run ./bench                          everything, at most 25 minutes
//	go run ./bench -scenario 'read.*-8$'    some of it
//	go run ./bench -seconds 5 -rounds 5     slower and steadier
//
// Servers and proxies are put together in several ways, each a [setup], of which one is
// up at a time. Everything runs on one machine, so a rate by itself says little; what is reported
// is the ratio of two rates that were taken seconds apart. For each [scenario] there
// are several short rounds, and in each round every [target] has its turn, in an order
// that rotates. A ratio is formed within a round, and the table gives the median and
// the least and greatest of the rounds.
//
// It does not test: what it checks is only whether a figure counts. A run counts when
// no transaction failed and all nodes were in service afterwards, and a writing proxy
// when its nodes hold the same rows at the end. Timing is never asserted.
//
// # Who works on what
//
// The PostgreSQL servers are internal/localpg's. Each target of a setup has a database of
// its own in them, copies of one that pgbench made: targets that write past each other
// would otherwise make the nodes of the proxies different. A node that has no part in a
// target's work has an empty database of its name. Bare server and PgBouncer work on node 0.
//
// # What is looked at apart
//
// Looking costs: system calls are counted by strace, and allocations and profiles come
// from a pgchorus that is built with a door for them (-tags pprof). Both have runs of
// their own after the rounds, and the programs whose rate is taken are those that people
// run. See [look] and [door].
//
// # Nothing is left behind
//
// Every program works in the folder of the servers, as their user. The folder's
// watcher ends what is in it when we die, however that happens, and removes it.
package main
