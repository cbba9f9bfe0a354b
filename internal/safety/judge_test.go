package safety

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// world is a catalogue in memory. What it does not have does not exist.
type world struct {
	code   map[string]*catalog.Code
	around map[string]*catalog.Surroundings
	tables map[string]*catalog.Table
	// coded are relations that call code for those who read them.
	coded   []string
	implied catalog.Implied
}

func (w world) Relation(n catalog.Name) (catalog.Relation, bool) {
	return catalog.Relation{Exists: true, Code: slices.Contains(w.coded, n.Name)}, true
}

func (w world) Implied() *catalog.Implied { return &w.implied }

func (w world) Function(n catalog.Name) (catalog.Function, bool) {
	c := w.code[n.Name]
	if c == nil {
		return catalog.Function{}, true
	}
	worst := catalog.Immutable
	for _, b := range c.Bodies {
		worst = min(worst, b.Volatility)
	}
	return catalog.Function{Exists: true, Volatility: worst, Alike: worst == catalog.Immutable}, true
}

func (w world) Table(n catalog.Name) (*catalog.Table, bool) {
	if t := w.tables[n.Name]; t != nil {
		return t, true
	}
	return &catalog.Table{}, true
}

func (w world) Code(n catalog.Name) (*catalog.Code, bool) {
	if c := w.code[n.Name]; c != nil {
		return c, true
	}
	return &catalog.Code{}, true
}

func (w world) Surroundings(n catalog.Name) (*catalog.Surroundings, bool) {
	if s := w.around[n.Name]; s != nil {
		return s, true
	}
	return &catalog.Surroundings{}, true
}

func routine(v catalog.Volatility, language, source string) *catalog.Code {
	return &catalog.Code{Exists: true, Bodies: []catalog.Routine{{Schema: "public", Kind: 'f', Volatility: v, Language: language, Source: source, Trusted: true}}}
}

func extension(name string) *catalog.Code {
	return &catalog.Code{Exists: true, Bodies: []catalog.Routine{{Schema: "public", Kind: 'f', Language: "c", Extension: name}}}
}

func withTrigger(name string, kind int) *catalog.Surroundings {
	return &catalog.Surroundings{Exists: true, Triggers: []catalog.Trigger{{Name: "tr", Function: catalog.Name{Schema: "public", Name: name}, Type: kind}}}
}

func withText(kind catalog.TextKind, text string) *catalog.Surroundings {
	return &catalog.Surroundings{Exists: true, Texts: []catalog.Text{{Kind: kind, Column: "c", Text: text}}}
}

func pointedAt(by string, deletes, updates int) *catalog.Surroundings {
	return &catalog.Surroundings{Exists: true, Cascades: []catalog.Cascade{{Relation: catalog.Name{Name: by}, Deletes: deletes, Updates: updates}}}
}

const (
	beforeRow = catalog.TriggerRow | catalog.TriggerBefore | catalog.TriggerInsert | catalog.TriggerUpdate
	afterRow  = catalog.TriggerRow | catalog.TriggerInsert
)

