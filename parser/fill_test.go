package parser_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

// someFacts is the catalogue of the golden files.
type someFacts struct{}

// someColumns makes columns of "name type = default" and the like.
func someColumns(texts ...string) []parser.Column {
	var columns []parser.Column
	for _, text := range texts {
		head, expression, volatile := strings.Cut(text, " = ")
		name, typ, _ := strings.Cut(head, " ")
		c := parser.Column{Name: name, Type: typ, Volatile: volatile, Default: expression}
		c.Identity = expression == "identity" || expression == "always"
		if c.Always = expression == "always"; c.Identity {
			c.Sequence = `public."` + name + `_seq"`
		}
		for _, f := range []parser.Function{{Schema: "app", Name: "made"}, {Schema: "public", Name: "uuid_generate_v4"}} {
			if strings.Contains(expression, f.String()) {
				f.Class = parser.UnknownFunction
				c.Unlike = append(c.Unlike, f)
			}
		}
		columns = append(columns, c)
	}
	return columns
}

var someTables = map[string]*parser.Table{
	"t": {
		Columns: someColumns("id int4", "a text", "at timestamptz = now()", "day date = (CURRENT_DATE + 1)", "u uuid = gen_random_uuid()", "z int4"),
		Keys:    [][]string{{"id"}},
	},
	"s":      {Columns: someColumns("id int8 = nextval('s_id_seq'::regclass)", "a text", "o int4 = identity")},
	"always": {Columns: someColumns("id int8 = always", "a text", "n text = ('N'::text || nextval('app.n'::regclass))"), Keys: [][]string{{"id"}}},
	"plain":  {Columns: someColumns("id int4", "a text", "b text")},
	"m": {Columns: someColumns("id int4", `"Odd"name text = (app.made() || now())`, "v uuid = public.uuid_generate_v4()",
		"w text = ('x'::text || (random())::text)", "n timestamp = ('now'::text)::timestamp without time zone", "p int4 = pg_backend_pid()")},
	"v":    {Columns: someColumns("id int4", "a timestamptz = now()"), View: true},
	"gone": nil,
}

func (someFacts) Table(r parser.Relation) (*parser.Table, bool) {
	t, ok := someTables[r.Name]
	return t, ok
}

func (someFacts) Function(f parser.Function) (parser.FunctionFacts, bool) {
	switch f.Name {
	case "pure":
		return parser.FunctionFacts{Alike: true}, true
	case "rows":
		return parser.FunctionFacts{ReturnsSet: true}, true
	case "made":
		return parser.FunctionFacts{}, true
	}
	return parser.FunctionFacts{}, false
}

// counting is entropy that tells the values apart.
type counting struct{ n uint64 }

func (c *counting) Read(b []byte) (int, error) {
	clear(b)
	c.n++
	binary.BigEndian.PutUint64(b, c.n<<60)
	return len(b), nil
}

// planOf classifies and plans a statement.
func planOf(t testing.TB, sql string, opt parser.PlanOptions) (*parser.Statement, *parser.Plan) {
	t.Helper()
	cache := parser.NewCache(1<<20, 1)
	cache.Script(otherLiterals.Replace(sql))
	script := cache.Script(sql)
	if script.Err != nil {
		t.Fatalf("%q: %v", sql, script.Err)
	}
	st := &script.Statements[0]
	return st, cache.Plan(sql, st, someFacts{}, opt)
}

