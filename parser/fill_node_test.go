package parser_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/parser"
)

// node is a session on a real server, with the facts that Plan asks of it.
type node struct {
	t      testing.TB
	conn   *pgx.Conn
	cache  *parser.Cache
	tables map[parser.Relation]*parser.Table
}

func (n *node) Function(f parser.Function) (parser.FunctionFacts, bool) {
	facts, _ := n.ask(catalog.Question{Functions: []catalog.Name{{Schema: f.Schema, Name: f.Name}}}).Function(catalog.Name{Schema: f.Schema, Name: f.Name})
	return parser.FunctionFacts{Alike: facts.Alike, ReturnsSet: facts.ReturnsSet}, facts.Exists
}

func (n *node) Table(r parser.Relation) (*parser.Table, bool) {
	if t, ok := n.tables[r]; ok {
		return t, true
	}
	name := catalog.Name{Schema: r.Schema, Name: r.Name}
	facts, _ := n.ask(catalog.Question{Tables: []catalog.Name{name}}).Table(name)
	if facts.Ambiguous {
		return nil, false
	}
	var table *parser.Table
	if facts.Exists {
		table = tableOf(facts)
	}
	n.tables[r] = table
	return table, true
}

// tableOf is the catalogue's table as Plan wants it.
func tableOf(facts *catalog.Table) *parser.Table {
	table := &parser.Table{View: facts.View, Children: facts.Children, Grants: facts.Grants, Keys: facts.Keys}
	for _, c := range facts.Columns {
		column := parser.Column{Name: c.Name, Type: c.Type, Volatile: c.Volatile, Default: c.Default, Identity: c.Identity != 0, Always: c.Identity == 'a', Sequence: c.Sequence}
		for _, f := range c.Unlike {
			column.Unlike = append(column.Unlike, parser.Function{Schema: f.Schema, Name: f.Name, Class: parser.UnknownFunction})
		}
		table.Columns = append(table.Columns, column)
	}
	return table
}

func (n *node) ask(q catalog.Question) catalog.Answer {
	n.t.Helper()
	rows, err := n.rows(q.SQL())
	if err != nil {
		n.t.Fatal(err)
	}
	var texts []string
	for _, row := range rows {
		texts = append(texts, string(row[0]))
	}
	answer, err := q.Decode(texts)
	if err != nil {
		n.t.Fatal(err)
	}
	return answer
}

// rows runs a simple query and returns the rows of the last result.
func (n *node) rows(sql string) ([][][]byte, error) {
	results, err := n.conn.PgConn().Exec(n.t.Context(), sql).ReadAll()
	if err != nil {
		return nil, err
	}
	return results[len(results)-1].Rows, nil
}

