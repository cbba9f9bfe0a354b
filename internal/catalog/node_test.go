package catalog_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// question is one that a session puts to a node.
type question[A any] interface {
	SQL() string
	Decode(rows []string) (A, error)
}

// ask puts a question to a node as a session would: a simple query, of whose answer it
// takes the text of the first column.
func ask[A any](t *testing.T, conn *pgx.Conn, q question[A]) A {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), q.SQL()).ReadAll()
	if err != nil {
		t.Fatalf("%v\n%s", err, q.SQL())
	}
	var rows []string
	for _, values := range results[0].Rows {
		rows = append(rows, string(values[0]))
	}
	a, err := q.Decode(rows)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(rows, "\n"))
	}
	return a
}

// exec runs statements on a connection.
func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// name splits at the first dot; a test with dots in its names does not use it.
func name(text string) catalog.Name {
	if schema, name, ok := strings.Cut(text, "."); ok {
		return catalog.Name{Schema: schema, Name: name}
	}
	return catalog.Name{Name: text}
}

func names(texts ...string) []catalog.Name {
	var all []catalog.Name
	for _, text := range texts {
		all = append(all, name(text))
	}
	return all
}

// functions are what the cases of TestFunctions and the views of TestRelations call.
const functions = `
CREATE SCHEMA app; CREATE SCHEMA other; CREATE SCHEMA "My Schema";
CREATE FUNCTION app.pure(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION app.reads() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION app.writes() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.overloaded(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION app.overloaded(text) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION app.twice() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION other.twice() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION other.lower(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION "My Schema"."Über's f\n"() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE PROCEDURE app.proc() LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.step(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION app.calm_step(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE AGGREGATE app.agg(int) (SFUNC = app.step, STYPE = int);
CREATE AGGREGATE app.calm_agg(int) (SFUNC = app.calm_step, STYPE = int);
CREATE OPERATOR app.### (LEFTARG = int, RIGHTARG = int, FUNCTION = app.step);
CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
`

func TestFunctions(t *testing.T) {
	t.Parallel()
	conn := pgtest.Start(t, 1)[0].Connect()
	exec(t, conn, functions)

	tests := []struct {
		about string
		name  catalog.Name
		want  string
	}{
		{"immutable", name("pure"), "immutable"},
		{"stable", name("reads"), "stable"},
		{"volatile, also where the label is a default", name("writes"), "volatile"},
		{"in its schema", name("app.pure"), "immutable"},
		{"not in another schema", name("other.pure"), "none"},
		{"no such schema", name("nowhere.pure"), "none"},
		{"no such function", name("nothing"), "none"},
		{"the most volatile overload", name("overloaded"), "volatile"},
		{"the most volatile of all schemas", name("twice"), "stable"},
		{"the one schema", name("app.twice"), "immutable"},
		{"one of PostgreSQL's own", name("pg_catalog.lower"), "immutable"},
		{"a user's of the same name", name("lower"), "volatile"},
		{"now is stable", name("now"), "stable"},
		{"random is volatile", name("random"), "volatile"},
		{"nextval is volatile", name("pg_catalog.nextval"), "volatile"},
		{"a procedure", name("proc"), "volatile"},
		{"an aggregate of PostgreSQL's", name("count"), "immutable"},
		{"an aggregate with a volatile step", name("agg"), "volatile"},
		{"an aggregate without", name("calm_agg"), "immutable"},
		{"quoted names", catalog.Name{Schema: "My Schema", Name: `Über's f\n`}, "stable"},
		{"names are not folded again", name("PURE"), "none"},
		{"the session's own schema", name("pg_temp.mine"), "stable"},
	}
	var q catalog.Question
	for _, tt := range tests {
		q.Functions = append(q.Functions, tt.name)
	}
	a := ask(t, conn, q)
	for _, tt := range tests {
		f, ok := a.Function(tt.name)
		got := f.Volatility.String()
		if !f.Exists {
			got = "none"
		}
		if !ok || got != tt.want {
			t.Errorf("%s (%s): %s, want %s", tt.about, tt.name, got, tt.want)
		}
	}
}

