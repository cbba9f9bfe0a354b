package parser_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pgchorus/pgchorus/parser"
)

// addGolden gives a fuzz target the inputs of the golden files, and texts that
// are hard for a scanner.
func addGolden(f *testing.F) {
	paths, err := filepath.Glob("testdata/classify/*.txt")
	if err != nil || len(paths) == 0 {
		f.Fatalf("golden files: %v, %v", paths, err)
	}
	for _, path := range paths {
		for _, g := range readGolden(f, path) {
			f.Add(g.input)
		}
	}
	for _, sql := range trickyTexts {
		f.Add(sql)
	}
}

// trickyTexts each have something that a scanner of ours could read otherwise
// than PostgreSQL's.
var trickyTexts = []string{
	`SELECT 'it''s', "a""b", 1.5, .5, 5., 1e10, 1.5e-3, 2147483647, 2147483648, 007`,
	`SELECT E'\'', U&'\0041', B'1', X'1F', N'x', e'x'`,
	`SELECT $$ ' $$, $a$ $$ ' $a$, $1, $12`,
	"SELECT 'a'\n'b'", "SELECT 'a' -- c\n 'b'", "SELECT 'to'\n'day'::date",
	`SELECT 1/* x */+/* y */-1`, `SELECT 1 /* /* */ */`, `SELECT 1 /*/ */`, `SELECT 1--2`, "SELECT 1 -- x\r+ 2",
	`SELECT 'a\' , ' b'`, `SELECT 1;`, `SELECT 1; ;  `, `;SELECT 1`, `SELECT 1;2`, `SELECT 0x1F, 1_000, 1a`,
	`SELECT a[1:2], a[1 : 2], 1..2, t1.x1, t$1 FROM t1`, `SELECT date '2020-01-01', date 5`,
	`SELECT float(5), x::float (100)`, `SELECT interval '1' day, interval(3) '1'`,
	`SELECT nextval ( /* x */ 's' ), "nextval"('s'), nextval(('s')), NEXTVAL('S')`,
	`SELECT 'NOW'::timestamp, ' now '::date, 'know'::date, 'now()'::timestamptz`,
	`INSERT INTO t VALUES (now/* ; */(), -5, - 5, 'x' , now ())`, `INSERT INTO t /* 1 */ VALUES (now(), /* 2 */ now())`,
	"SELECT '\x01', \"\x02\", 1", "SELECT '\xff'", "SELECT \"\xff\"", "SELECT 'a' ? '\x00'", `SELECT a ?| b, a @> 'x', a->>'k'`,
	`UPDATE t SET a = setval('s', -5)`, `SELECT * FROM t LIMIT 5 OFFSET 99999999999`,
	"--\\x", "SELECT 1 /* \\ */", `SELECT "\"`,
	`SELECT '1'::int, 1::text, 'x'::varchar(5), 'x'::char(99999999999)`, `SELECT u&'x'`, `SELECT u & 'x'`,
}

// otherLiterals makes of a key a text of the same shape.
var otherLiterals = strings.NewReplacer("\x01", "'zq'", "\x02", "77", "\x03", "7.5")

// FuzzStrip asks pg_query whether the scanner was right: what a Cache says of a
// text after it has learnt the shape from another text has to be what Classify
// says of it.
func FuzzStrip(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, sql string) {
		key, ok := parser.Strip(nil, sql)
		if !ok || len(sql) > 4096 {
			return
		}
		cousin := otherLiterals.Replace(string(key))
		cache := parser.NewCache(1<<20, 1)
		cache.Script(cousin)
		want := parser.Classify(sql)
		for range 2 {
			if diff := compareScripts(parser.Resolved(cache.Script(sql), sql), want); diff != "" {
				t.Fatalf("%q after %q: %s", sql, cousin, diff)
			}
		}
		if diff := compareScripts(parser.Resolved(cache.Script(cousin), cousin), parser.Classify(cousin)); diff != "" {
			t.Fatalf("%q: %s", cousin, diff)
		}
	})
}

// FuzzClassify asks for no more than that nothing panics and that the facts fit
// the text.
func FuzzClassify(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, sql string) {
		s := parser.Classify(sql)
		if len(s.Statements) == 0 {
			t.Fatalf("%q: no statement", sql)
		}
		for i := range s.Statements {
			st := &s.Statements[i]
			if st.ReadOnly && (st.HasLockingClause || len(st.Writes) > 0 || len(st.UnknownFunctions) > 0 || len(st.TimeCalls) > 0) {
				t.Errorf("%q: read only in spite of itself: %+v", sql, st)
			}
			st.Text(sql)
			for _, c := range st.TimeCalls {
				if c.Start < 0 || c.End > len(sql) || c.Start >= c.End {
					t.Errorf("%q: time call at %d to %d", sql, c.Start, c.End)
				}
			}
		}
	})
}

