// Package cluster knows which nodes there are and in what state, and is the only
// one to change that.
//
// Manager owns the states. Everybody else reads a View, which never changes, or
// reports something: Suspect (a session lost its connection), Fence (a node is
// known to lack a committed transaction), Detach and Attach (an operator). What
// follows from a report is decided by transition, a pure function from a View and
// an Event to the next View and a list of Actions, so failover is a table test.
//
// The package does not hold connections, does not compare data, does not route and
// does not look for a primary: SetPrimary tells which node it is, and onChange tells the owner of the connections, and a node that is attached
// is trusted to have been made equal before.
//
// # States
//
//	         answers at start, or attached           first connection
//	Down,  ---------------------------------> Waiting ---------------> Up
//	Unused                                       |                     |
//	   ^     does not answer, fenced, detached   |                     |
//	   +-----------------------------------------+---------------------+
//
// Waiting and Up are both in service ("live"); the words are Pgpool-II's. Nothing
// leads from Down to Waiting by itself once any node has been in service, because
// from then on the node that is down may lack data. A node that answers may come
// up by itself only while none has been up since the start, and only if the status
// file does not say that it was down.
//
// Where there is a primary (Config.HasPrimary) PostgreSQL gives a standby what it
// lacks. So one that was lost may come back by itself (Return), and attaching one
// holds nobody up. Nodes that an operator detached stay out there, too. A primary
// that goes out of service leaves none behind: Changed lets sessions wait for the
// next one.
//
// The last live node is never taken out, whatever is said about it: with it gone
// there would be nothing left to be equal to. Sessions find it unreachable and say
// so to their frontends.
//
// # Order of a change
//
// The status file is written, then the View is stored, then onChange runs, and
// only then does the one who reported hear of it. So by the time a session can
// commit without a node, a restart would not readmit that node, and by the time
// that a reporting session goes on, connections to a dead node have been cut.
package cluster
