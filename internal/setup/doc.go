// Package setup is `pgchorus setup`: a cluster to keep, in a folder, of one of the five
// clustering modes. It is what Pgpool-II's pgpool_setup is, with its file names.
//
// [Run] makes real PostgreSQL servers (by internal/localpg), a pgpool.conf that serves
// them, and scripts that start and stop all of it, and leaves nothing running unless
// [Options].KeepRunning asks for it. [Options] says which mode, how many nodes, where.
// The scripts are the files in files/, written out as they are; what differs from
// cluster to cluster is in etc/cluster.sh, which they read.
//
// The cluster is for trying things out on one machine: everybody who can reach its
// ports, which are open on loopback only, is let in without a password. Unlike
// pgpool_setup it needs no ssh, and it can be used by root, for whom the servers and
// pgchorus run as user postgres.
//
// It does not serve, and it has no part in the life of the cluster afterwards.
package setup
