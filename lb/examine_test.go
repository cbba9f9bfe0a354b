package lb

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// forgetful is a catalogue that knows nothing.
type forgetful struct{}

func (forgetful) Function(catalog.Name) (catalog.Function, bool) { return catalog.Function{}, false }
func (forgetful) Relation(catalog.Name) (catalog.Relation, bool) { return catalog.Relation{}, false }

func TestExamineSaysWhatHasToBeAsked(t *testing.T) {
	question := func(functions, relations string) *catalog.Question {
		q := new(catalog.Question)
		for list, into := range map[string]*[]catalog.Name{functions: &q.Functions, relations: &q.Relations} {
			for name := range strings.FieldsSeq(list) {
				schema, name, found := strings.Cut(name, ".")
				if !found {
					schema, name = "", schema
				}
				*into = append(*into, catalog.Name{Schema: schema, Name: name})
			}
		}
		return q
	}
	tests := []struct {
		mode, line, sql string
		want            *catalog.Question
		class           Class
	}{
		{"native_replication", "", "SELECT 1", nil, Read},
		{"native_replication", "", "SELECT now(), count(*)", nil, Read},
		{"native_replication", "", "SELECT * FROM t", question("", "t"), Write},
		{"native_replication", "", "SELECT f(), g(a) FROM t JOIN s.u ON f()", question("f g", "t s.u"), Write},
		{"native_replication", "", "SELECT f(1), f(2), s.f()", question("f s.f", ""), Write},
		{"native_replication", "", "SELECT * FROM pg_catalog.pg_class, information_schema.tables", nil, Read},
		{"native_replication", "", "INSERT INTO t SELECT f() FROM u", nil, Write},
		{"native_replication", "", "SELECT f() FROM t FOR UPDATE", nil, Write},
		{"native_replication", "", "DECLARE c CURSOR FOR SELECT f()", question("f", ""), Write},
		{"native_replication", "write_function_list = 'x'", "SELECT f() FROM t", question("", "t"), Write},
		{"native_replication", "disable_load_balance_on_write = dml_adaptive", "DELETE FROM t WHERE a = f()", nil, Write},
		{"streaming_replication", "", "SELECT f() FROM t", question("f", "t"), Write},
		{"streaming_replication", "", "EXPLAIN SELECT f() FROM t", question("", "t"), Write},
		{"streaming_replication", "", "DELETE FROM t WHERE a = f()", nil, Write},
		{"streaming_replication", "disable_load_balance_on_write = dml_adaptive", "INSERT INTO t SELECT f() FROM t, u", question("f", "t u"), Write},
		{"streaming_replication", "disable_load_balance_on_write = dml_adaptive_global", "SELECT f() FROM t", question("f", "t"), Write},
		{"raw", "", "SELECT * FROM t", nil, Read},
	}
	for _, tt := range tests {
		t.Run(tt.mode+" "+tt.sql, func(t *testing.T) {
			t.Parallel()
			traits, missing := Examine(&parser.Classify(tt.sql).Statements[0], tt.sql, policyOf(t, tt.mode, tt.line), forgetful{})
			if !reflect.DeepEqual(missing, tt.want) {
				t.Errorf("missing %+v, want %+v", missing, tt.want)
			}
			if traits.Class != tt.class {
				t.Errorf("traits %v, want %v", traits, tt.class)
			}
		})
	}
}

func TestExamineWithoutACatalogue(t *testing.T) {
	p := policyOf(t, "streaming_replication")
	for sql, want := range map[string]string{
		"SELECT * FROM t":         "read",
		"SELECT f() FROM t":       "write: calls unknown function f()",
		"SELECT * FROM pg_temp.t": "read on the main node: reads temporary table t",
	} {
		traits, missing := Examine(&parser.Classify(sql).Statements[0], sql, p, nil)
		if got := traits.String(); got != want || missing != nil {
			t.Errorf("Examine(%q) = %q and misses %v, want %q and nothing", sql, got, missing, want)
		}
	}
}

func TestTraitsThatPinATransaction(t *testing.T) {
	p := policyOf(t, "streaming_replication")
	for sql, want := range map[string]bool{
		"SELECT 1": false, "DELETE FROM t": false, "BEGIN": false, "COMMIT": false, "CLOSE c": false, "LISTEN c": false,
		"SAVEPOINT a": true, "ROLLBACK TO a": true, "SET LOCAL x.y = 1": true, "SET x.y = 1": true,
		"DECLARE c CURSOR FOR SELECT 1": true, "FETCH c": true, "LOCK TABLE t IN ACCESS SHARE MODE": true,
		"SELECT set_config('x.y', '1', true)": true, "SET TRANSACTION READ ONLY": true, "PREPARE p AS SELECT 1": true,
	} {
		if got := examine(t, p, sql).Pins; got != want {
			t.Errorf("%s: pins %v, want %v", sql, got, want)
		}
	}
}

func TestLeadingComment(t *testing.T) {
	tests := []struct {
		text, want string
		ok         bool
	}{
		{"SELECT 1", "", false},
		{"", "", false},
		{" \t\n", "", false},
		{"/", "", false},
		{"-", "", false},
		{"/*a*/ SELECT 1", "a", true},
		{"\r\n\f\v\t /* a b */ SELECT 1", "a b", true},
		{"/*a", "a", true},
		{"/**/", "", true},
		{"/*/", "/", true},
		{"-- a\nSELECT 1", "", true},
		{"--", "", true},
		{"/*a /*b*/ c*/", "a /*b", true},
	}
	for _, tt := range tests {
		if got, ok := leadingComment(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("leadingComment(%q) = %q, %v, want %q, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func TestIsOff(t *testing.T) {
	for value, want := range map[string]bool{
		"off": true, "of": true, "OFF": true, "f": true, "false": true, "fal": true, "n": true, "no": true, "0": true,
		"on": false, "o": false, "true": false, "1": false, "": false, "offf": false, "x": false,
	} {
		if got := isOff(value); got != want {
			t.Errorf("isOff(%q) = %v, want %v", value, got, want)
		}
	}
}
