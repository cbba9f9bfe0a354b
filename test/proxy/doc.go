// Package proxy gives tests a running pgchorus.
//
// [Start] builds cmd/pgchorus, writes a pgpool.conf for the nodes of a test
// (internal/pgtest) and runs the server as a child process on a port of its own; a
// [Proxy] can be asked, signalled, killed, stopped and started again, and fails its
// test when that goes wrong. The server ends with the test, and with the test's
// process however that ends (see process).
//
// A server that panics, that the race detector complains about, that ends by itself
// or that does not stop when told to fails its test, whatever the test looked at; a
// failed test shows the end of the server's log.
//
// It is for tests from outside: nothing here reaches into the server. What the nodes
// hold afterwards is compared with pgtest.WantEqual.
//
// The binary is linked once for all test binaries that run at the same time, and only
// when something has changed (see build).
package proxy
