package capture_test

import (
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// catalogue is what the tests know.
type catalogue struct{}

var tables = map[string]*catalog.Table{
	"t": {Exists: true, Columns: []catalog.Column{{Name: "id", Type: "integer"}, {Name: "v", Type: "text"}, {Name: "g", Type: "integer", Generated: true}},
		Keys: [][]string{{"id"}, {"v"}}, Effects: catalog.Effects{Firm: [][]string{{"id"}}}},
	"s": {Exists: true, Columns: []catalog.Column{
		{Name: "id", Type: "integer", Volatile: true, Default: "nextval('public.s_id_seq'::regclass)"}, {Name: "v", Type: "text"},
		{Name: "n", Type: "integer", Identity: 'a', Volatile: true},
	}, Keys: [][]string{{"id"}}, Effects: catalog.Effects{Firm: [][]string{{"id"}}}},
	"keyless":   {Exists: true, Columns: []catalog.Column{{Name: "v", Type: "text"}}},
	"triggered": {Exists: true, Columns: []catalog.Column{{Name: "id", Type: "integer"}}, Effects: catalog.Effects{Triggers: true, Firm: [][]string{{"id"}}}},
	"late":      {Exists: true, Columns: []catalog.Column{{Name: "id", Type: "integer"}}, Effects: catalog.Effects{LateKeys: true}},
	"looked":    {Exists: true, View: true, Columns: []catalog.Column{{Name: "id", Type: "integer"}}},
}

func (catalogue) TableOf(r parser.Relation) (*catalog.Table, bool) {
	t, ok := tables[r.Name]
	return t, ok
}

func (catalogue) FunctionOf(f parser.Function) (catalog.Function, bool) {
	return catalog.Function{Exists: true, Alike: f.Name == "stable", Aggregate: f.Name == "joined", Volatility: map[string]catalog.Volatility{"stable": catalog.Stable}[f.Name]}, true
}

// TestPlainWrites are those for which nothing is done, and that is known without a question.
func TestPlainWrites(t *testing.T) {
	for _, sql := range []string{
		"INSERT INTO t VALUES (1, 'x'), (2, 'y')", "INSERT INTO t DEFAULT VALUES", "INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = t.v || excluded.v",
		"UPDATE t SET v = v || 'x' WHERE id = 1 AND v <> 'y'", "DELETE FROM t WHERE $1 = id", "UPDATE t SET v = lower(v) WHERE v = 'x' RETURNING *",
		"SELECT * FROM t WHERE id = 3 FOR UPDATE",
	} {
		st := statement(t, sql)
		if plan := capture.Decide(st, catalogue{}, capture.Situation{}); plan != nil {
			t.Errorf("%s: %v because it %s", sql, plan.Way, plan.Reasons)
		}
		if !capture.Plain(st, tables["t"]) {
			t.Errorf("%s: not plain", sql)
		}
	}
}

func statement(t testing.TB, sql string) *parser.Statement {
	t.Helper()
	script := parser.Classify(sql)
	if script.Err != nil {
		t.Fatalf("%s: %v", sql, script.Err)
	}
	return &script.Statements[0]
}

func TestDecide(t *testing.T) {
	one := capture.Situation{OneSnapshot: true}
	tests := []struct {
		sql  string
		sit  capture.Situation
		want string
	}{
		{"INSERT INTO t SELECT * FROM s", capture.Situation{}, "rows of the main node"},
		{"INSERT INTO t SELECT * FROM s", one, "each node alone"},
		{"INSERT INTO t SELECT * FROM s LIMIT 1", one, "rows of the main node"},
		{"INSERT INTO s (v) SELECT v FROM t", one, "rows of the main node"},
		{"INSERT INTO s (v) SELECT v FROM t", capture.Situation{Way: capture.Locks}, "rows of the main node"},
		{"INSERT INTO s (id, v, n) SELECT id, v, id FROM t", one, "each node alone"},
		{"INSERT INTO t SELECT 1, joined(v) FROM s", one, "rows of the main node"},
		{"UPDATE t SET v = array(SELECT v FROM s)::text WHERE id = 1", one, "rows of the main node"},
		{"UPDATE t SET v = array(SELECT v FROM s ORDER BY 1)::text WHERE id = 1", one, "each node alone"},
		{"INSERT INTO t VALUES (1, (SELECT v FROM s))", capture.Situation{}, "rows of the main node"},
		{"INSERT INTO t VALUES (1, stable())", capture.Situation{}, "rows of the main node"},
		{"INSERT INTO t VALUES (1, 'x')", capture.Situation{Unlike: true}, "rows of the main node"},
		{"INSERT INTO t SELECT i, f(i) FROM generate_series(1, 9) i", capture.Situation{Unlike: true}, "table locks: it calls a function that may have side effects"},
		{"INSERT INTO t SELECT nextval('s'), v FROM s", capture.Situation{}, "table locks: it calls a sequence function"},
		{"INSERT INTO t SELECT nextval('s'), v FROM s", one, "table locks: it calls a sequence function"},
		{"INSERT INTO t SELECT nextval('s'), 'x'", one, "each node alone"},
		{"INSERT INTO s (v) SELECT v FROM t", one, "rows of the main node"},
		{"INSERT INTO s (v) SELECT v FROM t", capture.Situation{Way: capture.Locks}, "rows of the main node"},
		{"INSERT INTO s (id, n, v) SELECT 1, 2, v FROM t", one, "each node alone"},
		{"UPDATE s SET id = DEFAULT", one, "table locks: the table has no key without nulls that stays as it is"},
		{"MERGE INTO s USING t ON t.id = s.id WHEN NOT MATCHED THEN INSERT (v) VALUES (t.v)", one, "table locks: merge returns no rows of one table"},
		{"INSERT INTO s SELECT * FROM t", capture.Situation{}, "table locks: it may or may not draw from a sequence"},
		{"INSERT INTO s (v) SELECT v FROM t", capture.Situation{}, "rows of the main node"},
		{"INSERT INTO s (v) SELECT v FROM t ON CONFLICT DO NOTHING", capture.Situation{}, "table locks: rows in its way may have drawn from a sequence"},
		{"UPDATE t SET v = 'x' WHERE id > 3", capture.Situation{}, "rows of the main node"},
		{"UPDATE t SET v = 'x' WHERE id > 3", capture.Situation{Way: capture.Locks}, "table locks"},
		{"UPDATE t SET v = 'x' WHERE id = 3", capture.Situation{}, "each node alone"},
		{"UPDATE t SET v = 'x' WHERE id = 3", capture.Situation{Compare: true}, "compared rows"},
		{"INSERT INTO t VALUES (1, 'x')", capture.Situation{Compare: true}, "compared rows"},
		{"CREATE TABLE made AS SELECT 1", capture.Situation{Compare: true}, "each node alone"},
		{"SELECT * FROM t", capture.Situation{Compare: true}, "each node alone"},
		{"UPDATE t SET v = 'x' WHERE id > 3", capture.Situation{Way: capture.Digest}, "compared rows"},
		{"UPDATE t SET v = xmin::text WHERE id = 3", capture.Situation{Way: capture.Locks}, "rows of the main node"},
		{"UPDATE t SET id = id + 1 WHERE id > 3", capture.Situation{}, "table locks: the table has no key without nulls that stays as it is"},
		{"DELETE FROM keyless", capture.Situation{}, "table locks: the table has no key without nulls that stays as it is"},
		{"UPDATE triggered SET id = 1 WHERE id > 3", capture.Situation{}, "table locks: the table has triggers"},
		{"INSERT INTO late VALUES (1)", capture.Situation{}, "table locks: the table has a unique key that is checked late"},
		{"DELETE FROM looked WHERE id = 1", capture.Situation{}, "table locks: it changes a view"},
		{"WITH d AS (DELETE FROM t RETURNING *) INSERT INTO keyless SELECT v FROM d", capture.Situation{}, "table locks: it has several targets"},
		{"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", capture.Situation{}, "table locks: merge returns no rows of one table"},
		{"CREATE TABLE made AS SELECT * FROM t", capture.Situation{}, "table locks: create table as returns no rows of one table"},
		{"CREATE TABLE made AS SELECT 1", capture.Situation{}, "each node alone"},
		{"COPY t FROM STDIN", capture.Situation{}, "each node alone"},
		{"SELECT * FROM t", capture.Situation{}, "each node alone"},
		{"SELECT * FROM t ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED", one, "rows of the main node"},
		{"SELECT * FROM t WHERE v > 'x' FOR UPDATE", capture.Situation{}, "rows of the main node"},
		{"SELECT * FROM t JOIN s USING (id) FOR UPDATE OF t", capture.Situation{}, "compared rows: it reads more than one table"},
		{"SELECT * FROM t WHERE v > 'x' FOR UPDATE", one, "each node alone"},
	}
	for _, tt := range tests {
		t.Run(tt.sql, func(t *testing.T) {
			got := "each node alone"
			if plan := capture.Decide(statement(t, tt.sql), catalogue{}, withRows(tt.sit)); plan != nil {
				got = plan.Way.String()
				if plan.Obstacle != "" {
					got += ": " + plan.Obstacle
				}
				if len(plan.Reasons) == 0 {
					t.Error("no reasons")
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func withRows(sit capture.Situation) capture.Situation {
	if sit.Way == 0 {
		sit.Way = capture.Rows
	}
	return sit
}

func TestReplay(t *testing.T) {
	tests := []struct {
		sql, onMain string
		rows        []string
		want        string
	}{
		{"UPDATE t AS x SET v = 'a' WHERE id > 1; -- end", `UPDATE t AS x SET v = 'a' WHERE id > 1 RETURNING ROW("x"."id", "x"."v")::pg_catalog.text AS pgchorus_row; -- end`,
			[]string{`(1,"it's ""x"" \\")`, `(2,)`, `(3,"")`},
			`UPDATE "t" AS pgchorus_table SET "v" = pgchorus_rows."1" FROM (VALUES ('1'::integer,  E'it''s "x" \\'::text), ('2', NULL), ('3', '')) AS pgchorus_rows ("0", "1") WHERE pgchorus_table."id" = pgchorus_rows."0" -- UPDATE 3`},
		{"DELETE FROM t WHERE id > 1 RETURNING v", `DELETE FROM t WHERE id > 1 RETURNING v, ROW("t"."id")::pg_catalog.text AS pgchorus_row`, []string{"(7)"},
			`DELETE FROM "t" AS pgchorus_table USING (VALUES ('7'::integer)) AS pgchorus_rows ("0") WHERE pgchorus_table."id" = pgchorus_rows."0" -- DELETE 1`},
		{"INSERT INTO s (v) SELECT v FROM t", `INSERT INTO s (v) SELECT v FROM t RETURNING ROW("s"."id", "s"."v", "s"."n")::pg_catalog.text AS pgchorus_row`, []string{"(1,a,4)", "(2,b,5)"},
			`SELECT pg_catalog.count(nextval('public.s_id_seq'::regclass)) FROM pg_catalog.generate_series(1, 2) -- SELECT 1
SELECT pg_catalog.count(pg_catalog.nextval(pg_catalog.pg_get_serial_sequence('"s"', 'n')::pg_catalog.regclass)) FROM pg_catalog.generate_series(1, 2) -- SELECT 1
INSERT INTO "s" ("id", "v", "n") OVERRIDING SYSTEM VALUE VALUES ('1', 'a', '4'), ('2', 'b', '5') -- INSERT 0 2`},
		{"INSERT INTO t SELECT id, v FROM s ON CONFLICT (v) DO UPDATE SET v = 'x'", `INSERT INTO t SELECT id, v FROM s ON CONFLICT (v) DO UPDATE SET v = 'x' RETURNING ROW("t"."id", "t"."v")::pg_catalog.text AS pgchorus_row`,
			[]string{"(1,x)"}, `INSERT INTO "t" ("id", "v") OVERRIDING SYSTEM VALUE VALUES ('1', 'x') ON CONFLICT ("id") DO UPDATE SET "v" = excluded."v" -- INSERT 0 1`},
		{"SELECT v IS DISTINCT FROM 'a', extract(year FROM now()) FROM t AS x LIMIT 1 FOR SHARE SKIP LOCKED",
			`SELECT v IS DISTINCT FROM 'a', extract(year FROM now()) , ROW("x"."id")::pg_catalog.text AS pgchorus_row FROM t AS x LIMIT 1 FOR SHARE SKIP LOCKED`, []string{"(1)"},
			`SELECT 1 FROM "t" AS pgchorus_table, (VALUES ('1'::integer)) AS pgchorus_rows ("0") WHERE pgchorus_table."id" = pgchorus_rows."0" FOR SHARE OF pgchorus_table -- SELECT 1`},
	}
	for _, tt := range tests {
		t.Run(tt.sql, func(t *testing.T) {
			plan := capture.Decide(statement(t, tt.sql), catalogue{}, capture.Situation{Way: capture.Rows})
			if plan == nil || plan.Way != capture.Rows {
				t.Fatalf("no plan to capture rows: %+v", plan)
			}
			if got, ok := plan.OnMain(tt.sql, true); !ok || got != tt.onMain {
				t.Errorf("on main\n got %s\nwant %s", got, tt.onMain)
			}
			var rows [][]byte
			for _, row := range tt.rows {
				rows = append(rows, []byte(row))
			}
			statements, err := plan.Replay(rows)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, st := range statements {
				got = append(got, st.SQL+" -- "+st.Tag)
			}
			if strings.Join(got, "\n") != tt.want {
				t.Errorf("replay\n got %s\nwant %s", strings.Join(got, "\n"), tt.want)
			}
		})
	}
}

func TestMalformedRowsAreNotReplayed(t *testing.T) {
	plan := capture.Decide(statement(t, "DELETE FROM t"), catalogue{}, capture.Situation{Way: capture.Rows})
	for _, row := range []string{"", "(", "1", "(1,2)", `("1)`, `("1"2)`, `("\a")`} {
		if got, err := plan.Replay([][]byte{[]byte(row)}); err == nil {
			t.Errorf("%s: %v", row, got)
		}
	}
}

func TestLocksAreTakenInOneOrder(t *testing.T) {
	plan := capture.Decide(statement(t, "INSERT INTO keyless SELECT v FROM public.z JOIN a USING (v) JOIN pg_class ON true"), catalogue{}, capture.Situation{Way: capture.Locks})
	var got []string
	for _, lock := range plan.Locks() {
		got = append(got, lock.SQL())
	}
	want := `LOCK TABLE "a" IN SHARE MODE; LOCK TABLE "keyless" IN SHARE ROW EXCLUSIVE MODE; LOCK TABLE "pg_class" IN SHARE MODE; LOCK TABLE "public"."z" IN SHARE MODE`
	if strings.Join(got, "; ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "; "), want)
	}
}

func BenchmarkPlain(b *testing.B) {
	st := statement(b, "UPDATE t SET v = v || 'x' WHERE id = 1")
	b.ReportAllocs()
	for b.Loop() {
		if !capture.Plain(st, tables["t"]) {
			b.Fatal("not plain")
		}
	}
}
