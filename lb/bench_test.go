package lb

import (
	"math/rand/v2"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

func BenchmarkRoute(b *testing.B) {
	write := read()
	write.Traits.Class = Write
	inTransaction := read()
	inTransaction.Txn = Txn{Open: true, ReadNode: 2}
	standby := read()
	standby.Policy = &Policy{Mode: StreamingReplication, LoadBalance: true, DelayThreshold: 1}
	standby.Lags = lagging{1: {Known: true}}
	for name, in := range map[string]Input{"load_balanced": read(), "writes": write, "in_transaction": inTransaction, "standby": standby} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Route(&in)
			}
		})
	}
}

func BenchmarkExamine(b *testing.B) {
	native := policyOf(b, "native_replication")
	var c Catalog = someCatalogue()
	for name, sql := range map[string]string{"read": "SELECT a FROM t WHERE b = 1", "write": "UPDATE t SET a = 1", "function": "SELECT stab(a) FROM t"} {
		stmt := &parser.Classify(sql).Statements[0]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Examine(stmt, sql, native, c)
			}
		})
	}
}

func BenchmarkChoose(b *testing.B) {
	in := ChooseInput{Policy: policyOf(b, "native_replication"), View: viewOf(0, 1, 2), Main: 0}
	random := rand.New(rand.NewPCG(1, 2))
	b.ReportAllocs()
	for b.Loop() {
		in.Random = random.Uint64()
		Choose(in)
	}
}

// TestHotRoadDoesNotAllocate holds the benchmarks' zero in every test run.
func TestHotRoadDoesNotAllocate(t *testing.T) {
	sql := "SELECT a, count(*) FROM t JOIN v ON t.a = v.a WHERE b = stab(1) GROUP BY a"
	stmt := &parser.Classify(sql).Statements[0]
	var c Catalog = someCatalogue()
	random := rand.New(rand.NewPCG(1, 2))
	for _, mode := range []string{"native_replication", "snapshot_isolation", "streaming_replication", "logical_replication", "raw"} {
		p := policyOf(t, mode, "sr_check_period = 1", "delay_threshold = 10", "prefer_lower_delay_standby = on")
		in := read()
		in.Policy, in.Lags = p, Lags(lagging{1: {Known: true, Bytes: 11}, 2: {Known: true}})
		var track Track
		var id config.NodeID
		run := func() {
			in.Traits, _ = Examine(stmt, sql, p, c)
			in.Touched = track.Touched(p, "db", &in.Traits, nil)
			in.LoadBalanceNode = Choose(ChooseInput{Policy: p, View: in.View, Lags: in.Lags, Random: random.Uint64()}).Node
			id = Route(&in).Node
		}
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: a read makes %v allocations", mode, n)
		}
		if in.Traits.Class != Read || id == NoNode {
			t.Errorf("%s: %v to node %d, want a read to a node", mode, in.Traits, id)
		}
	}
}