// relations are what the cases of TestRelations ask for.
const relations = functions + `
CREATE TABLE "My Schema"."Täble's" (x int);
SET search_path = app;
CREATE TABLE plain (x int);
CREATE TABLE other.plain2 (x int); CREATE UNLOGGED TABLE plain2 (x int);
CREATE UNLOGGED TABLE quick (x int);
CREATE TEMP TABLE own (x int);
CREATE INDEX plain_x ON plain (x); CREATE TYPE pair AS (a int, b int);
CREATE SEQUENCE seq;
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE far (x int) SERVER s;

CREATE TABLE parts (x int) PARTITION BY RANGE (x);
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
CREATE TABLE mixed (x int) PARTITION BY RANGE (x);
CREATE TABLE mixed1 PARTITION OF mixed FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (x);
CREATE UNLOGGED TABLE mixed2 PARTITION OF mixed1 FOR VALUES FROM (0) TO (5);
CREATE FOREIGN TABLE mixed3 PARTITION OF mixed1 FOR VALUES FROM (5) TO (9) SERVER s;

CREATE VIEW v AS SELECT x FROM plain;
CREATE VIEW v2 AS SELECT x FROM v UNION ALL SELECT x FROM parts;
CREATE VIEW v_quick AS SELECT x FROM v2 WHERE x IN (SELECT x FROM quick);
CREATE TEMP VIEW v_own AS SELECT x FROM plain;
CREATE VIEW v_far AS SELECT x FROM far;
CREATE VIEW v_mixed AS SELECT x FROM mixed;
CREATE VIEW v_system AS SELECT relname FROM pg_class;
CREATE VIEW v_system_view AS SELECT * FROM pg_stat_activity;
CREATE VIEW v_information AS SELECT table_name FROM information_schema.tables;
CREATE VIEW v_pure AS SELECT pure(1), reads(), now(), count(*), max(x) FROM plain GROUP BY x + 1;
CREATE VIEW v_random AS SELECT random(), clock_timestamp(), gen_random_uuid(), pg_relation_size('plain'), x
	FROM plain TABLESAMPLE bernoulli (10);
CREATE VIEW v_nextval AS SELECT nextval('seq');
CREATE VIEW v_writes AS SELECT x FROM plain WHERE x = writes();
CREATE VIEW v_deep AS SELECT * FROM v, (SELECT (WITH w AS (SELECT * FROM v_nextval) SELECT * FROM w)) AS s;
CREATE VIEW v_from AS SELECT * FROM generate_series(1, 2) AS g (x) JOIN LATERAL writes() AS w (y) ON true;
CREATE VIEW v_operator AS SELECT x ### 1 FROM plain;
CREATE VIEW v_agg AS SELECT agg(x) FROM plain;
CREATE VIEW v_window AS SELECT agg(x) OVER () FROM plain;
CREATE VIEW v_case AS SELECT CASE x WHEN 1 THEN coalesce(x, writes()) END FROM plain;
CREATE VIEW v_locks AS SELECT x FROM plain FOR SHARE;
CREATE VIEW v_text AS SELECT ':funcid 1574 :hasForUpdate true' AS ":funcid 1574", x AS ":relid 1259" FROM plain;
CREATE VIEW v_rules AS SELECT x FROM plain;
CREATE RULE r AS ON INSERT TO v_rules DO INSTEAD INSERT INTO plain VALUES (nextval('seq'));
CREATE TABLE with_rule (x int);
CREATE RULE r AS ON UPDATE TO with_rule DO ALSO SELECT 1;
CREATE MATERIALIZED VIEW m AS SELECT nextval('seq') FROM quick;
CREATE VIEW v_m AS SELECT * FROM m;
CREATE VIEW "V.w" AS SELECT * FROM "My Schema"."Täble's";
CREATE VIEW v_quoted AS SELECT * FROM "V.w";

CREATE TABLE guarded (x int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (x > 0);
CREATE VIEW v_guarded AS SELECT * FROM guarded;
CREATE TABLE spied (x int); ALTER TABLE spied ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON spied FOR SELECT USING (writes() > 0);
CREATE TABLE write_spied (x int); ALTER TABLE write_spied ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON write_spied FOR INSERT WITH CHECK (writes() > 0);
CREATE TABLE unguarded (x int);
CREATE POLICY p ON unguarded USING (writes() > 0);
CREATE TABLE looks_up (x int); ALTER TABLE looks_up ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON looks_up USING (EXISTS (SELECT FROM v_quick) AND EXISTS (SELECT FROM pg_class));
`

