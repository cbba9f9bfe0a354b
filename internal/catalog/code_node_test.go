package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

const coded = `
CREATE SCHEMA app;
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END';
CREATE FUNCTION app.atomic(x int) RETURNS int LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT x + 1; END;
CREATE FUNCTION app.brief() RETURNS float8 LANGUAGE sql RETURN random();
CREATE FUNCTION app.step(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE app.agg(int) (SFUNC = app.step, STYPE = int);
CREATE PROCEDURE app.proc() LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION app.many(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION app.many(text) RETURNS int LANGUAGE sql STABLE AS 'SELECT 2';
CREATE DOMAIN app.moment AS timestamptz DEFAULT clock_timestamp();
CREATE TABLE app.t (id serial, other int GENERATED ALWAYS AS IDENTITY, at app.moment, twice int GENERATED ALWAYS AS (id * 2) STORED,
	CHECK (id > 0), UNIQUE (id) DEFERRABLE);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.stamp();
CREATE TRIGGER off AFTER DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.stamp();
ALTER TABLE app.t DISABLE TRIGGER off;
ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.t USING (at < now()) WITH CHECK (id < 10);
CREATE RULE log AS ON INSERT TO app.t DO ALSO NOTIFY c;
CREATE VIEW app.v AS SELECT random() AS r FROM app.t;
CREATE TABLE app.part (k int) PARTITION BY LIST (k);
CREATE UNLOGGED TABLE app.leaf PARTITION OF app.part FOR VALUES IN (1);
CREATE TRIGGER leaf AFTER UPDATE ON app.leaf FOR EACH ROW EXECUTE FUNCTION app.stamp();
CREATE TABLE app.pointed (k int PRIMARY KEY) PARTITION BY LIST (k);
CREATE TABLE app.pointed_part PARTITION OF app.pointed FOR VALUES IN (1);
CREATE TABLE app.child (k int REFERENCES app.pointed ON DELETE CASCADE ON UPDATE SET NULL) PARTITION BY LIST (k);
CREATE TABLE app.child_part PARTITION OF app.child DEFAULT;
CREATE TABLE other (k int REFERENCES app.pointed ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE app.plain (k int REFERENCES app.pointed);
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE app.far (a int) SERVER s;
CREATE EXTENSION pgcrypto;
`

func TestCode(t *testing.T) {
	conn := pgtest.Start(t, 1)[0].Connect()
	exec(t, conn, coded)
	tests := []struct{ function, want string }{
		{"app.stamp", "app f plpgsql volatile \"BEGIN NEW.at := now(); RETURN NEW; END\""},
		{"atomic", `app f sql immutable "\nBEGIN ATOMIC\n SELECT (x + 1);\nEND\n"`},
		{"brief", `app f sql volatile "\nRETURN random()\n"`},
		{"agg", `app a internal immutable "aggregate_dummy" support app.step`},
		{"proc", `app p sql volatile "SELECT 2"`},
		{"many", `app f sql volatile "SELECT 1"; app f sql stable "SELECT 2"`},
		{"gen_salt", `public f c volatile "pg_gen_salt" of pgcrypto; public f c volatile "pg_gen_salt_rounds" of pgcrypto`},
		{"now", `pg_catalog f internal stable "now" system`},
		{"none", "does not exist"},
	}
	var q catalog.CodeQuestion
	for _, tt := range tests {
		q.Functions = append(q.Functions, name(tt.function))
	}
	a := ask(t, conn, q)
	for _, tt := range tests {
		code, _ := a.Code(name(tt.function))
		if got := codeText(code); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.function, got, tt.want)
		}
	}
}