// someWorld has a function and a table of each nature.
func someWorld() world {
	return world{
		code: map[string]*catalog.Code{
			"pure":      routine(catalog.Immutable, "sql", "SELECT $1 + 1"),
			"false_imm": routine(catalog.Immutable, "sql", "SELECT now()::text"),
			"mover":     routine(catalog.Volatile, "plpgsql", "BEGIN UPDATE plain SET v = v + 1 WHERE id = 1; END"),
			"lucky":     routine(catalog.Volatile, "plpgsql", "BEGIN INSERT INTO log VALUES (random()); END"),
			"dynamic":   routine(catalog.Volatile, "plpgsql", "BEGIN EXECUTE 'x'; END"),
			"catcher":   routine(catalog.Volatile, "plpgsql", "BEGIN INSERT INTO log VALUES (1); EXCEPTION WHEN OTHERS THEN NULL; END"),
			"committer": routine(catalog.Volatile, "plpgsql", "BEGIN COMMIT; END"),
			"python":    routine(catalog.Volatile, "plpython3u", "return 1"),
			"drawer":    routine(catalog.Volatile, "sql", "SELECT nextval('s')"),
			"rolls":     routine(catalog.Volatile, "sql", "SELECT random()"),
			"dblink":    extension("dblink"),
			"stamp":     routine(catalog.Volatile, "plpgsql", "BEGIN NEW.at := now(); RETURN NEW; END"),
			"sober":     routine(catalog.Volatile, "plpgsql", "BEGIN NEW.a := lower(NEW.a); RETURN NEW; END"),
			"audit":     routine(catalog.Volatile, "plpgsql", "BEGIN INSERT INTO log VALUES (clock_timestamp()); RETURN NULL; END"),
			"counts":    routine(catalog.Volatile, "plpgsql", "BEGIN UPDATE log SET n = n + 1; RETURN NULL; END"),
			"copier":    routine(catalog.Volatile, "plpgsql", "BEGIN INSERT INTO log SELECT * FROM src; END"),
			"settler":   routine(catalog.Volatile, "plpgsql", "BEGIN SET a.b = 1; INSERT INTO log VALUES (random()); END"),
			"deep":      routine(catalog.Volatile, "plpgsql", "BEGIN PERFORM lucky(); RETURN NEW; END"),
		},
		around: map[string]*catalog.Surroundings{
			"plain": {Exists: true}, "log": {Exists: true}, "src": {Exists: true},
			"referred": pointedAt("stamped", catalog.TriggerDelete, catalog.TriggerUpdate), "kept": pointedAt("plain", catalog.TriggerUpdate, 0),
			"twice_referred": pointedAt("referred", catalog.TriggerDelete, 0), "family": {Exists: true, Related: true},
			"stamped": withTrigger("stamp", beforeRow), "sobered": withTrigger("sober", beforeRow), "audited": withTrigger("audit", afterRow),
			"counted": withTrigger("counts", afterRow), "deeply": withTrigger("deep", beforeRow),
			"checked": withText(catalog.CheckText, "CHECK ((due > now()))"), "fenced": withText(catalog.PolicyText, "(valid > now())"),
			"made": withText(catalog.GeneratedText, "false_imm(id)"), "ruled": withText(catalog.RuleText, "CREATE RULE r AS ON INSERT TO ruled DO INSERT INTO log VALUES (now())"),
			"ruled_well": withText(catalog.RuleText, "CREATE RULE r AS ON INSERT TO ruled_well DO INSERT INTO log VALUES (1)"),
			"shown":      {Exists: true, View: true, Texts: []catalog.Text{{Kind: catalog.ViewText, Text: "SELECT id FROM src"}}},
			"valid":      {Exists: true, View: true, Texts: []catalog.Text{{Kind: catalog.ViewText, Text: "SELECT id FROM src WHERE due > now()"}}},
			"far":        {Exists: true, Foreign: true},
		},
		tables: map[string]*catalog.Table{
			"plain": {Exists: true, Keys: [][]string{{"id"}}, Columns: []catalog.Column{{Name: "id", Type: "integer"}, {Name: "v", Type: "integer"}}},
		},
	}
}

// policyOf reads lines of pgpool.conf.
func policyOf(t testing.TB, lines ...string) *Policy {
	t.Helper()
	file := "backend_clustering_mode = native_replication\nbackend_hostname0 = 'a'\nbackend_port0 = 5432\n" + strings.Join(lines, "\n") + "\n"
	cfg, _, err := config.Parse("pgpool.conf", []byte(file), func(string) ([]byte, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	return PolicyOf(cfg)
}

// judged is the verdict on a statement.
func judged(t testing.TB, policy *Policy, sql string) *Verdict {
	t.Helper()
	script := parser.Classify(sql)
	stmt := &script.Statements[0]
	plan := parser.NewCache(1<<20, 1).Plan(sql, stmt, planWorld{someWorld()}, parser.PlanOptions{})
	v, ask := Judge(Input{Statement: stmt, Text: sql, Plan: plan, Policy: policy, Facts: someWorld(), Bodies: &Bodies{}})
	if !ask.Empty() {
		t.Fatalf("%s: asks for %v", sql, ask)
	}
	return v
}

// planWorld is the same for parser.Plan.
type planWorld struct{ world }

func (w planWorld) Table(r parser.Relation) (*parser.Table, bool) {
	t := w.tables[r.Name]
	if t == nil {
		return &parser.Table{}, true
	}
	out := &parser.Table{Keys: t.Keys}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, parser.Column{Name: c.Name, Type: c.Type})
	}
	return out, true
}