func TestRelations(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1)[0]
	conn, another := node.Connect(), node.Connect()
	exec(t, conn, relations)
	exec(t, another, "CREATE TEMP TABLE theirs (x int); CREATE TABLE hidden (x int); CREATE TEMP TABLE hidden (x int)")

	type relation = catalog.Relation
	with := func(r relation, flags ...func(*relation)) relation {
		r.Exists = true
		for _, set := range flags {
			set(&r)
		}
		return r
	}
	table := func(flags ...func(*relation)) relation { return with(relation{}, flags...) }
	view := func(base ...string) relation {
		return table(func(r *relation) { r.View, r.Base = true, names(base...) })
	}
	system := func(r *relation) { r.System = true }
	temporary := func(r *relation) { r.Temporary = true }
	unlogged := func(r *relation) { r.Unlogged = true }
	foreign := func(r *relation) { r.Foreign = true }
	rowSecurity := func(r *relation) { r.RowSecurity = true }
	rules := func(r *relation) { r.Rules = true }
	volatile := func(r *relation) { r.Volatile = true }
	code := func(r *relation) { r.Code = true }
	missing := relation{}
	tests := []struct {
		about, name string
		want        relation
	}{
		{"a table", "plain", table()},
		{"in its schema", "app.plain", table()},
		{"not in another schema", "public.plain", missing},
		{"nothing", "nothing", missing},
		{"an unlogged table", "quick", table(unlogged)},
		{"the most restrictive of two", "plain2", table(unlogged)},
		{"the other of the two", "other.plain2", table()},
		{"a temporary table", "own", table(temporary)},
		{"a temporary table of another session", "theirs", table(temporary)},
		{"hidden by a temporary table of another session", "hidden", table(temporary)},
		{"by the name of the temporary schema", "pg_temp.own", table(temporary)},
		{"not temporary, and so not in that schema", "pg_temp.plain", missing},
		{"a sequence", "seq", table(func(r *relation) { r.Sequence = true })},
		{"a foreign table", "far", table(foreign)},
		{"an index cannot be read", "plain_x", missing},
		{"nor a type", "pair", missing},

		{"a system catalogue", "pg_class", table(system)},
		{"a system view", "pg_catalog.pg_stat_activity", with(view(), system)},
		{"a system view with rules", "pg_settings", with(view(), system, rules)},
		{"information_schema is no system catalogue", "information_schema.tables", view()},

		{"a partitioned table", "parts", table()},
		{"partitions below partitions", "mixed", table(unlogged, foreign)},

		{"a view", "v", view("app.plain")},
		{"a view over a view", "v2", view("app.parts", "app.plain", "app.v")},
		{"over an unlogged table", "v_quick", with(view("app.parts", "app.plain", "app.quick", "app.v", "app.v2"), unlogged)},
		{"a temporary view", "v_own", with(view("app.plain"), temporary)},
		{"over a foreign table", "v_far", with(view("app.far"), foreign)},
		{"over partitions", "v_mixed", with(view("app.mixed"), unlogged, foreign)},
		{"over a system catalogue", "v_system", with(view("pg_catalog.pg_class"), system)},
		{"over a system view", "v_system_view", with(view("pg_catalog.pg_stat_activity"), system)},
		{"over information_schema", "v_information", view("information_schema.tables")},

		{"that calls what is not volatile", "v_pure", with(view("app.plain"), code)},
		{"that calls what merely computes", "v_random", view("app.plain")},
		{"that calls nextval", "v_nextval", with(view(), volatile)},
		{"that calls a volatile function", "v_writes", with(view("app.plain"), volatile, code)},
		{"over one that does", "v_deep", with(view("app.plain", "app.v", "app.v_nextval"), volatile)},
		{"that calls it in FROM", "v_from", with(view(), volatile, code)},
		{"that calls it by an operator", "v_operator", with(view("app.plain"), volatile, code)},
		{"that calls it by an aggregate", "v_agg", with(view("app.plain"), volatile, code)},
		{"that calls it by a window function", "v_window", with(view("app.plain"), volatile, code)},
		{"that calls it within CASE", "v_case", with(view("app.plain"), volatile, code)},
		{"that locks rows", "v_locks", with(view("app.plain"), volatile)},
		{"with texts that look like a stored tree", "v_text", view("app.plain")},
		{"with rules for writes", "v_rules", with(view("app.plain"), rules)},
		{"a table with a rule", "with_rule", table(rules)},
		{"a materialized view", "m", table(func(r *relation) { r.Materialized = true })},
		{"over a materialized view", "v_m", view("app.m")},

		{"row security", "guarded", table(rowSecurity)},
		{"a view over row security", "v_guarded", with(view("app.guarded"), rowSecurity)},
		{"row security that calls a volatile function", "spied", table(rowSecurity, volatile, code)},
		{"row security for writes", "write_spied", table(rowSecurity)},
		{"row security that is off", "unguarded", table()},
		{"row security that reads", "looks_up", table(rowSecurity, unlogged)},
	}
	var q catalog.Question
	for _, tt := range tests {
		q.Relations = append(q.Relations, name(tt.name))
	}
	a := ask(t, conn, q)
	for _, tt := range tests {
		got, _ := a.Relation(name(tt.name))
		if !same(got, tt.want) {
			t.Errorf("%s (%s)\n got %+v\nwant %+v", tt.about, tt.name, got, tt.want)
		}
	}

	t.Run("quoted names", func(t *testing.T) {
		asked := []catalog.Name{{Name: "V.w"}, {Schema: "My Schema", Name: "Täble's"}, {Name: "v_quoted"}}
		a := ask(t, conn, catalog.Question{Relations: asked})
		for i, want := range []relation{
			{Exists: true, View: true, Base: asked[1:2]},
			{Exists: true},
			{Exists: true, View: true, Base: []catalog.Name{{Schema: "app", Name: "V.w"}, asked[1]}},
		} {
			if got, _ := a.Relation(asked[i]); !same(got, want) {
				t.Errorf("%s\n got %+v\nwant %+v", asked[i], got, want)
			}
		}
	})
	t.Run("a role without rights is told the same", func(t *testing.T) {
		conn := node.In(t).Connect()
		exec(t, conn, "CREATE ROLE nobody; SET ROLE nobody")
		if got := ask(t, conn, q); !reflect.DeepEqual(sorted(got, q), sorted(a, q)) {
			t.Errorf(" got %+v\nwant %+v", got, a)
		}
	})
	t.Run("a transaction that only reads is no hindrance", func(t *testing.T) {
		conn := node.In(t).Connect()
		exec(t, conn, "BEGIN READ ONLY")
		if got := ask(t, conn, q); !reflect.DeepEqual(sorted(got, q), sorted(a, q)) {
			t.Errorf(" got %+v\nwant %+v", got, a)
		}
	})
}

