// Package demo is `pgchorus demo`: real PostgreSQL nodes in a folder, pgchorus in
// front of them, pgbench through it, a node killed under the load, and at the end the
// proof, which is that no client noticed and that the nodes left are equal.
//
// [Run] tells the whole story, a step a method; [Options] says how. It judges only by
// what anybody could look up: pgbench's own closing lines, SHOW POOL_NODES, and the
// rows on the nodes, read from each of them directly. When one of them is not as
// promised, Run says so and returns an error.
//
// It does not measure: three nodes, pgchorus and pgbench on one machine say little
// about speed. Nodes that are meant to be kept are not its business either.
//
// # Nothing is left behind
//
// The nodes are internal/localpg's and end with this process, however it ends. So do
// the children that are started here, pgchorus and pgbench: they are sent SIGQUIT when
// we die, and they work in the cluster's folder, whose watcher ends what is in it.
package demo
