package lb

import (
	"math/rand/v2"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

func BenchmarkRoute(b *testing.B) {
	write := read()
	write.ReadOnly = false
	inTransaction := read()
	inTransaction.Txn = Txn{Open: true, ReadNode: 2}
	for name, in := range map[string]Input{"load_balanced": read(), "writes": write, "in_transaction": inTransaction} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Route(in)
			}
		})
	}
}

func BenchmarkPickFrom(b *testing.B) {
	view := viewOf(0, 1, 2)
	random := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		PickFrom(view, random.Uint64())
	}
}

// TestHotRoadDoesNotAllocate holds the benchmarks' zero in every test run.
func TestHotRoadDoesNotAllocate(t *testing.T) {
	in, random := read(), rand.New(rand.NewPCG(1, 2))
	var id config.NodeID
	if n := testing.AllocsPerRun(100, func() { id = Route(in).Node }); n != 0 {
		t.Errorf("Route makes %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { id = PickFrom(in.View, random.Uint64()) }); n != 0 {
		t.Errorf("PickFrom makes %v allocations", n)
	}
	_ = id
}