// same compares without regard to the order of Base.
func same(a, b catalog.Relation) bool {
	a.Base, b.Base = inOrder(a.Base), inOrder(b.Base)
	return reflect.DeepEqual(a, b)
}

func inOrder(names []catalog.Name) []catalog.Name {
	return slices.SortedFunc(slices.Values(names), func(a, b catalog.Name) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
}

// sorted is what an answer says to each part of a question.
func sorted(a catalog.Answer, q catalog.Question) (all []any) {
	for _, n := range q.Functions {
		f, _ := a.Function(n)
		all = append(all, f)
	}
	for _, n := range q.Relations {
		r, _ := a.Relation(n)
		r.Base = inOrder(r.Base)
		all = append(all, r)
	}
	return all
}

// TestSystemViews: reading what PostgreSQL itself comes with is never taken for a
// write, be it directly or through a view of a user.
func TestSystemViews(t *testing.T) {
	t.Parallel()
	conn := pgtest.Start(t, 1)[0].Connect()
	exec(t, conn, `DO $$ DECLARE v record; BEGIN
		FOR v IN SELECT relname, oid::regclass::text AS name FROM pg_class WHERE relkind = 'v' LOOP
			EXECUTE format('CREATE VIEW %I AS SELECT count(*) FROM %s', 'my_' || v.relname, v.name);
		END LOOP; END $$`)
	var q catalog.Question
	rows, err := conn.Query(t.Context(), "SELECT relnamespace::regnamespace::text, relname FROM pg_class WHERE relkind = 'v'")
	if err != nil {
		t.Fatal(err)
	}
	q.Relations, err = pgx.CollectRows(rows, pgx.RowToStructByPos[catalog.Name])
	if err != nil {
		t.Fatal(err)
	}
	a := ask(t, conn, q)
	for _, n := range q.Relations {
		r, _ := a.Relation(n)
		if !r.Exists || !r.View || r.Volatile {
			t.Errorf("%s: %+v", n, r)
		}
		if want := n.Schema == "pg_catalog" || n.Schema == "public" && strings.HasPrefix(n.Name, "my_pg_"); r.System != want {
			t.Errorf("%s: of the system %v, want %v", n, r.System, want)
		}
	}
}

// TestBounds: a view that reads more than can be remembered is not taken for harmless.
func TestBounds(t *testing.T) {
	t.Parallel()
	conn := pgtest.Start(t, 1)[0].Connect()
	exec(t, conn, `DO $$ BEGIN
		FOR i IN 1 .. 300 LOOP EXECUTE format('CREATE TABLE t%s (x int)', i); END LOOP;
		EXECUTE 'CREATE VIEW many AS ' || (SELECT string_agg(format('SELECT x FROM t%s', i), ' UNION ALL ') FROM generate_series(1, 300) i);
		EXECUTE 'CREATE VIEW few AS ' || (SELECT string_agg(format('SELECT x FROM t%s', i), ' UNION ALL ') FROM generate_series(1, 200) i);
		END $$`)
	q := catalog.Question{Relations: names("many", "few")}
	a := ask(t, conn, q)
	if r, _ := a.Relation(name("many")); !r.View || !r.Volatile || r.Base != nil {
		t.Errorf("many: %+v", r)
	}
	if r, _ := a.Relation(name("few")); !r.View || r.Volatile || len(r.Base) != 200 {
		t.Errorf("few: %+v", r)
	}
}

// TestHostileSearchPath: what a user has put before pg_catalog decides nothing.
func TestHostileSearchPath(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1)[0]
	conn := node.Connect()
	exec(t, conn, relations)
	q := catalog.Question{
		Functions: names("pure", "writes", "agg", "lower", "nothing"),
		Relations: names("plain", "v_deep", "v_random", "mixed", "spied", "pg_class", "pg_temp.own", "nothing"),
	}
	want := ask(t, conn, q)

	var evil strings.Builder
	evil.WriteString("CREATE SCHEMA evil; SET search_path = evil, pg_catalog;")
	for _, typ := range []string{"oid", "name", "text", `"char"`, "int4", "int8", "bool"} {
		fmt.Fprintf(&evil, "CREATE FUNCTION evil.lie(%[1]s, %[1]s) RETURNS bool LANGUAGE sql AS 'SELECT false';", typ)
		for _, op := range []string{"=", "<>", "<", ">", "<=", ">="} {
			fmt.Fprintf(&evil, "CREATE OPERATOR evil.%[1]s (LEFTARG = %[2]s, RIGHTARG = %[2]s, FUNCTION = evil.lie);", op, typ)
		}
	}
	for _, table := range []string{"pg_class", "pg_proc", "pg_namespace", "pg_rewrite", "pg_policy", "pg_inherits", "pg_aggregate"} {
		fmt.Fprintf(&evil, "CREATE TABLE evil.%s (x int);", table)
	}
	for _, typ := range []string{"oid", "name", "text", "char"} {
		fmt.Fprintf(&evil, `CREATE DOMAIN evil.%q AS int4;`, typ)
	}
	evil.WriteString(`
		CREATE FUNCTION evil.strpos(pg_catalog.text, pg_catalog.text) RETURNS int4 LANGUAGE sql AS 'SELECT 1';
		CREATE FUNCTION evil.starts_with(pg_catalog.text, pg_catalog.text) RETURNS bool LANGUAGE sql AS 'SELECT true';
		CREATE FUNCTION evil.encode(bytea, pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS $$ SELECT 'x'::pg_catalog.text $$;`)
	exec(t, conn, evil.String())
	if rows, err := conn.PgConn().Exec(t.Context(), "SELECT 1::pg_catalog.oid = 1::pg_catalog.oid").ReadAll(); err != nil || string(rows[0].Rows[0][0]) != "f" {
		t.Fatalf("the trap is not set: %v", err)
	}

	got := ask(t, conn, q)
	// The lookalike is a relation of that name as well, which changes nothing in a union.
	if !reflect.DeepEqual(sorted(got, q), sorted(want, q)) {
		t.Errorf(" got %+v\nwant %+v", sorted(got, q), sorted(want, q))
	}
}

