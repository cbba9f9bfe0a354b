package parser

import (
	"slices"
	"strings"
	"testing"
)

func TestReadBody(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"a trigger with the clock", "BEGIN NEW.updated_at := now(); RETURN NEW; END", "calls now clock"},
		{"a keyword for the time", "BEGIN NEW.x := CURRENT_TIMESTAMP; RETURN NEW; END", "clock"},
		{"a constant for the time", "SELECT 'today'::date", "clock"},
		{"an audit trigger", "BEGIN INSERT INTO log.audit (who, what) VALUES (current_user, random()); RETURN NULL; END", "calls random random; writes log.audit"},
		{"a bracket behind INTO is no call", "INSERT INTO t(a) VALUES (f(1))", "calls f unknown; writes t"},
		{"an update and what it reads", "UPDATE acc SET v = v + 1 FROM x, s.y AS z WHERE acc.id = x.id", "reads x s.y; writes acc"},
		{"FOR UPDATE names no relation", "SELECT 1 FROM t FOR UPDATE", "reads t"},
		{"SKIP LOCKED", "SELECT 1 FROM t FOR UPDATE SKIP LOCKED", "reads t; skips locked"},
		{"LIMIT", "INSERT INTO t SELECT a FROM s LIMIT 3", "reads s; writes t; picks"},
		{"FETCH FIRST", "SELECT a FROM s FETCH FIRST 2 ROWS ONLY", "reads s; picks"},
		{"FETCH of a cursor", "FETCH NEXT FROM c INTO r", "reads c"},
		{"DISTINCT ON", "SELECT DISTINCT ON (a) a FROM s", "reads s; picks"},
		{"DISTINCT", "SELECT DISTINCT a FROM s", "reads s"},
		{"a window", "SELECT rank() OVER w FROM s WINDOW w AS (ORDER BY a)", "calls rank deterministic; reads s; picks"},
		{"a sample", "SELECT a FROM s TABLESAMPLE system (1)", "calls system random; reads s; picks"},
		{"an array of rows", "SELECT ARRAY(SELECT a FROM s)", "reads s; picks"},
		{"an array of values", "SELECT ARRAY[a, b] FROM s", "reads s"},
		{"a list of what is found", "SELECT string_agg(a, ',') FROM s", "calls string_agg deterministic; reads s; picks"},
		{"ON CONFLICT DO UPDATE names no relation", "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1", "writes t"},
		{"a conditional update", "IF a THEN UPDATE t SET b = 1; END IF", "writes t"},
		{"a conditional update of a schema's table", "IF a THEN UPDATE s.t SET b = 1; END IF", "writes s.t"},
		{"a conditional update with an alias", "IF a THEN UPDATE ONLY t AS x SET b = 1; END IF", "writes t"},
		{"MERGE", "MERGE INTO t USING s ON true WHEN MATCHED THEN UPDATE SET b = 1", "reads s; writes t"},
		{"a rule", "CREATE RULE r AS ON INSERT TO v DO UPDATE t SET a = 1 WHERE b", "writes t; defines"},
		{"DELETE", "DELETE FROM ONLY s.t USING u WHERE true", "reads u; writes s.t"},
		{"dynamic SQL", "BEGIN EXECUTE format('DROP TABLE %I', x); END", "calls format deterministic; dynamic"},
		{"an exception block", "BEGIN x := 1; EXCEPTION WHEN OTHERS THEN NULL; END", "catches"},
		{"RAISE EXCEPTION catches nothing", "BEGIN RAISE EXCEPTION 'when now %', x; END", ""},
		{"COMMIT inside", "BEGIN FOR i IN 1..3 LOOP COMMIT; END LOOP; END", "commits"},
		{"a column named commit", "SELECT t.commit FROM t", "reads t"},
		{"DDL", "BEGIN CREATE TABLE x(a int); END", "defines"},
		{"comments and strings hide", "SELECT 1 /* now() */ -- random()\n, 'f(x)', $$g(y)$$", ""},
		{"a qualified call", "SELECT pg_catalog.now(), app.f(1, 2)", "calls pg_catalog.now clock app.f unknown"},
		{"age with one argument", "SELECT age(x)", "calls age clock"},
		{"age with two arguments", "SELECT age(x, y)", "calls age deterministic"},
		{"a quoted name", `SELECT "Next Id"()`, "calls Next Id unknown"},
		{"NOTIFY", "BEGIN NOTIFY c; END", "calls pg_notify writer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ReadBody(tt.text).summary(); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// summary writes a body down for comparison.
func (b *Body) summary() string {
	var parts, calls []string
	for _, f := range b.Functions {
		calls = append(calls, f.String()+" "+f.Class.String())
	}
	add := func(so bool, text string) {
		if so {
			parts = append(parts, text)
		}
	}
	add(len(calls) > 0, "calls "+strings.Join(calls, " "))
	add(len(b.Reads) > 0, "reads "+joined(b.Reads))
	add(len(b.Writes) > 0, "writes "+joined(b.Writes))
	add(b.Clock, "clock")
	add(b.Dynamic, "dynamic")
	add(b.Catches, "catches")
	add(b.Commits, "commits")
	add(b.Defines, "defines")
	add(b.SkipsLocked, "skips locked")
	add(b.Picks, "picks")
	return strings.Join(parts, "; ")
}

func joined(relations []Relation) string {
	var names []string
	for _, r := range relations {
		names = append(names, r.String())
	}
	return strings.Join(names, " ")
}

func TestWhatIsTooLongIsNotRead(t *testing.T) {
	t.Parallel()
	if b := ReadBody(strings.Repeat("SELECT 1;", maxBody/9+1)); !b.TooLong {
		t.Error("read to its end")
	}
}

func TestFindName(t *testing.T) {
	t.Parallel()
	sql := "SELECT 'f(x)', é, f, \"F\"(1), f (2)"
	got := []int{FindName(sql, "f", true), FindName(sql, "f", false), FindName(sql, "F", true), FindName(sql, "g", false), FindWord(sql, "select")}
	if want := []int{30, 19, 22, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzReadBody(f *testing.F) {
	f.Add("BEGIN NEW.x := now(); EXECUTE 'a' USING b; END")
	f.Add("DELETE FROM ( ONLY \"a\".\"b\" , lateral c")
	f.Fuzz(func(t *testing.T, text string) {
		ReadBody(text)
		FindName(text, "f", true)
	})
}