func codeText(c *catalog.Code) string {
	if !c.Exists {
		return "does not exist"
	}
	var all []string
	for _, b := range c.Bodies {
		text := fmt.Sprintf("%s %c %s %v %q", b.Schema, b.Kind, b.Language, b.Volatility, b.Source)
		if b.Extension != "" {
			text += " of " + b.Extension
		}
		for _, s := range b.Support {
			text += " support " + s.String()
		}
		if b.System {
			text += " system"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func TestSurroundings(t *testing.T) {
	conn := pgtest.Start(t, 1)[0].Connect()
	exec(t, conn, coded)
	tests := []struct {
		relation string
		want     []string
	}{
		{"app.t", []string{"check t_id_check: CHECK ((id > 0))", "default id: nextval('app.t_id_seq'::regclass)",
			"default other: nextval()", "deferrable", "domain at: clock_timestamp()", "generated twice: (id * 2)", "policy mine: ((at)::timestamp with time zone < now()) (id < 10)",
			"rule log: CREATE RULE log AS\n    ON INSERT TO app.t DO\n NOTIFY c;", "trigger stamp app.stamp 23"}},
		{"v", []string{"view", "view : SELECT random() AS r\n   FROM app.t;"}},
		{"part", []string{"related", "trigger leaf app.stamp 17", "unlogged"}},
		{"far", []string{"foreign"}},
		{"none", []string{"does not exist"}},
		{"app.pointed", []string{"cascade app.child 8 16", "cascade public.other 16 16", "related"}},
		{"app.pointed_part", []string{"cascade app.child 8 16", "cascade public.other 16 16", "related"}},
		{"app.plain", nil},
		{"leaf", []string{"related", "trigger leaf app.stamp 17", "unlogged"}},
	}
	var q catalog.CodeQuestion
	for _, tt := range tests {
		q.Relations = append(q.Relations, name(tt.relation))
	}
	a := ask(t, conn, q)
	for _, tt := range tests {
		s, _ := a.Surroundings(name(tt.relation))
		if got := surroundingsText(s); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.relation, got, tt.want)
		}
	}
}

func surroundingsText(s *catalog.Surroundings) []string {
	if !s.Exists {
		return []string{"does not exist"}
	}
	var all []string
	for _, flag := range []struct {
		is   bool
		name string
	}{{s.Foreign, "foreign"}, {s.View, "view"}, {s.Unlogged, "unlogged"}, {s.Deferrable, "deferrable"}, {s.Related, "related"}, {s.More, "more"}} {
		if flag.is {
			all = append(all, flag.name)
		}
	}
	for _, t := range s.Triggers {
		all = append(all, fmt.Sprintf("trigger %s %s %d", t.Name, t.Function, t.Type))
	}
	for _, k := range s.Cascades {
		all = append(all, fmt.Sprintf("cascade %s %d %d", k.Relation, k.Deletes, k.Updates))
	}
	for _, t := range s.Texts {
		all = append(all, fmt.Sprintf("%s %s: %s", t.Kind, t.Column, strings.TrimSpace(t.Text)))
	}
	slices.Sort(all)
	return all
}

// TestCodeIsKept shows that what was answered is there, until DDL is heard of.
func TestCodeIsKept(t *testing.T) {
	conn := pgtest.Start(t, 1)[0].Connect()
	exec(t, conn, coded)
	db := catalog.New(100, 0, nil).Database("d")
	q := catalog.CodeQuestion{Functions: names("app.stamp"), Relations: names("app.t")}
	db.KeepCode(ask(t, conn, q), db.Generation())
	_, known := db.Code(name("app.stamp"))
	_, surrounded := db.Surroundings(name("app.t"))
	if !known || !surrounded {
		t.Error("not kept")
	}
	old := db.Generation()
	db.ForgetNames(catalog.Change{Names: []string{"t"}})
	if _, surrounded = db.Surroundings(name("app.t")); surrounded {
		t.Error("a table that was changed is still known")
	}
	db.KeepCode(ask(t, conn, q), old)
	if _, surrounded = db.Surroundings(name("app.t")); surrounded {
		t.Error("what was asked before the change was kept")
	}
}
