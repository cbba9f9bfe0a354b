package parser_test

import (
	"fmt"
	"time"

	"github.com/pgchorus/pgchorus/parser"
)

func ExampleClassify() {
	script := parser.Classify("SELECT * FROM a; INSERT INTO b SELECT f(x) FROM c")
	for _, st := range script.Statements {
		fmt.Println(st.Kind, "read only:", st.ReadOnly, "reads:", st.Reads, "writes:", st.Writes, "unknown:", st.UnknownFunctions)
	}
	// Output:
	// select read only: true reads: [a] writes: [] unknown: []
	// insert read only: false reads: [c] writes: [b] unknown: [f]
}

// noFacts is a catalogue that knows nothing.
type noFacts struct{}

func (noFacts) Table(parser.Relation) (*parser.Table, bool) { return nil, false }

func (noFacts) Function(parser.Function) (parser.FunctionFacts, bool) {
	return parser.FunctionFacts{}, false
}

func ExampleCache_Plan() {
	sql := "UPDATE t SET a = now() /* hint */ WHERE id = $1"
	cache := parser.NewCache(1<<20, 0)
	st := &cache.Script(sql).Statements[0]

	plan := cache.Plan(sql, st, noFacts{}, parser.PlanOptions{})
	values, err := plan.Values(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), nil)
	fmt.Println(plan.Splice(values).SQL, err)

	plan = cache.Plan(sql, st, noFacts{}, parser.PlanOptions{Extended: true})
	filled, _ := plan.Params(st.MaxParam + 1)
	fmt.Println(filled.SQL)
	// Output:
	// UPDATE t SET a = ('2026-01-02 03:04:05.000000+00'::pg_catalog.timestamptz) /* hint */ WHERE id = $1 <nil>
	// UPDATE t SET a = ($2::pg_catalog.timestamptz) /* hint */ WHERE id = $1
}

func ExampleMemo() {
	cache := parser.NewCache(16<<20, 0) // one for the process
	var memo parser.Memo                // one for each session

	memo.Script(cache, "SELECT * FROM t WHERE id = 1")
	script := memo.Script(cache, "SELECT * FROM t WHERE id = 2")
	fmt.Println(script.ReadOnly, "parsed:", cache.Stats().Misses)
	// Output: true parsed: 1
}
