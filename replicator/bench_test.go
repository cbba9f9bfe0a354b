package replicator

import "testing"

// BenchmarkExecuteCommit is what the replicator itself costs a write on three nodes that
// answer at once.
func BenchmarkExecuteCommit(b *testing.B) {
	quiet := make([]Node, 3)
	for i := range quiet {
		quiet[i] = &quietNode{id: i}
	}
	opt := Options{Repeatable: anew, Gate: NewGate()}
	b.ReportAllocs()
	for b.Loop() {
		Execute(quiet, opt)
		Commit(quiet, Parallel, opt.Gate)
	}
}
