package catalog

import (
	"testing"
	"time"
)

func BenchmarkRelation(b *testing.B) {
	for _, bm := range []struct {
		name   string
		expire time.Duration
	}{{"kept_for_ever", 0}, {"with_age", time.Hour}} {
		b.Run(bm.name, func(b *testing.B) {
			c := New(256, bm.expire, nil)
			learn(b, c.Database("bench"), "account")
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.Database("bench").Relation(Name{Name: "account"}); !ok {
					b.Fatal("not known")
				}
			}
		})
	}
}

func BenchmarkRelationParallel(b *testing.B) {
	c := New(256, 0, nil)
	learn(b, c.Database("bench"), "account")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := c.Database("bench").Relation(Name{Name: "account"}); !ok {
				b.Error("not known")
				return
			}
		}
	})
}

func BenchmarkSQL(b *testing.B) {
	q := Question{Functions: []Name{{Name: "lower"}}, Relations: []Name{{Name: "account"}, {"s", "t"}}}
	b.ReportAllocs()
	for b.Loop() {
		_ = q.SQL()
	}
}