func (w planWorld) Function(f parser.Function) (parser.FunctionFacts, bool) {
	fact, _ := w.world.Function(catalog.Name{Name: f.Name})
	return parser.FunctionFacts{Alike: fact.Alike}, true
}

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sql             string
		compat, mixed, strict string // level and action
		reason                string // some reason has it
	}{
		// rows that the text names
		{"insert of constants", "INSERT INTO plain VALUES (1, 2)", "D0 run", "D0 run", "D0 run", ""},
		{"update by key", "UPDATE plain SET v = v + 1 WHERE id = 1", "D0 run", "D0 run", "D0 run", ""},
		{"delete by key", "DELETE FROM plain WHERE id = $1", "D0 run", "D0 run", "D0 run", ""},
		{"truncate", "TRUNCATE plain", "D0 run", "D0 run", "D0 run", ""},
		{"DDL", "CREATE TABLE x (a int)", "D0 run", "D0 run", "D0 run", ""},
		{"a read", "SELECT * FROM plain", "D0 run", "D0 run", "D0 run", ""},
		// time, chance, sequences
		{"the time", "INSERT INTO plain VALUES (1, extract(day FROM now()))", "D1 rewrite", "D1 rewrite", "D1 rewrite", "asks for the time"},
		{"a sequence", "INSERT INTO plain VALUES (nextval('s'), 1)", "D2 warn", "D2 lease", "D2 lease", "nextval"},
		{"chance, once", "INSERT INTO plain VALUES (1, random())", "D3 rewrite", "D3 rewrite", "D3 rewrite", "for itself"},
		{"chance for each row", "UPDATE plain SET v = random()", "D4 warn", "D4 capture", "D4 capture", "random() is evaluated for each row"},
		// rows that a query finds
		{"by a condition", "UPDATE plain SET v = 0 WHERE v > 3", "D4 run", "D4 capture", "D4 capture", "that a condition finds"},
		{"insert of a query", "INSERT INTO plain SELECT id, 1 FROM src", "D4 run", "D4 capture", "D4 capture", "reads from src"},
		{"merge", "MERGE INTO plain USING src ON plain.id = src.id WHEN MATCHED THEN DELETE", "D4 run", "D4 capture", "D4 capture", "MERGE"},
		{"several targets", "WITH d AS (DELETE FROM src WHERE id = 1 RETURNING id) INSERT INTO plain SELECT id, 1 FROM d", "D4 run", "D4 capture", "D4 capture", "several relations"},
		{"skip locked", "SELECT * FROM plain FOR UPDATE SKIP LOCKED", "D4 warn", "D4 capture", "D4 capture", "locked at that moment"},
		{"create table as", "CREATE TABLE x AS SELECT * FROM plain", "D4 run", "D4 capture", "D4 capture", "result of a query"},
		// triggers, rules, constraints
		{"before trigger with the clock", "INSERT INTO stamped VALUES (1)", "D4 warn", "D4 capture", "D4 capture", "trigger tr of stamped calls now()"},
		{"trigger that does not fire", "DELETE FROM stamped WHERE id = 1", "D4 run", "D4 capture", "D4 capture", "that a condition finds"},
		{"deterministic trigger", "INSERT INTO sobered VALUES (1)", "D0 run", "D0 run", "D0 run", ""},
		{"after trigger that writes the time elsewhere", "INSERT INTO audited VALUES (1)", "D5 warn", "D5 lock", "D5 refuse", "trigger tr of audited calls clock_timestamp()"},
		{"after trigger that changes rows", "INSERT INTO counted VALUES (1)", "D4 run", "D4 capture", "D4 capture", ""},
		{"what a trigger's function calls", "INSERT INTO deeply VALUES (1)", "D5 warn", "D5 lock", "D5 refuse", "random"},
		{"check with the clock", "INSERT INTO checked VALUES (1)", "D5 warn", "D5 lock", "D5 refuse", "constraint c of checked calls now()"},
		{"policy with the clock", "DELETE FROM fenced WHERE id = 1", "D5 warn", "D5 lock", "D5 refuse", "policy c of fenced"},
		{"generated column that is not immutable", "INSERT INTO made VALUES (1)", "D5 warn", "D5 lock", "D5 refuse", "generated column c of made"},
		{"rule with the clock", "INSERT INTO ruled VALUES (1)", "D5 warn", "D5 lock", "D5 refuse", "rule c of ruled"},
		{"deterministic rule", "INSERT INTO ruled_well VALUES (1)", "D0 run", "D0 run", "D0 run", ""},
		// functions
		{"pure function", "INSERT INTO plain VALUES (pure(1), 2)", "D0 run", "D0 run", "D0 run", ""},
		{"function that changes rows", "SELECT mover()", "D4 run", "D4 capture", "D4 capture", ""},
		{"function that stores chance", "SELECT lucky()", "D5 warn", "D5 lock", "D5 refuse", "function lucky() calls random()"},
		{"dynamic SQL", "SELECT dynamic()", "D5 warn", "D5 lock", "D5 refuse", "EXECUTE"},
		{"caught errors", "SELECT catcher()", "D5 warn", "D5 lock", "D5 refuse", "EXCEPTION"},
		{"procedure that commits", "CALL committer()", "D5 warn", "D5 lock", "D5 refuse", "ends transactions"},
		{"another language", "SELECT python()", "D5 warn", "D5 lock", "D5 refuse", "plpython3u"},
		{"hidden nextval", "SELECT drawer()", "D5 warn", "D5 lock", "D5 refuse", "draws from a sequence"},
		{"a view that asks for the time", "INSERT INTO plain SELECT * FROM valid", "D4 warn", "D4 capture", "D4 capture", "below valid"},
		{"a table of it", "CREATE TABLE made_of AS SELECT * FROM valid", "D4 warn", "D4 capture", "D4 capture", "below valid"},
		{"false label", "INSERT INTO plain VALUES (1, false_imm()::int)", "D4 warn", "D4 capture", "D4 refuse", "labelled immutable"},
		{"DO with chance", "DO 'BEGIN INSERT INTO log VALUES (random()); END'", "D5 warn", "D5 lock", "D5 refuse", "DO calls random()"},
		{"DO without", "DO 'BEGIN INSERT INTO log VALUES (1); END'", "D0 run", "D0 run", "D0 run", ""},
		{"DO in another language", "DO LANGUAGE plpython3u 'x'", "D5 warn", "D5 lock", "D5 refuse", "language"},
		// the outside world
		{"foreign table", "INSERT INTO far VALUES (1)", "D6 refuse", "D6 refuse", "D6 refuse", "foreign table"},
		{"from a foreign table", "INSERT INTO plain SELECT * FROM far", "D4 warn", "D4 capture", "D4 capture", "foreign table far"},
		{"dblink", "SELECT dblink('x')", "D6 refuse", "D6 refuse", "D6 refuse", "class dblink"},
		{"file of the server", "COPY plain FROM '/x'", "D6 refuse", "D6 refuse", "D6 refuse", "class filesystem"},
		{"program of the server", "COPY plain TO PROGRAM 'x'", "D6 refuse", "D6 refuse", "D6 refuse", "class filesystem"},
		{"copy from the frontend", "COPY plain FROM STDIN", "D0 run", "D0 run", "D0 run", ""},
		{"reading a file", "SELECT pg_read_file('x')", "D6 main", "D6 main", "D6 main", "reads files"},
		{"storing a file", "INSERT INTO plain VALUES (1, pg_read_file('x'))", "D6 refuse", "D6 refuse", "D6 refuse", "stores what"},
		{"slot", "SELECT pg_drop_replication_slot('x')", "D6 refuse", "D6 refuse", "D6 refuse", "class replication"},
		{"reload", "SELECT pg_reload_conf()", "D6 refuse", "D6 refuse", "D6 refuse", "class admin"},
		// one node
		{"advisory lock", "SELECT pg_advisory_lock(1)", "D6 main", "D6 main", "D6 main", "of class advisory"},
		{"advisory lock and a sequence", "SELECT pg_advisory_lock(1), nextval('s')", "D2 warn", "D2 lease", "D2 lease", "nextval"},
		{"notify", "NOTIFY c", "D6 main", "D6 main", "D6 main", "listen"},
		{"pg_notify", "SELECT pg_notify('c', 'x')", "D6 main", "D6 main", "D6 main", "of class notify"},
		{"signal", "SELECT pg_terminate_backend(1)", "D6 main", "D6 main", "D6 main", "of class signal"},
		// utilities
		{"alter system", "ALTER SYSTEM SET work_mem = 1", "D6 refuse", "D6 refuse", "D6 refuse", "configuration of a node"},
		{"subscription", "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "D6 refuse", "D6 refuse", "D6 refuse", "subscription"},
		{"publication", "CREATE PUBLICATION p FOR ALL TABLES", "D0 run", "D0 run", "D0 run", ""},
		{"import", "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "D6 warn", "D6 warn", "D6 refuse", "remote server"},
		{"unlogged", "CREATE UNLOGGED TABLE x (a int)", "D6 run", "D6 warn", "D6 refuse", "unlogged"},
		{"column with the time", "ALTER TABLE plain ADD c timestamptz DEFAULT now()", "D1 rewrite", "D1 rewrite", "D1 rewrite", "column c asks for the time"},
		{"column with chance", "ALTER TABLE plain ADD c uuid DEFAULT gen_random_uuid()", "D4 warn", "D4 lock", "D4 lock", "column c calls gen_random_uuid()"},
		{"column with a constant that reads the time", "ALTER TABLE plain ADD c date DEFAULT 'now'::date", "D4 warn", "D4 refuse", "D4 refuse", "only the server can read"},
		{"column with a number", "ALTER TABLE plain ADD c bigserial", "D4 warn", "D4 lock", "D4 lock", "order that they have on disk"},
		{"column with a pure default", "ALTER TABLE plain ADD c int DEFAULT pure(1)", "D0 run", "D0 run", "D0 run", ""},
		{"password", "ALTER ROLE r PASSWORD 'x'", "D0 run", "D0 run", "D0 run", ""},
		{"password with dollar quotes", "ALTER ROLE r PASSWORD $$x$$", "D0 run", "D0 run", "D0 run", ""},
		{"no password", "ALTER ROLE r PASSWORD NULL", "D0 run", "D0 run", "D0 run", ""},
		{"password that cannot be told", "ALTER ROLE r PASSWORD U&'x'", "D6 warn", "D6 refuse", "D6 refuse", "salt of its own"},
		{"vacuum", "VACUUM plain", "D0 run", "D0 run", "D0 run", ""},
		{"explain analyze", "EXPLAIN ANALYZE UPDATE plain SET v = 1", "D4 run", "D4 capture", "D4 capture", "that a condition finds"},
		{"explain", "EXPLAIN UPDATE plain SET v = 1", "D0 run", "D0 run", "D0 run", ""},
		{"not understood", "FROB x", "D5 warn", "D5 warn", "D5 refuse", "not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := []string{tt.compat, tt.mixed, tt.strict}
			var got []string
			var all string
			for _, setting := range []string{"compat", "mixed", "strict"} {
				v := judged(t, policyOf(t, "replication_safety = "+setting), tt.sql)
				got = append(got, v.Level.String()+" "+v.Action.String())
				all += v.String() + "\n"
			}
			if !slices.Equal(got, want) || !strings.Contains(all, tt.reason) {
				t.Errorf("%s\n got %q\nwant %q, %q\n%s", tt.sql, got, want, tt.reason, all)
			}
		})
	}
}

