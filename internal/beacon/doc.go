// Package beacon lets proxies in front of the same nodes show each other something by way
// of the nodes: that one of them cannot reach the memcached that they share, and that it
// can again.
//
// What is shown is an advisory lock that a connection of our own holds on each node: no
// table is needed, everybody may look at pg_locks, and it goes when the proxy dies or loses
// the node. The first key of the lock says what is shown, the second is the proxy's token.
//
//	Beacon  implements cache.Nodes
//
// It is no lock that anybody waits for, and nothing is kept of the past: who was not
// looking has not seen it. An application that takes advisory locks with the same first
// keys would switch the query cache off while it holds them.
package beacon
