// Package pgtest gives tests real PostgreSQL servers.
//
// [Start] makes fresh nodes and cleans them up with the test; a [Node] can be
// asked, killed, paused and started again, and fails its test when that goes
// wrong. The nodes of Start are strangers; [StartStreaming] makes a primary with hot
// standbys, [StartLogical] a publisher with subscribers, and [Node.WaitCaughtUp],
// [Node.PauseReplay], [Node.Promote] and [Node.Follow] are for those. [WantEqual] compares what nodes hold. The servers themselves are
// internal/localpg's, which also sees to it that they end with the test process
// and run as another user where that is root.
//
// It knows nothing of the proxy, so that every package can use it. A machine
// without PostgreSQL fails the test and says what to install; -short is the one
// way to leave such tests out.
//
// A node costs about 150 ms, so a test asks for as many as it needs and shares
// them with its subtests ([Node.In]).
package pgtest