func TestFunctionPolicy(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, line, sql, want string }{
		{"broadcast of advisory locks", "function_policy = 'advisory:broadcast'", "SELECT pg_advisory_lock(1)", "D0 run"},
		{"warning of advisory locks", "function_policy = 'advisory:warn'", "SELECT pg_advisory_lock(1)", "D6 warn"},
		{"denied time", "function_policy = 'time:deny'", "INSERT INTO plain VALUES (1, now())", "D6 refuse"},
		{"denied sequences", "function_policy = 'sequence:deny'", "SELECT nextval('s')", "D6 refuse"},
		{"admin on all nodes", "admin_broadcast = on", "SELECT pg_reload_conf()", "D0 run"},
		{"ALTER SYSTEM on all nodes", "admin_broadcast = on", "ALTER SYSTEM SET work_mem = 1", "D0 run"},
		{"files on main", "function_policy = 'filesystem:main'", "COPY plain TO '/x'", "D6 main"},
		{"rows of a file cannot be on main alone", "function_policy = 'filesystem:main'", "COPY plain FROM '/x'", "D6 refuse"},
		{"files on all nodes", "function_policy = 'filesystem:broadcast'", "COPY plain FROM '/x'", "D6 run"},
		{"foreign tables on main", "function_policy = 'dblink:main'", "INSERT INTO far VALUES (1)", "D6 main"},
		{"other classes keep their default", "function_policy = 'advisory:warn'", "SELECT pg_reload_conf()", "D6 refuse"},
		{"unparsed, refused", "unparsed_statement = refuse", "FROB x", "D5 refuse"},
		{"unparsed, allowed", "unparsed_statement = allow", "FROB x", "D5 run"},
		{"deny list in a body", "function_deny_list = '^random$'", "SELECT lucky()", "D6 refuse"},
		{"deny list in a trigger", "function_deny_list = 'clock_.*'", "INSERT INTO audited VALUES (1)", "D6 refuse"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := judged(t, policyOf(t, tt.line), tt.sql)
			if got := v.Level.String() + " " + v.Action.String(); got != tt.want {
				t.Errorf("%s: %s (%v), want %s", tt.sql, got, v, tt.want)
			}
		})
	}
}

