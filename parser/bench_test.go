package parser_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

const (
	shortRead  = `SELECT abalance FROM pgbench_accounts WHERE aid = 12345 AND note = 'abc'`
	shortWrite = `INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, -4, CURRENT_TIMESTAMP)`
)

func BenchmarkMemo(b *testing.B) {
	c := parser.NewCache(1<<20, 1)
	b.Run("hit", func(b *testing.B) {
		var m parser.Memo
		sql := []byte(shortRead)
		b.ReportAllocs()
		for b.Loop() {
			m.Recall(c, sql)
		}
	})
	b.Run("miss_shape_known", func(b *testing.B) {
		var m parser.Memo
		sql := []byte(`SELECT abalance FROM pgbench_accounts WHERE aid = `)
		n := 0
		b.ReportAllocs()
		for b.Loop() {
			n++
			m.Recall(c, strconv.AppendInt(sql[:len(sql):len(sql)], int64(n), 10))
		}
	})
}

func BenchmarkCache(b *testing.B) {
	for _, tt := range []struct{ name, sql string }{
		{"shape_hit", shortRead},
		{"shape_hit_time", shortWrite},
		{"exact_hit", `SET search_path TO 'a'`},
	} {
		b.Run(tt.name, func(b *testing.B) {
			c := parser.NewCache(1<<20, 1)
			b.ReportAllocs()
			for b.Loop() {
				c.Script(tt.sql)
			}
		})
	}
	b.Run("shape_hit_parallel", func(b *testing.B) {
		c := parser.NewCache(1<<20, 1)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c.Script(shortRead)
			}
		})
	})
	b.Run("miss", func(b *testing.B) {
		c := parser.NewCache(0, 1)
		b.ReportAllocs()
		for b.Loop() {
			c.Script(shortRead)
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	for _, tt := range []struct{ name, sql string }{
		{"select_short", shortRead},
		{"insert_time", shortWrite},
		{"begin", "BEGIN"},
		{"select_joins", `SELECT a.x, count(*) FROM a JOIN b ON a.id = b.id LEFT JOIN c USING (y) WHERE a.z IN (SELECT z FROM d) GROUP BY a.x ORDER BY 2`},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parser.Classify(tt.sql)
			}
		})
	}
}

func BenchmarkStrip(b *testing.B) {
	for _, tt := range []struct{ name, sql string }{
		{"select_short", shortRead},
		{"insert_1000_rows", "INSERT INTO t VALUES (1, 'abc')" + strings.Repeat(", (12345, 'some text here')", 1000)},
	} {
		b.Run(tt.name, func(b *testing.B) {
			var key []byte
			b.SetBytes(int64(len(tt.sql)))
			b.ReportAllocs()
			for b.Loop() {
				key, _ = parser.Strip(key[:0], tt.sql)
			}
		})
	}
}

// BenchmarkPlan is for a table one of whose columns is given the time by default.
func BenchmarkPlan(b *testing.B) {
	const sql = `INSERT INTO t (id, a, day, u) VALUES (1, 'x', '2026-01-02', '')`
	for _, tt := range []struct {
		name, sql string
	}{{"one_default", sql}, {"nothing", `INSERT INTO plain VALUES (1, 'x')`}} {
		b.Run(tt.name, func(b *testing.B) {
			c := parser.NewCache(1<<20, 1)
			c.Script(otherLiterals.Replace(tt.sql))
			b.ReportAllocs()
			for b.Loop() {
				plan := c.Plan(tt.sql, &c.Script(tt.sql).Statements[0], someFacts{}, parser.PlanOptions{})
				if plan.Empty() {
					continue
				}
				values, err := plan.Values(someTime, nil)
				if err != nil {
					b.Fatal(err)
				}
				_ = plan.Splice(values).SQL
			}
		})
	}
}
