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

func ExampleSpliceTime() {
	sql := "UPDATE t SET a = now() /* hint */ WHERE id = 7"
	calls := parser.Classify(sql).Statements[0].TimeCalls
	fmt.Println(parser.SpliceTime(sql, calls, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	// Output:
	// UPDATE t SET a = ('2026-01-02 03:04:05.000000+00'::pg_catalog.timestamptz) /* hint */ WHERE id = 7
}

func ExampleParamTime() {
	sql := "INSERT INTO t VALUES ($1, current_date)"
	st := parser.Classify(sql).Statements[0]
	fmt.Println(parser.ParamTime(sql, st.TimeCalls, st.MaxParam+1))
	// Output:
	// INSERT INTO t VALUES ($1, (($2::pg_catalog.timestamptz)::pg_catalog.date))
}

func ExampleMemo() {
	cache := parser.NewCache(16<<20, 0) // one for the process
	var memo parser.Memo                // one for each session

	memo.Script(cache, []byte("SELECT * FROM t WHERE id = 1"))
	script := memo.Script(cache, []byte("SELECT * FROM t WHERE id = 2"))
	fmt.Println(script.ReadOnly, "parsed:", cache.Stats().Misses)
	// Output: true parsed: 1
}