// TestLocks: the tables that nobody may change meanwhile. Locks are no help where each node
// computes a value of its own.
func TestLocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ sql, want string }{
		{"INSERT INTO audited VALUES (1)", "[] []"},
		{"SELECT catcher()", "[log] []"},
		{"SELECT mover()", "[plain] []"},
		{"SELECT copier()", "[log] [src]"},
		{"REFRESH MATERIALIZED VIEW shown", "[] [src]"},
	} {
		v := judged(t, policyOf(t), tt.sql)
		if got := fmt.Sprint(v.Locks, v.ReadLocks); got != tt.want {
			t.Errorf("%s: locks %s, want %s", tt.sql, got, tt.want)
		}
	}
}

// TestElsewhere: what code does besides, and what triggers in front of rows do.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ sql, elsewhere, firing string }{
		{"INSERT INTO plain VALUES (1)", "", ""},
		{"INSERT INTO stamped VALUES (1)", "", "InRow Unlike"},
		{"INSERT INTO sobered VALUES (1)", "", "InRow"},
		{"DELETE FROM stamped", "", ""},
		{"INSERT INTO audited VALUES (1)", "Writes Differs", "Beside"},
		{"INSERT INTO counted VALUES (1)", "Writes Races", "Beside"},
		{"SELECT copier()", "Writes Races", ""},
		{"SELECT catcher()", "Writes Differs Catches", ""},
		{"SELECT dynamic()", "Writes Differs Hidden", ""},
		{"SELECT settler()", "Writes Differs Hidden", ""},
		{"INSERT INTO ruled VALUES (1)", "Writes Differs", ""},
		{"DO 'BEGIN INSERT INTO log VALUES (random()); END'", "Writes Differs", ""},
		{"INSERT INTO referred VALUES (1)", "", ""},
		{"UPDATE referred SET id = 1", "Writes Differs", ""},
		{"INSERT INTO referred VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", "Writes Differs", ""},
		{"DELETE FROM referred", "Writes", ""}, // stamp is not for DELETE
		{"DELETE FROM twice_referred", "Writes", ""},
		{"UPDATE twice_referred SET id = 1", "", ""},
		{"DELETE FROM kept", "Writes", ""},
	} {
		v := judged(t, policyOf(t), tt.sql)
		if got := flags(v.Elsewhere); got != tt.elsewhere {
			t.Errorf("%s: elsewhere %q, want %q", tt.sql, got, tt.elsewhere)
		}
		if got := flags(v.Firing); got != tt.firing {
			t.Errorf("%s: firing %q, want %q", tt.sql, got, tt.firing)
		}
	}
}