// everyTable says of every relation that it is the same table, and knows no function.
type everyTable struct{ table *parser.Table }

func (e everyTable) Table(parser.Relation) (*parser.Table, bool) { return e.table, true }

func (e everyTable) Function(parser.Function) (parser.FunctionFacts, bool) {
	return parser.FunctionFacts{}, false
}

// FuzzFill: a statement with values put in is still SQL, of the same shape, with
// nothing left that could be put in.
func FuzzFill(f *testing.F) {
	addGolden(f)
	for _, path := range []string{"testdata/fill/insert.txt", "testdata/fill/update.txt", "testdata/fill/calls.txt"} {
		for _, g := range readGolden(f, path) {
			f.Add(g.input)
		}
	}
	facts := everyTable{&parser.Table{Columns: someColumns("id int4", "a text", "b timestamptz = now()", "c text = app.made()",
		"d uuid = gen_random_uuid()", "e date = CURRENT_DATE", "f int4 = identity"), Keys: [][]string{{"id"}}}}
	f.Fuzz(func(t *testing.T, sql string) {
		if !utf8.ValidString(sql) || len(sql) > 4096 {
			return
		}
		cache := parser.NewCache(1<<20, 1)
		if key, ok := parser.Strip(nil, sql); ok {
			cache.Script(otherLiterals.Replace(string(key)))
		}
		script := cache.Script(sql)
		for i := range script.Statements {
			st := &script.Statements[i]
			checkFilled(t, cache, st.Text(sql), sql, st, facts)
		}
	})
}

// checkFilled checks both forms of one statement.
func checkFilled(t *testing.T, cache *parser.Cache, text, whole string, st *parser.Statement, facts parser.Facts) {
	t.Helper()
	if st.Length < 0 {
		text = whole
	}
	for _, extended := range []bool{false, true} {
		plan := cache.Plan(text, st, facts, parser.PlanOptions{Extended: extended})
		values := someValues(t, plan)
		filled := plan.Splice(values)
		if extended {
			filled, _ = plan.Params(st.MaxParam + 1)
		}
		if plan.Empty() {
			if filled.SQL != text {
				t.Fatalf("%q became %q for no reason", text, filled.SQL)
			}
			continue
		}
		after := parser.Classify(filled.SQL)
		if after.Err != nil || len(after.Statements) != 1 {
			t.Fatalf("%q became %q: %v", text, filled.SQL, after.Err)
		}
		checkShape(t, text, filled.SQL, st, &after.Statements[0])
		for p := 0; p < len(filled.SQL)+2; p += 1 + len(filled.SQL)/50 {
			if at := filled.Position(p); at < 1 || at > len(text)+1 {
				t.Fatalf("%q became %q: position %d is led to %d", text, filled.SQL, p, at)
			}
		}
	}
}

func checkShape(t *testing.T, text, filled string, before, after *parser.Statement) {
	t.Helper()
	if before.Kind != after.Kind || len(before.Targets) != len(after.Targets) {
		t.Fatalf("%q became %q: %v with %d targets, was %v with %d", text, filled, after.Kind, len(after.Targets), before.Kind, len(before.Targets))
	}
	for i, target := range before.Targets {
		now := after.Targets[i]
		if target.Relation != now.Relation || target.Rows != now.Rows || target.Unfillable != now.Unfillable || now.Cells < target.Cells ||
			len(now.Columns) < len(target.Columns) || now.Columns != nil && now.Rows > 0 && target.Cells == len(target.Columns) && now.Cells != len(now.Columns) {
			t.Fatalf("%q became %q: target %+v, was %+v", text, filled, now, target)
		}
	}
	for _, call := range after.TimeCalls {
		if call.Spliceable() {
			t.Fatalf("%q became %q: asks for the time", text, filled)
		}
	}
}

// FuzzNesting repeats what the fuzzer finds until a chain of it would overflow
// the parser's stack, should the guard let it through. A failure is a crash.
func FuzzNesting(f *testing.F) {
	f.Add("SELECT 1", "+1", "")
	f.Add("SELECT ", "(", "1")
	f.Add("SELECT 1 FROM a", " CROSS JOIN a", "")
	f.Add("SELECT a", " IS NOT NULL", "")
	f.Add("SELECT 1", " UNION SELECT 1 case, 2", "")
	f.Add("SELECT 1", " || CASE WHEN a THEN b END", " FROM t")
	f.Add("SELECT (", " x.or + ", " 1)")
	f.Add("WITH a AS (SELECT 1) SELECT 1", "::int[]::text COLLATE a.b AT TIME ZONE 'x'", "")
	f.Fuzz(func(t *testing.T, head, chain, tail string) {
		if len(chain) == 0 || len(chain) > 40 {
			return
		}
		parser.Classify(head + strings.Repeat(chain, 40_000) + tail)
	})
}
