package parser_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

func TestParseDefault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, want string
	}{
		{"5", ""},
		{"'it''s now'::text", ""},
		{"lower('X'::text)", ""},
		{"now()", "time"},
		{"(CURRENT_DATE + 1)", "time"},
		{"('now'::text)::date", "time"},
		{"timeofday()", "time"},
		{"random()", "volatile"},
		{"gen_random_uuid()", "volatile"},
		{"pg_backend_pid()", "node local"},
		{"nextval('s'::regclass)", "sequence"},
		{"public.uuid_generate_v4()", "unknown"},
		{"app.now()", "unknown"},
		{"concat(app.f(now()), random(), nextval('s'::regclass), inet_server_addr())", "time, volatile, node local, sequence, unknown"},
		{"1, 2", "error"},
		{"1 FROM t", "error"},
		{"1 WHERE true", "error"},
		{"1; SELECT 2", "error"},
		{"1 AS x", "error"},
		{"'\xff'", "error"},
		{"", "error"},
		{strings.Repeat("(", 50_000) + "1" + strings.Repeat(")", 50_000), "error"},
	}
	for _, tt := range tests {
		d := parser.ParseDefault(tt.text)
		var got []string
		for _, f := range []struct {
			on   bool
			name string
		}{
			{d.Time, "time"}, {d.Volatile, "volatile"}, {d.NodeLocal, "node local"}, {d.Sequence, "sequence"}, {d.Unknown, "unknown"}, {d.Err != nil, "error"},
		} {
			if f.on {
				got = append(got, f.name)
			}
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%.60s: %s, want %s", tt.text, strings.Join(got, ", "), tt.want)
		}
	}
}

