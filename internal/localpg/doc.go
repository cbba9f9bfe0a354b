// Package localpg makes, starts and stops real PostgreSQL servers on this
// machine: for `pgchorus demo`, for `pgchorus setup`, and below internal/pgtest
// for the tests.
//
// A [Cluster] is a folder with some [Node]s in it, each a PostgreSQL server of
// its own. initdb runs once and its result is copied, so that a node costs less
// than 100 ms; all nodes therefore share one system identifier, as they would
// after a physical copy, unless [Options].OwnSystems is set.
//
// To PostgreSQL the nodes are strangers. [Cluster.AddStandbys] makes others that
// are standbys of one of them, and [Node.Promote] and [Node.Follow] change who
// streams from whom. Subscriptions are SQL, and so the caller's.
//
// It does not configure or start the proxy, and it is no tool for servers that
// somebody depends on: recovery, backups and upgrades are not its business.
//
// # Who runs the servers
//
// PostgreSQL refuses to run as root. When we are root, the servers and the
// programs beside them run as user postgres, or nobody where there is none, and
// the folders belong to that user. Otherwise they run as ourselves.
//
// Servers listen on 127.0.0.1 and on a Unix socket in the cluster's folder, and
// nowhere else.
//
// # Nothing is left behind
//
// Unless [Options].Outlive is set, the servers end with this process, however
// it ends, kill -9 included. Two things see to it:
//
//   - The kernel sends the postmaster SIGQUIT when its parent dies (Pdeathsig).
//     The parent is in fact the thread that forked, so that thread waits for the
//     postmaster and does nothing else; see spawn.
//   - A watcher, a small process in a session of its own, reads a pipe that only
//     we hold the other end of. At end of file it ends every process that works
//     in the cluster's folder, also a stopped one, and removes the folder if it
//     was a temporary one; see startWatcher.
//
// Processes of a node are known by their working directory, which is the data
// directory for the postmaster and all that it forks. That needs /proc, so the
// package is for Linux.
package localpg