// TestHostileNames: a name stays a name in every encoding and with both kinds of
// strings.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1)[0]
	exec(t, node.Connect(), `CREATE TABLE canary (x int); CREATE TABLE "ソ" (x int); CREATE TABLE "ä" (x int)`)
	created := []string{`'); DROP TABLE canary; --`, `\'); DROP TABLE canary; --`, `\`, `'`, `''`, `"`, `$$`, `$names`, `E'`, `%s`,
		`{"relation": 0}`, "a\nb", "tab\t", "/*", "--", "; --", "ROLLBACK", " ", strings.Repeat("x", 63)}
	asked := append(slices.Clone(created), strings.Repeat("x", 70), "", "\x00", "a\x00b")
	exists := func(name string) bool { return name != "" && !strings.Contains(name, "\x00") }
	setUp := node.Connect()
	for _, name := range created {
		exec(t, setUp, "CREATE TABLE "+pgx.Identifier{name}.Sanitize()+" (x int)")
	}
	for _, settings := range []string{
		"SET standard_conforming_strings = on",
		"SET standard_conforming_strings = off; SET backslash_quote = on; SET escape_string_warning = on",
		"SET client_encoding = SJIS; SET standard_conforming_strings = off",
		"SET client_encoding = LATIN1",
		"SET client_encoding = SQL_ASCII",
	} {
		t.Run(settings, func(t *testing.T) {
			conn := node.In(t).Connect()
			exec(t, conn, settings)
			var q catalog.Question
			for _, name := range asked {
				q.Relations = append(q.Relations, catalog.Name{Name: name}, catalog.Name{Schema: name, Name: name})
				q.Functions = append(q.Functions, catalog.Name{Name: name})
			}
			a := ask(t, conn, q)
			for _, name := range asked {
				if r, ok := a.Relation(catalog.Name{Name: name}); !ok || r.Exists != exists(name) {
					t.Errorf("%q: exists %v, want %v", name, r.Exists, exists(name))
				}
				if r, ok := a.Relation(catalog.Name{Schema: name, Name: name}); name != "" && (!ok || r.Exists) {
					t.Errorf("%q exists in a schema of that name", name)
				}
			}
		})
	}
	t.Run("bytes of the session's own encoding", func(t *testing.T) {
		conn := node.In(t).Connect()
		for encoding, name := range map[string]string{"SJIS": "\x83\x5c", "LATIN1": "\xe4", "UTF8": "ä"} {
			exec(t, conn, "SET client_encoding = "+encoding)
			n := catalog.Name{Name: name}
			if r, _ := ask(t, conn, catalog.Question{Relations: []catalog.Name{n}}).Relation(n); !r.Exists {
				t.Errorf("%s: %q is not found", encoding, name)
			}
		}
	})
	node.WantRows("SELECT count(*) FROM canary", "0")
}