func TestDefaultTextDoesNotHangOnStandardStrings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`'a'`: `'a'`, `f('\')`: `f( E'\\')`, `'it''s \'::text || 'x' || "a\b"`: ` E'it''s \\'::text || 'x' || "a\b"`,
	} {
		if got := parser.ParseDefault(text).Text; got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

// TestPosition leads each character of a filled text back.
func TestPosition(t *testing.T) {
	t.Parallel()
	const sql = "INSERT INTO t(id, a) VALUES (1, 'ä') RETURNING nope, now(), nope2"
	_, plan := planOf(t, sql, parser.PlanOptions{})
	filled := plan.Splice(someValues(t, plan))
	at := func(text, word string) int { return len([]rune(text[:strings.Index(text, word)])) + 1 }
	for _, word := range []string{"INSERT", "t(id", "id", ") VALUES", "1,", "'ä'", ") RET", "nope", "nope2"} {
		if got, want := filled.Position(at(filled.SQL, word)), at(sql, word); got != want {
			t.Errorf("%s: position %d, want %d", word, got, want)
		}
	}
	for word, place := range map[string]string{`"day"`: ") VALUES", "CURRENT_DATE": ") RET", "::pg_catalog.uuid": ") RET", ` AS "now"`: "now()"} {
		if !strings.Contains(filled.SQL, word) {
			continue
		}
		if got, want := filled.Position(at(filled.SQL, word)), at(sql, place); got != want {
			t.Errorf("%s: position %d, want %d", word, got, want)
		}
	}
	if got := filled.Position(len(filled.SQL) + 100); got != len([]rune(sql))+1 {
		t.Errorf("behind the end: %d", got)
	}
}

// TestPlanOfOneOfSeveral plans the statements of a string by their own texts.
func TestPlanOfOneOfSeveral(t *testing.T) {
	t.Parallel()
	const sql = " /* x */ INSERT INTO t(id) VALUES (1) ; UPDATE t SET at = DEFAULT; SELECT 1; INSERT INTO plain VALUES (random()) "
	cache := parser.NewCache(1<<20, 1)
	script := cache.Script(sql)
	want := []string{"at", "UPDATE t SET at = (('2026", "", "INSERT INTO plain VALUES (('0."}
	for i := range script.Statements {
		st := &script.Statements[i]
		plan := cache.Plan(st.Text(sql), st, someFacts{}, parser.PlanOptions{})
		filled := plan.Splice(someValues(t, plan))
		if plan.Empty() != (want[i] == "") || !strings.Contains(filled.SQL, want[i]) {
			t.Errorf("%s became %s", st.Text(sql), filled.SQL)
		}
	}
}

// TestPlanOfAnotherText: a plan is not made of places that do not fit.
func TestPlanOfAnotherText(t *testing.T) {
	t.Parallel()
	cache := parser.NewCache(1<<20, 1)
	st := &cache.Script("INSERT INTO t(id, a) VALUES (1, now())").Statements[0]
	for _, sql := range []string{"", "SELECT", "INSERT INTO t(id", "INSERT INTO t VALUES ('\\', now())"} {
		plan := cache.Plan(sql, st, someFacts{}, parser.PlanOptions{})
		if !plan.Empty() || len(plan.Reasons) == 0 {
			t.Errorf("%q: %+v", sql, plan)
		}
	}
	calls := &cache.Script("INSERT INTO t(id, a) VALUES (1, unknown('x') || unknown('y'))").Statements[0]
	if plan := cache.Plan("INSERT INTO t(id, a) VALUES (1, 'x' || unknown('y')", calls, someFacts{}, parser.PlanOptions{}); !plan.Empty() {
		t.Errorf("a shorter text with calls: %+v", plan)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	_, plan := planOf(t, "INSERT INTO plain VALUES (now(), gen_random_uuid(), uuidv7(), random())", parser.PlanOptions{})
	patterns := map[parser.Source]string{
		parser.FromTime:   `^2026-01-02 03:04:05\.678901\+00$`,
		parser.FromUUID:   `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		parser.FromUUID7:  `^019b7ca9-8f2e-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		parser.FromRandom: `^0\.[0-9]+$`,
	}
	at := someTime.In(time.FixedZone("", 3600))
	values, err := plan.Values(at, &counting{n: 3})
	if err != nil || len(values) != len(patterns) {
		t.Fatalf("%d values, %v", len(values), err)
	}
	for i, slot := range plan.Slots {
		if !regexp.MustCompile(patterns[slot.Source]).MatchString(values[i].Text) {
			t.Errorf("%v: %s", slot.Source, values[i].Text)
		}
	}
	if _, err := plan.Values(at, strings.NewReader("short")); err == nil {
		t.Error("made values of too little entropy")
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	_, plan := planOf(t, "INSERT INTO plain VALUES (1, app.made())", parser.PlanOptions{})
	row := func(texts ...string) [][]byte {
		var row [][]byte
		for _, text := range texts {
			row = append(row, []byte(text))
		}
		return row
	}
	tests := []struct {
		name string
		row  [][]byte
		want string
	}{
		{"a text", row("it's", "text", "f", "4"), "('it''s'::text)"},
		{"a backslash", row(`\'`, "text", "f", "4"), `(E'\\'''::text)`},
		{"null", append([][]byte{nil}, row("integer", "f", "4")...), "(NULL::integer)"},
		{"a length that is not its own", row("abc", "character", "f", "4"), "('abc'::pg_catalog.bpchar)"},
		{"an array", row("{abc}", "character[]", "f", "4"), "('{abc}'::pg_catalog.bpchar[])"},
		{"bits", row("101", "bit", "f", "4"), "('101'::pg_catalog.bit)"},
		{"no value", row("", "void", "f", "4"), "error 0A000"},
		{"a record", row("(1,2)", "record", "f", "4"), "error 0A000"},
		{"too few columns", row("x", "text"), "error XX000"},
		{"no columns", nil, "error XX000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			values := make([]parser.Value, len(plan.Slots))
			got := ""
			if err := plan.Answer(values, 0, tt.row); err != nil {
				got = "error " + string(pgerr.CodeOf(err))
			} else {
				got = strings.TrimSuffix(strings.TrimPrefix(plan.Splice(values).SQL, "INSERT INTO plain VALUES (1, "), ")")
			}
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if plan.Answer(make([]parser.Value, 1), 5, row("x", "text", "f", "4")) == nil {
		t.Error("took an answer to a question that was not asked")
	}
}

// TestManyValues: questions and parameters are bounded.
func TestManyValues(t *testing.T) {
	t.Parallel()
	sql := "INSERT INTO plain VALUES (1, app.made())" + strings.Repeat(", (2, app.made())", 1200)
	_, plan := planOf(t, sql, parser.PlanOptions{})
	values := someValues(t, plan)
	if n := len(plan.Questions(values)); n != 3 {
		t.Errorf("%d questions", n)
	}
	if got := strings.Count(plan.Splice(values).SQL, "::text"); got != 1201 {
		t.Errorf("%d values", got)
	}
	_, plan = planOf(t, "INSERT INTO plain VALUES (random())"+strings.Repeat(", (random())", 999), parser.PlanOptions{Extended: true})
	if filled, ok := plan.Params(1); !ok || len(filled.Slots) != 1000 {
		t.Errorf("%d parameters, %v", len(filled.Slots), ok)
	}
	if _, ok := plan.Params(64600); ok {
		t.Error("more parameters than Bind can carry")
	}
}

func TestExecuteWith(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"EXECUTE q": "EXECUTE q('x', $1)", "execute  q (1, ')') ;": "execute  q (1, ')', 'x', $1) ;",
		`/* a */ EXECUTE "Q q" -- b`: `/* a */ EXECUTE "Q q"('x', $1) -- b`, "SELECT 1": "", "EXECUTE": "", "EXECUTE q(1": "",
	} {
		if got, ok := parser.ExecuteWith(sql, []string{"'x'", "$1"}); got != want || ok != (want != "") {
			t.Errorf("%s became %q, want %q", sql, got, want)
		}
	}
}

func TestPreparedTypes(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]int{
		"PREPARE q AS SELECT 1": 0, "PREPARE q (int) AS SELECT $1": 1, `prepare "a(b" (numeric(10, 2), text) AS SELECT (1, 2)`: 2, "SELECT 1": 0, "PREPARE q (": 0,
	} {
		if got := parser.PreparedTypes(sql); got != want {
			t.Errorf("%s: %d types, want %d", sql, got, want)
		}
	}
}

// TestPlanOfPrepare plans the statement within PREPARE by the text around it.
func TestPlanOfPrepare(t *testing.T) {
	t.Parallel()
	const sql = "PREPARE q (int) AS INSERT INTO t(id) VALUES ($1)"
	cache := parser.NewCache(1<<20, 1)
	st := cache.Script(sql).Statements[0].Inner
	filled, ok := cache.Plan(sql, st, someFacts{}, parser.PlanOptions{Extended: true}).Params(st.MaxParam + 1)
	if !ok || !strings.HasPrefix(filled.SQL, `PREPARE q (int) AS INSERT INTO t(id, "at", "day", "u") VALUES ($1, (($2::`) {
		t.Errorf("became %s", filled.SQL)
	}
}

// TestNestedCallsTakeLinearTime: a hostile text must not cost the square of its length.
func TestNestedCallsTakeLinearTime(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("f(", 2000) + strings.Repeat("g(1),", 50_000) + "1" + strings.Repeat(")", 2000)
	cache := parser.NewCache(1<<20, 1)
	st := &cache.Script("INSERT INTO plain VALUES (" + deep + ")").Statements[0]
	if plan := cache.Plan("INSERT INTO plain VALUES ("+deep+")", st, someFacts{}, parser.PlanOptions{}); len(plan.Slots) != 1 {
		t.Errorf("%d values", len(plan.Slots))
	}
}
