package session

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/parser"
)

// BenchmarkVerdict is what a statement pays for having been judged before.
func BenchmarkVerdict(b *testing.B) {
	cfg := &config.Config{ClusteringMode: config.NativeReplication}
	policy := safety.PolicyOf(cfg)
	for _, bench := range []struct{ name, sql string }{
		{"point_read", "SELECT abalance FROM accounts WHERE aid = 1"},
		{"insert_with_time", "INSERT INTO history VALUES (1, 2, CURRENT_TIMESTAMP)"},
		{"point_write", "UPDATE accounts SET abalance = abalance + 1 WHERE aid = 1"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := &Session{view: &cluster.View{}, Env: &Env{
				Config: func() *config.Config { return cfg }, Safety: func() *safety.Policy { return policy }, Bodies: &safety.Bodies{}, Notes: &safety.Notes{},
				Catalog: catalog.New(100, 0, nil), Scripts: parser.NewCache(1<<20, 1),
			}}
			stmt := &s.Scripts.Script(bench.sql).Statements[0]
			v := &safety.Verdict{}
			s.verdicts = newShapeMemo[judged]()
			known := s.Catalog.Database("")
			s.verdicts.keep(shapeOf(stmt), judged{policy: policy, known: known, generation: known.Generation(), verdict: v})
			b.ReportAllocs()
			for b.Loop() {
				if err := s.checkSafety(stmt, bench.sql, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
