// Package budget holds the road of a query to its budgets: how many objects pgchorus
// allocates for it, and how often it reads and writes.
//
// The server is a process of its own in front of real nodes, so that nothing else is
// counted; what it uses of time depends on the machine and is measured by bench. Each road
// is gone often enough for the server's own affairs not to matter. The budgets are ceilings:
// who makes a road cheaper lowers its line in the table.
package budget
