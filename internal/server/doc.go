// Package server accepts frontends and bounds how many there are.
//
// It listens on TCP and Unix sockets, runs one session for each connection on a
// goroutine of its own, and ends them when it stops. What a session does is not its
// business.
//
// num_init_children sessions run at a time. More frontends wait for a place, or, where
// reserved_connections is set, are refused with 53300 (Pgpool-II, 9.1 of its
// behaviour). They wait after their first packet, so that a cancel is served when
// every place is taken.
package server