// someValues are values for a plan, main's answers made up.
func someValues(t testing.TB, plan *parser.Plan) []parser.Value {
	t.Helper()
	values, err := plan.Values(someTime, &counting{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Slots {
		if plan.Slots[i].Source >= parser.FromSequence {
			values[i].Text = strconv.Itoa(100 + i)
		}
	}
	for i, question := range plan.Questions(values) {
		var row [][]byte
		for n := range strings.Count(question, "pg_catalog.pg_typeof(") {
			row = append(row, fmt.Appendf(nil, "main's %d", n), []byte("text"))
		}
		row = append(row, []byte("f"), []byte("4"))
		if err := plan.Answer(values, i, row); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// renderPlan shows what a golden file has of a plan.
func renderPlan(t testing.TB, command, sql string) string {
	st, plan := planOf(t, sql, parser.PlanOptions{
		Extended: strings.HasSuffix(command, "params"), Seeded: command == "seeded", Lease: strings.HasPrefix(command, "lease"),
	})
	values := someValues(t, plan)
	var lines []string
	if !plan.Empty() {
		filled := plan.Splice(values)
		if command == "params" || command == "lease-params" {
			filled, _ = plan.Params(st.MaxParam + 1)
		}
		lines = append(lines, filled.SQL)
		for i, slot := range filled.Slots {
			lines = append(lines, fmt.Sprintf("$%d: %s", st.MaxParam+1+i, values[slot].Text))
		}
	}
	for _, q := range plan.Questions(values) {
		where := "main"
		if plan.Everywhere() {
			where = "all"
		}
		asked, _, _ := strings.Cut(strings.TrimPrefix(q, "WITH a AS MATERIALIZED "), ", o AS MATERIALIZED (")
		lines = append(lines, "ask "+where+": "+asked)
	}
	for _, r := range plan.Reasons {
		lines = append(lines, "reason: "+r.String())
	}
	for _, ref := range plan.Unleased {
		lines = append(lines, fmt.Sprintf("lock: %+v", ref))
	}
	for _, s := range plan.Sequences {
		lines = append(lines, "sequence: "+s)
	}
	if len(lines) == 0 {
		return "nothing to do"
	}
	return strings.Join(lines, "\n")
}

func TestFillGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/fill/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("golden files: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cases := readGolden(t, path)
			for i, g := range cases {
				got := renderPlan(t, g.command, g.input)
				if *rewrite {
					cases[i].output = got
				} else if got != g.output {
					t.Errorf("%s %s\n got:\n%s\n want:\n%s", g.command, g.input, got, g.output)
				}
			}
			if *rewrite {
				writeGolden(t, path, cases)
			}
		})
	}
}

func TestFilledWithParameters(t *testing.T) {
	t.Parallel()
	tests := []struct{ sql, want string }{
		{"INSERT INTO s (a) VALUES ('x')", `INSERT INTO s (a, "id", "o") VALUES ($1 , (($2::pg_catalog.int8)), ($3::pg_catalog.int8)); id o`},
		{"INSERT INTO s VALUES (DEFAULT, 'x', 7) -- 8", `INSERT INTO s VALUES ((($3::pg_catalog.int8)), $1 , $2 ) -- 8; id`},
		{"INSERT INTO t (id, at, a) VALUES (-7, DEFAULT, 'x')",
			`INSERT INTO t (id, at, a, "day", "u") VALUES (-$1 , (($3::pg_catalog.timestamptz)), $2 , (((($3::pg_catalog.timestamptz)::pg_catalog.date) + 1)), (($4::pg_catalog.uuid))); at day u`},
	}
	for _, tt := range tests {
		cache := parser.NewCache(1<<20, 1)
		plan := cache.Plan(tt.sql, &cache.Script(tt.sql).Statements[0], someFacts{}, parser.PlanOptions{Lease: true})
		literals, _ := new(parser.LiteralScanner).Scan(tt.sql)
		filled, _ := plan.Params(len(literals) + 1)
		got := filled.WithParameters(literals) + ";"
		for _, column := range []string{"id", "a", "at", "day", "u", "o"} {
			if plan.Gives(column) {
				got += " " + column
			}
		}
		if got != tt.want || !plan.Made() {
			t.Errorf("%s, made %t:\n got %s\nwant %s", tt.sql, plan.Made(), got, tt.want)
		}
	}
}

func TestMade(t *testing.T) {
	t.Parallel()
	cache := parser.NewCache(1<<20, 1)
	for _, sql := range []string{"INSERT INTO m (id) VALUES (1)", "INSERT INTO v (id) VALUES (1)", "INSERT INTO plain VALUES (currval('s'))", "INSERT INTO s (a) SELECT 'x'"} {
		if cache.Plan(sql, &cache.Script(sql).Statements[0], someFacts{}, parser.PlanOptions{Lease: true}).Made() {
			t.Errorf("%s: all values are made", sql)
		}
	}
}