// TestReaches: the relations, besides those that are named, whose nature matters; "?" for some that nobody knows.
func TestReaches(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"INSERT INTO plain VALUES (1)": "", "UPDATE plain SET id = 1 WHERE id = 2": "", "INSERT INTO plain SELECT * FROM src": "",
		"INSERT INTO checked VALUES (1)": "", "INSERT INTO stamped VALUES (1)": "", "UPDATE referred SET id = 1": "stamped", "DELETE FROM twice_referred": "referred stamped",
		"INSERT INTO family VALUES (1)": "?", "INSERT INTO ruled VALUES (1)": "log", "INSERT INTO audited VALUES (1)": "log", "SELECT python()": "?",
		"TRUNCATE plain": "?", "DO 'BEGIN INSERT INTO log VALUES (1); END'": "log", "INSERT INTO plain SELECT * FROM shown": "shown src",
	} {
		v := judged(t, policyOf(t), sql)
		got := slices.Sorted(slices.Values(v.Reaches))
		if v.Far {
			got = append(got, "?")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

// flags are the names of the fields that are set.
func flags(of any) string {
	var names []string
	for _, field := range strings.Fields(strings.Trim(fmt.Sprintf("%+v", of), "{}")) {
		if name, set := strings.CutSuffix(field, ":true"); set {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// TestStored: what each node would store in its own way.
func TestStored(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ line, sql, want string }{
		{"", "INSERT INTO plain VALUES (1, query_to_xml('SELECT 1', false, false, ''))", "D4 capture"},
		{"", "SELECT query_to_xml('SELECT 1', false, false, '')", "D5 warn"},
		{"replication_safety = strict", "SELECT query_to_xml('SELECT 1', false, false, '')", "D5 refuse"},
		{"", "INSERT INTO plain SELECT 'src'::regclass::oid", "D4 capture"},
		{"", "INSERT INTO plain SELECT 'src'::regclass::int", "D4 capture"},
		{"", "INSERT INTO plain VALUES (nextval('s'::regclass))", "D2 lease"},
		{"", "CREATE MATERIALIZED VIEW m AS SELECT random() FROM src", "D4 warn"},
		{"replication_safety = strict", "CREATE MATERIALIZED VIEW m AS SELECT random() FROM src", "D4 refuse"},
		{"", "CREATE MATERIALIZED VIEW m AS SELECT id FROM src", "D0 run"},
		{"", "CREATE TABLE parts (m mood) PARTITION BY HASH (m)", "D6 warn"},
		{"", "CREATE TABLE parts (m text) PARTITION BY HASH (m)", "D0 run"},
	} {
		v := judged(t, policyOf(t, tt.line), tt.sql)
		if got := v.Level.String() + " " + v.Action.String(); got != tt.want {
			t.Errorf("%s: %s (%v), want %s", tt.sql, got, v, tt.want)
		}
	}
}

// unasked is a database of which nothing is known.
type unasked struct{ *catalog.Database }

func (unasked) Implied() *catalog.Implied { return &catalog.Implied{} }

// TestAsking: what is not known is asked for, and until then the verdict is the cautious
// one.
func TestAsking(t *testing.T) {
	t.Parallel()
	stmt := &parser.Classify("INSERT INTO plain VALUES (mover())").Statements[0]
	db := catalog.New(10, 0, nil).Database("d")
	v, ask := Judge(Input{Statement: stmt, Policy: policyOf(t), Facts: unasked{db}, Bodies: &Bodies{}})
	if len(ask.Functions) != 1 || len(ask.Relations) != 1 {
		t.Errorf("asks for %v", ask)
	}
	if v == nil {
		t.Error("no verdict")
	}
}