func (n *node) must(sql string) [][][]byte {
	n.t.Helper()
	rows, err := n.rows(sql)
	if err != nil {
		n.t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

// outcome is what a statement has left behind: rows of all tables, and its own rows or
// its error.
type outcome struct {
	at      time.Time // of its transaction
	tables  string
	answer  string
	columns string // names and types of the answer's
	code    string
}

// run runs a statement in a transaction that is rolled back.
func (n *node) run(do func(at time.Time) *pgconn.Result) outcome {
	n.t.Helper()
	n.must("BEGIN")
	defer n.must("ROLLBACK")
	text := string(n.must("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")[0][0])
	at, err := time.Parse("2006-01-02 15:04:05.999999", text)
	if err != nil {
		n.t.Fatal(err)
	}
	n.must("ALTER SEQUENCE serial_id_seq RESTART; ALTER TABLE serial ALTER o RESTART; ALTER TABLE odd ALTER o RESTART")
	o := outcome{at: at}
	result := do(at)
	var pgErr *pgconn.PgError
	switch {
	case errors.As(result.Err, &pgErr):
		o.code = pgErr.Code
		return o
	case result.Err != nil:
		n.t.Fatal(result.Err)
	}
	for _, f := range result.FieldDescriptions {
		o.columns += fmt.Sprintf("%s:%d:%d ", f.Name, f.DataTypeOID, f.TypeModifier)
	}
	o.answer = written(result.Rows)
	for _, table := range []string{"t", "serial", "odd", "parts", "kids"} {
		o.tables += table + "\n" + written(n.must("SELECT * FROM "+table+" AS whole ORDER BY whole::text"))
	}
	return o
}

func written(rows [][][]byte) string {
	var b strings.Builder
	for _, row := range rows {
		for _, value := range row {
			if value == nil {
				b.WriteString("NULL|")
			} else {
				b.WriteString(string(value) + "|")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (n *node) simple(sql string) *pgconn.Result {
	results, err := n.conn.PgConn().Exec(n.t.Context(), sql).ReadAll()
	if err != nil {
		return &pgconn.Result{Err: err}
	}
	return results[len(results)-1]
}

// plan classifies a statement by its shape, learnt from another text.
func (n *node) plan(sql string, opt parser.PlanOptions) (*parser.Statement, *parser.Plan) {
	n.cache.Script(otherLiterals.Replace(sql))
	st := &n.cache.Script(sql).Statements[0]
	return st, n.cache.Plan(sql, st, n, opt)
}

// answered are values for a plan; the questions are put to the node.
func (n *node) answered(plan *parser.Plan, at time.Time) ([]parser.Value, error) {
	n.t.Helper()
	values, err := plan.Values(at, &counting{})
	if err != nil {
		n.t.Fatal(err)
	}
	for i, question := range plan.Questions(values) {
		rows, err := n.rows(question)
		if err != nil {
			return nil, err
		}
		if err := plan.Answer(values, i, rows[0]); err != nil {
			n.t.Fatal(err)
		}
	}
	return values, nil
}

func (n *node) spliced(sql string, at time.Time) *pgconn.Result {
	_, plan := n.plan(sql, parser.PlanOptions{})
	values, err := n.answered(plan, at)
	if err != nil {
		return &pgconn.Result{Err: err}
	}
	return n.simple(plan.Splice(values).SQL)
}

func (n *node) withParameters(sql string, at time.Time) *pgconn.Result {
	st, plan := n.plan(sql, parser.PlanOptions{Extended: true})
	values, err := n.answered(plan, at)
	if err != nil {
		return &pgconn.Result{Err: err}
	}
	filled, ok := plan.Params(st.MaxParam + 1)
	if !ok {
		n.t.Fatalf("%s: too many parameters", sql)
	}
	var params [][]byte
	for _, slot := range filled.Slots {
		if values[slot].Null {
			params = append(params, nil)
		} else {
			params = append(params, []byte(values[slot].Text))
		}
	}
	return n.conn.PgConn().ExecParams(n.t.Context(), filled.SQL, params, nil, nil, nil).Read()
}

// nodeTables have what defaults can be: every kind of time into every kind of type, with
// lengths; chance and functions only where the results can be told apart from others.
const nodeTables = `
CREATE EXTENSION IF NOT EXISTS "uuid-ossp";
CREATE DOMAIN stamp AS timestamptz(1) DEFAULT now();
CREATE FUNCTION made() RETURNS text LANGUAGE plpgsql VOLATILE AS $$BEGIN RETURN 'made \'''; END$$;
CREATE FUNCTION made(t timestamptz) RETURNS char(30) LANGUAGE plpgsql VOLATILE AS $$BEGIN RETURN 'at ' || t; END$$;
CREATE FUNCTION tenant() RETURNS int LANGUAGE sql STABLE AS 'SELECT 7';
CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'a', ts timestamp DEFAULT now(), tz timestamptz(0) DEFAULT CURRENT_TIMESTAMP,
	d date DEFAULT CURRENT_DATE, ti time(3) DEFAULT LOCALTIME, tt timetz DEFAULT CURRENT_TIME(2), x text DEFAULT now(),
	y varchar(40) DEFAULT (LOCALTIMESTAMP(1) + '1 day'::interval), e bigint DEFAULT extract(epoch FROM now()), s stamp,
	n timestamptz[] DEFAULT ARRAY[now(), NULL], q text DEFAULT to_char(CURRENT_DATE + 3, 'DD Mon'), b text DEFAULT CASE WHEN now() > '2000-02-01' THEN E'new \\''(' ELSE 'old' END);
CREATE TABLE serial (id serial, a text, at timestamptz DEFAULT now(), o int GENERATED BY DEFAULT AS IDENTITY, g text GENERATED ALWAYS AS (a || 'x') STORED, last date DEFAULT CURRENT_DATE);
CREATE TABLE odd ("Id Col" int, "at""s" timestamptz DEFAULT now(), m char(12) DEFAULT made(), k int DEFAULT tenant(), o int GENERATED ALWAYS AS IDENTITY (START 5),
	v text DEFAULT 'v' || upper(made()), w text DEFAULT ('now'::text)::date::text || 'x');
CREATE TABLE parts (id int, at timestamptz DEFAULT now(), z int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (9); CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (9) TO (99999);
CREATE TABLE kids (id int, extra timestamptz DEFAULT now()); CREATE TABLE kid (more date DEFAULT CURRENT_DATE) INHERITS (kids);
CREATE VIEW view AS SELECT id, a, ts FROM t; ALTER VIEW view ALTER ts SET DEFAULT now();
INSERT INTO t (id) VALUES (1), (2);
SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601';
`

// fillStatements are those by hand.
var fillStatements = []string{
	"INSERT INTO t (id) VALUES (10)", "INSERT INTO t VALUES (10)", "INSERT INTO t (id, ts, d) VALUES (10, DEFAULT, DEFAULT), (11, '2020-01-01', now())",
	"INSERT INTO t VALUES (10, 'x', DEFAULT, DEFAULT), (11, DEFAULT, '1/2/2020', CURRENT_DATE) RETURNING *",
	"INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING", "INSERT INTO t (id) VALUES (1), (20) ON CONFLICT (id) DO UPDATE SET d = DEFAULT, a = excluded.x",
	"INSERT INTO t AS tt (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET (ti, tt) = (DEFAULT, DEFAULT) WHERE tt.id = 1",
	"WITH w AS (SELECT 5 AS id) INSERT INTO t (id, e) SELECT id, 3 FROM w", "WITH w AS (SELECT 5 AS id) INSERT INTO t (id, e) VALUES ((SELECT id FROM w), DEFAULT)",
	"WITH w AS (INSERT INTO parts (id) VALUES (3), (33) RETURNING *) INSERT INTO kids SELECT id FROM w",
	"INSERT INTO t (VALUES (30), (31))", "INSERT INTO t VALUES (30), (31) ORDER BY 1 DESC", "INSERT INTO t (id) SELECT 30", "INSERT INTO t TABLE kids",
	"UPDATE t SET d = DEFAULT", "UPDATE t SET (ts, a) = (DEFAULT, 'k') WHERE id = 2", "UPDATE t SET x = DEFAULT, y = now()::text FROM kids RETURNING t.*",
	"UPDATE t SET s = DEFAULT, n = DEFAULT WHERE d = CURRENT_DATE", "INSERT INTO t DEFAULT VALUES", "INSERT INTO serial DEFAULT VALUES", "INSERT INTO serial DEFAULT VALUES RETURNING now(), id, current_date",
	"INSERT INTO serial VALUES (DEFAULT, 'x'), (5, 'y')", "INSERT INTO serial (o, a) OVERRIDING USER VALUE VALUES (77, 'x')", "INSERT INTO serial VALUES (1, 'x', now(), 3, DEFAULT)",
	"INSERT INTO serial (g) VALUES ('x')", "INSERT INTO serial (a, nothing) VALUES ('x', 1)", "INSERT INTO serial (a, a) VALUES ('x', 'y')", "INSERT INTO serial (a) VALUES ('x', 'y')",
	"INSERT INTO serial (a, at) VALUES ('x')", "INSERT INTO serial VALUES (1, 'x', now(), 3, DEFAULT, now(), 7)", "INSERT INTO nowhere (a) VALUES (1)",
	`INSERT INTO odd ("Id Col") VALUES (1)`, `INSERT INTO odd ("Id Col") VALUES (1), (2) RETURNING "at""s", m`, "INSERT INTO odd DEFAULT VALUES", `UPDATE odd SET "at""s" = DEFAULT`,
	`INSERT INTO odd (o, m) VALUES (DEFAULT, DEFAULT)`, `INSERT INTO odd (o) VALUES (4)`, `INSERT INTO odd (o) OVERRIDING SYSTEM VALUE VALUES (4)`,
	"INSERT INTO parts (id) VALUES (1), (20)", "INSERT INTO parts (id, z) VALUES (1, 2) RETURNING at", "INSERT INTO part1 (id) VALUES (5)", "INSERT INTO parts (id) VALUES (-4)",
	"INSERT INTO kids VALUES (1)", "INSERT INTO kid (id) VALUES (1)", "UPDATE kids SET extra = DEFAULT", "INSERT INTO view (id) VALUES (50)", "INSERT INTO view VALUES (50)",
	"INSERT INTO t (id, a) VALUES (40, made()), (41, made(now()))", "INSERT INTO t (id, a) VALUES (40, upper(made()) || 'x')", "INSERT INTO t (id, e) VALUES (tenant(), tenant())",
	"INSERT INTO t (id, a) SELECT 40, made()", "INSERT INTO t (id, a) SELECT 40 + i, made() FROM generate_series(1, 2) AS i", "INSERT INTO t (id, e) VALUES (40, pg_backend_pid())",
	"INSERT INTO t (id, a) VALUES (40, version()), (41, coalesce(version(), made()))", "UPDATE t SET a = made(), e = pg_backend_pid() WHERE id = 1", "UPDATE t SET a = made(tz) WHERE id = 1",
	"DELETE FROM t WHERE tz < now() + '1 hour' RETURNING id, CURRENT_TIME(0)", "SELECT made(now()), made() AS x, upper(made())", "SELECT made(ts) FROM t",
	"CREATE TABLE copy AS SELECT now() AS n, made() AS m, current_date, pg_backend_pid()", "SELECT made(now()), localtimestamp INTO copy",
	"MERGE INTO t USING kids k ON t.id = k.id WHEN NOT MATCHED THEN INSERT (id) VALUES (k.id)", "MERGE INTO t USING t u ON t.id = u.id WHEN MATCHED THEN UPDATE SET d = DEFAULT, a = now()",
	"INSERT INTO t (id, n[1]) VALUES (40, DEFAULT)", "INSERT INTO t (id, n[1]) VALUES (40, now())", "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off) INSERT INTO kids VALUES (9)",
	"INSERT INTO t (id, a) VALUES (40, inet_server_addr()::text), (41, pg_postmaster_start_time()::text)", "INSERT INTO public.t (id, ts, tz, d, ti, tt) VALUES (40, now(), now(), now(), now(), now())",
}

// randomInsert draws an INSERT into t with any form of column list and cells.
func randomInsert(r *rand.Rand) string {
	columns := []string{"id", "a", "ts", "tz", "d", "ti", "tt", "x", "y", "e", "s", "n", "q", "b"}
	named := r.IntN(2) == 0
	if named {
		r.Shuffle(len(columns)-1, func(i, j int) { columns[i+1], columns[j+1] = columns[j+1], columns[i+1] })
	}
	columns = columns[:1+r.IntN(len(columns))]
	sql := "INSERT INTO t"
	if named {
		sql += " (" + strings.Join(columns, []string{", ", " , /* ( */ ", ",\n-- )\n"}[r.IntN(3)]) + ")"
	}
	sql += " VALUES "
	for row := range 1 + r.IntN(3) {
		if row > 0 {
			sql += ", "
		}
		sql += "(" + fmt.Sprint(100+row)
		for _, c := range columns[1:] {
			sql += ", " + randomCell(r, c)
		}
		sql += ")"
	}
	return sql + []string{"", " RETURNING *", " RETURNING id, now()", " ON CONFLICT (id) DO UPDATE SET d = DEFAULT"}[r.IntN(4)]
}

// randomCell draws a value that any of the types takes, or DEFAULT.
func randomCell(r *rand.Rand, column string) string {
	if column == "n" || column == "e" || r.IntN(2) == 0 {
		return []string{"DEFAULT", "default", "NULL", "/* ' */ DEFAULT -- (\n", "(DEFAULT)"}[r.IntN(5)]
	}
	switch column {
	case "a", "x", "q", "b":
		return []string{"'it''s (, DEFAULT'", "$$)$$", `E'\'),'`, "now()", "current_date", "made()", "'x' || made()", "upper(')')"}[r.IntN(8)]
	case "y":
		return []string{"'y'", "localtime", "U&'\\0041)'"}[r.IntN(3)]
	case "ti", "tt":
		return []string{"current_time", "now()", "localtime(1)", "'12:34'"}[r.IntN(4)]
	}
	return []string{"current_timestamp(2)", "now()", "localtimestamp", "transaction_timestamp()", "now() - interval '1 day'"}[r.IntN(5)]
}

// TestFilledStoresTheSame runs statements as they are, spliced, and with parameters, and
// compares all that they leave behind. What comes out differently has to have a reason.
func TestFilledStoresTheSame(t *testing.T) {
	t.Parallel()
	n := &node{t: t, conn: pgtest.Start(t, 1)[0].Connect(), cache: parser.NewCache(1<<20, 1), tables: map[parser.Relation]*parser.Table{}}
	n.must(nodeTables)
	statements := fillStatements
	r := rand.New(rand.NewPCG(1, 2))
	for range 250 {
		statements = append(statements, randomInsert(r))
	}
	failed := 0
	for _, sql := range statements {
		want := n.run(func(time.Time) *pgconn.Result { return n.simple(sql) })
		if want.code != "" {
			failed++
		}
		n.compare(sql, "spliced", want, n.spliced)
		n.compare(sql, "with parameters", want, n.withParameters)
	}
	if failed > len(statements)/4 {
		t.Errorf("%d of %d statements failed", failed, len(statements))
	}
}

// compare runs a filled statement at the time that it ran as it is.
func (n *node) compare(sql, form string, want outcome, do func(string, time.Time) *pgconn.Result) {
	n.t.Helper()
	got := n.run(func(time.Time) *pgconn.Result { return do(sql, want.at) })
	got.at = want.at
	_, plan := n.plan(sql, parser.PlanOptions{Extended: form != "spliced"})
	if got == want || len(plan.Reasons) > 0 && got.code == want.code {
		return
	}
	values, _ := plan.Values(want.at, &counting{})
	n.t.Errorf("%s\n%s: %s\n%s", sql, form, plan.Splice(values).SQL, differences(fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want)))
}

// differences are the lines in which two texts differ.
func differences(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	var lines []string
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			lines = append(lines, " got "+strings.Join(a[min(i, len(a)):min(i+1, len(a))], ""), "want "+strings.Join(b[min(i, len(b)):min(i+1, len(b))], ""))
		}
	}
	return strings.Join(lines, "\n")
}

// TestMadeValuesAreStored: what the proxy makes arrives as it was made.
func TestMadeValuesAreStored(t *testing.T) {
	t.Parallel()
	n := &node{t: t, conn: pgtest.Start(t, 1)[0].Connect(), cache: parser.NewCache(1<<20, 1), tables: map[parser.Relation]*parser.Table{}}
	n.must(`CREATE EXTENSION "uuid-ossp"; CREATE TABLE made (id int, u uuid DEFAULT gen_random_uuid(), v text DEFAULT public.uuid_generate_v4(), r float8 DEFAULT random())`)
	n.must("SET search_path = pg_catalog; SET extra_float_digits = -15")
	for name, do := range map[string]func(string, time.Time) *pgconn.Result{"spliced": n.spliced, "with parameters": n.withParameters} {
		n.must("TRUNCATE public.made")
		if result := do("INSERT INTO public.made (id) VALUES (1), (2)", someTime); result.Err != nil {
			t.Fatal(result.Err)
		}
		got := written(n.must("SELECT id, u, v, r * 16 FROM public.made ORDER BY id"))
		want := "1|10000000-0000-4000-8000-000000000000|20000000-0000-4000-8000-000000000000|3|\n" +
			"2|40000000-0000-4000-8000-000000000000|50000000-0000-4000-8000-000000000000|6|\n"
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}
