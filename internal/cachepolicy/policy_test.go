package cachepolicy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// known is a small catalogue. What it does not have has to be asked for.
type known struct {
	functions map[string]catalog.Function
	relations map[string]catalog.Relation
	impacts   map[string]*catalog.Impact
}

func (k known) Function(n catalog.Name) (catalog.Function, bool) {
	f, ok := k.functions[n.Name]
	return f, ok
}

func (k known) Relation(n catalog.Name) (catalog.Relation, bool) {
	r, ok := k.relations[n.Name]
	return r, ok
}

func (k known) Impact(n catalog.Name) *catalog.Impact { return k.impacts[n.Name] }

var shop = known{
	functions: map[string]catalog.Function{
		"fixed": {Exists: true, Volatility: catalog.Immutable}, "calm": {Exists: true, Volatility: catalog.Stable},
		"wild": {Exists: true, Volatility: catalog.Volatile}, "gone": {},
	},
	relations: map[string]catalog.Relation{
		"t": {Exists: true}, "v": {Exists: true, View: true}, "guarded": {Exists: true, RowSecurity: true},
		"far": {Exists: true, Foreign: true}, "tmp": {Exists: true, Temporary: true}, "writes": {Exists: true, View: true, Volatile: true}, "missing": {},
	},
	impacts: map[string]*catalog.Impact{
		"t": {Exists: true, Reads: []string{"t", "t_part"}, Writes: []string{"t", "t_part", "child"}},
		"v": {Exists: true, Reads: []string{"v", "t"}, Writes: []string{"v", "t"}}, "guarded": {Exists: true}, "far": {Exists: true}, "tmp": {Exists: true},
		"writes": {Exists: true}, "fires": {Exists: true, Unknown: true}, "missing": {},
	},
}

func TestRead(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"SELECT * FROM t", "keep t t_part"},
		{"SELECT fixed(v), lower('A'), to_char(at, 'YYYY') FROM t", "keep t t_part"},
		{"SELECT calm(v) FROM t", "it calls calm(), which is not immutable"},
		{"/*FORCE QUERY CACHE*/SELECT calm(v) FROM t", "keep t t_part"},
		{"/*force query cache*/SELECT wild(v) FROM t", "it calls wild(), which is not immutable"},
		{"/*NO QUERY CACHE*/SELECT * FROM t", "its comment says so"},
		{"SELECT gone() FROM t", "it calls gone(), which is not immutable"},
		{"SELECT news() FROM t", "asks for news"},
		{"SELECT * FROM other", "asks for other other"},
		{"SELECT * FROM v", "v is a view or unlogged and not in cache_safe_memqcache_table_list"},
		{"/*FORCE QUERY CACHE*/SELECT * FROM v", "keep v t"},
		{"SELECT * FROM guarded", "guarded has row security"},
		{"SELECT * FROM far", "far is not on the nodes"},
		{"SELECT * FROM tmp", "there is a temporary table tmp"},
		{"/*FORCE QUERY CACHE*/SELECT * FROM tmp", "there is a temporary table tmp"},
		{"SELECT * FROM missing", "missing is not known"},
		{"SELECT * FROM pg_temp.t", "pg_temp.t is a system relation"},
		{"SELECT 1", "it reads no table"},
		{"SELECT now() FROM t", "it asks for the time"},
		{"SELECT random() FROM t", "it calls random()"},
		{"SELECT current_setting('a.b') FROM t", "it calls current_setting()"},
		{"SELECT pg_sleep(1) FROM t", "it calls pg_sleep()"},
		{"SELECT * FROM t FOR SHARE", "it is no plain SELECT"},
		{"SELECT nextval('s') FROM t", "it is no plain SELECT"},
		{"EXPLAIN SELECT * FROM t", "it is no plain SELECT"},
	}
	for _, tt := range tests {
		stmt := &parser.Classify(tt.sql).Statements[0]
		v, missing := OfRead(stmt, HintOf(tt.sql), Lists{}, shop)
		got := v.Why
		switch {
		case v.Keep:
			got = "keep " + strings.Join(v.Names, " ")
		case got == "":
			got = "asks for" + asked(missing)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sql, got, tt.want)
		}
	}
}

func asked(m *Missing) string {
	var text string
	for _, n := range slices.Concat(m.Facts.Functions, m.Facts.Relations, m.Impact.Relations) {
		text += " " + n.String()
	}
	return text
}

func TestWrite(t *testing.T) {
	tests := []struct{ sql, want string }{
		{"UPDATE t SET v = 1", "t t_part child"},
		{"DELETE FROM v", "v t"},
		{"INSERT INTO t SELECT * FROM t", "t t_part child"},
		{"WITH x AS (DELETE FROM v RETURNING 1) SELECT * FROM x", "v t"},
		{"COPY t FROM STDIN", "t t_part child"},
		{"EXPLAIN ANALYZE UPDATE t SET v = 1", "t t_part child"},
		{"EXPLAIN UPDATE t SET v = 1", "nothing"},
		{"UPDATE fires SET v = 1", "database session"},
		{"UPDATE unheard SET v = 1", "asks for unheard"},
		{"INSERT INTO missing VALUES (1)", "missing"},
		{"SELECT * FROM t FOR UPDATE", "nothing"},
		{"SELECT * FROM writes", "database session"},
		{"SELECT wild()", "database session"},
		{"SELECT calm()", "nothing"},
		{"SELECT nextval('s')", "nothing"},
		{"SELECT pg_advisory_lock(1)", "nothing"},
		{"SELECT set_config('a.b', 'c', false)", "session"},
		{"SELECT query_to_xml('DELETE FROM t', true, false, '')", "database session"},
		{"SET search_path = a", "session"},
		{"SET application_name = 'a'", "nothing"},
		{"SET LOCAL TimeZone = 'UTC'", "transaction"},
		{"RESET ALL", "session"},
		{"TRUNCATE t", "database"},
		{"CREATE TEMP TABLE x (a int)", "session"},
		{"CREATE TEMP TABLE x AS SELECT * FROM t", "session"},
		{"CREATE TABLE x AS SELECT * FROM t", "database schema session"},
		{"CREATE TABLE x (a int)", "database schema session"},
		{"ALTER ROLE r SET TimeZone = 'UTC'", "everything schema session"},
		{"DROP DATABASE d", "everything schema session"},
		{"CALL p()", "database session at once"},
		{"DO 'BEGIN END'", "database session at once"},
		{"COMMIT PREPARED 'x'", "everything at once"},
		{"SELEKT 1", "database session at once"},
		{"VACUUM t", "nothing"},
		{"LOCK t", "nothing"},
		{"SAVEPOINT s", "nothing"},
	}
	for _, tt := range tests {
		w, missing := OfWrite(&parser.Classify(tt.sql).Statements[0], shop)
		got := describe(&w)
		if !missing.Empty() {
			got = "asks for" + asked(missing)
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sql, got, tt.want)
		}
	}
}

func describe(w *Write) string {
	if w.Nothing() {
		return "nothing"
	}
	words := slices.Clone(w.Names)
	for _, flag := range []struct {
		on   bool
		name string
	}{{w.Database, "database"}, {w.Everything, "everything"}, {w.Schema, "schema"}, {w.Session, "session"}, {w.Transaction, "transaction"}, {w.AtOnce, "at once"}} {
		if flag.on {
			words = append(words, flag.name)
		}
	}
	return fmt.Sprint(strings.Join(words, " "))
}
