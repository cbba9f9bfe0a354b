package replicator

import "testing"

func quietNodes() []Node {
	quiet := make([]Node, 3)
	for i := range quiet {
		quiet[i] = &quietNode{id: i}
	}
	return quiet
}

// BenchmarkExecuteCommit is what the replicator itself costs a write on three nodes that
// answer at once.
func BenchmarkExecuteCommit(b *testing.B) {
	quiet := quietNodes()
	opt := Options{Repeatable: anew, Gate: NewGate()}
	b.ReportAllocs()
	for b.Loop() {
		Execute(b.Context(), quiet, opt)
		Commit(quiet, CommitOptions{Mode: Parallel, Gate: opt.Gate})
	}
}

// BenchmarkSnapshotExecuteCommit is the same in clustering mode snapshot_isolation.
func BenchmarkSnapshotExecuteCommit(b *testing.B) {
	quiet, window := quietNodes(), NewWindow()
	opt := Options{Repeatable: anew, Gate: NewGate()}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = TakeSnapshot(b.Context(), quiet, window)
		Execute(b.Context(), quiet, opt)
		_, _ = CommitWithin(b.Context(), quiet, CommitOptions{Gate: opt.Gate, Window: window})
	}
}

// BenchmarkWindow is one way through a window that nobody else wants.
func BenchmarkWindow(b *testing.B) {
	w, ctx := NewWindow(), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_ = w.Snapshot(ctx, func() {})
	}
}

// BenchmarkWindowShared is the same with others of the same group.
func BenchmarkWindowShared(b *testing.B) {
	w, ctx := NewWindow(), b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = w.Commit(ctx, func() {})
		}
	})
}

// BenchmarkWindowTurns is one way through it when both groups want it all the time.
func BenchmarkWindowTurns(b *testing.B) {
	w, ctx := NewWindow(), b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_ = w.run(ctx, group(i%2), nil, func() {})
		}
	})
}
