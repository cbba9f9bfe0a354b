package catalog

import (
	"reflect"
	"strings"
	"testing"
)

func TestDecodeRelations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  string
		want Relation
	}{
		{"a table", `{"relation": 0, "locks": null, "calls": null, "base": null}`, Relation{Exists: true}},
		{"a flag each", `{"relation": 0, "system": true, "temporary": true, "unlogged": true, "foreign": true, "row_security": true, "materialized": true, "rules": true}`,
			Relation{Exists: true, System: true, Temporary: true, Unlogged: true, Foreign: true, RowSecurity: true, Materialized: true, Rules: true}},
		{"what a view reads", `{"relation": 0, "view": true, "base": ["7075626c6963.74", "61.622e63"]}`,
			Relation{Exists: true, View: true, Base: []Name{{"public", "t"}, {"a", "b.c"}}}},
		{"calls that only compute", `{"relation": 0, "calls": ["random", "pg_stat_get_xact_numscans"]}`, Relation{Exists: true}},
		{"a call that writes", `{"relation": 0, "calls": ["random", "nextval"]}`, Relation{Exists: true, Volatile: true}},
		{"a call of a user's function", `{"relation": 0, "calls": [""]}`, Relation{Exists: true, Volatile: true}},
		{"locks", `{"relation": 0, "locks": true}`, Relation{Exists: true, Volatile: true}},
		{"too much to look at", `{"relation": 0, "more": true}`, Relation{Exists: true, Volatile: true}},
		{"nothing", ``, Relation{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := decoded(t, Question{Relations: []Name{{Name: "r"}}}, tt.row)
			if got, ok := a.Relation(Name{Name: "r"}); !ok || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v (%v)\nwant %+v", got, ok, tt.want)
			}
		})
	}
}

// decoded is the answer of one row, or of none if it is empty.
func decoded(t *testing.T, q Question, row string) Answer {
	t.Helper()
	var rows []string
	if row != "" {
		rows = []string{row}
	}
	a, err := q.Decode(rows)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestDecodeFunctions(t *testing.T) {
	t.Parallel()
	q := Question{Functions: []Name{{Name: "i"}, {Name: "none"}, {"s", "s"}, {Name: "v"}}}
	a, err := q.Decode([]string{
		`{"function": 3, "volatility": "v"}`, `{"function": 2, "volatility": "s"}`, `{"function": 0, "volatility": "i"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Function{{Exists: true, Volatility: Immutable}, {}, {Exists: true, Volatility: Stable}, {Exists: true}}
	for i, n := range q.Functions {
		if got, ok := a.Function(n); !ok || got != want[i] {
			t.Errorf("%s: %+v (%v), want %+v", n, got, ok, want[i])
		}
	}
	if _, ok := a.Function(Name{Name: "other"}); ok {
		t.Error("something that was not asked for was answered")
	}
	if _, ok := a.Relation(Name{Name: "i"}); ok {
		t.Error("a function answers for a relation")
	}
}

func TestAskedTwice(t *testing.T) {
	t.Parallel()
	f := Name{Name: "f"}
	a, err := Question{Functions: []Name{f, f}}.Decode([]string{
		`{"function": 0, "volatility": "s"}`, `{"function": 1, "volatility": "s"}`,
	})
	if got, _ := a.Function(f); err != nil || got != (Function{Exists: true, Volatility: Stable}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	function := `{"function": 0, "volatility": "v"}`
	tests := []struct {
		name string
		rows []string
		want string
	}{
		{"more rows than names", []string{function, function, function}, "3 rows for 2 names"},
		{"no JSON", []string{"what"}, "invalid character"},
		{"an empty row", []string{""}, "EOF"},
		{"null", []string{"null"}, "not of one"},
		{"a list", []string{"[]"}, "cannot unmarshal"},
		{"neither kind", []string{"{}"}, "not of one"},
		{"both kinds", []string{`{"function": 0, "relation": 0}`}, "not of one"},
		{"an unknown field", []string{`{"function": 0, "x": 1}`}, "unknown field"},
		{"two values", []string{function + function}, "after its end"},
		{"rubbish at the end", []string{function + "x"}, "after its end"},
		{"a number that no name has", []string{`{"function": 1, "volatility": "v"}`}, "function 1 of 1"},
		{"a negative number", []string{`{"relation": -1}`}, "relation -1 of 1"},
		{"a number beyond int", []string{`{"relation": 99999999999999999999}`}, "cannot unmarshal"},
		{"a function twice", []string{function, function}, "two rows for function 0"},
		{"a relation twice", []string{`{"relation": 0}`, `{"relation": 0}`}, "two rows for relation 0"},
		{"no volatility", []string{`{"function": 0}`}, "unknown volatility"},
		{"an unknown volatility", []string{`{"function": 0, "volatility": "x"}`}, `unknown volatility "x"`},
		{"a name without a schema", []string{`{"relation": 0, "base": ["61"]}`}, "no name"},
		{"a name without digits", []string{`{"relation": 0, "base": ["61.xy"]}`}, "no name"},
		{"an empty name", []string{`{"relation": 0, "base": ["61."]}`}, "no name"},
		{"too many names", []string{`{"relation": 0, "base": ["61.62"` + strings.Repeat(`, "61.62"`, maxBase) + "]}"}, "reads 257 relations"},
		{"too long a row", []string{strings.Repeat(" ", maxRowBytes) + function}, "more than 1048576"},
	}
	q := Question{Functions: []Name{{Name: "f"}}, Relations: []Name{{Name: "r"}}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := New(10, 0, nil).Database("d")
			err := d.Store(q, tt.rows, d.Generation())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if _, ok := d.Function(Name{Name: "f"}); ok {
				t.Error("something was stored nevertheless")
			}
		})
	}
}

func TestComputes(t *testing.T) {
	t.Parallel()
	harmless := []string{"random", "clock_timestamp", "gen_random_uuid", "pg_relation_size", "pg_is_in_recovery",
		"pg_stat_get_activity", "pg_ls_waldir", "system"}
	for _, name := range harmless {
		if !computes(name) {
			t.Errorf("%s merely computes something", name)
		}
	}
	harmful := []string{"", "nextval", "setval", "currval", "lastval", "set_config", "setseed", "lo_creat", "lo_unlink",
		"lowrite", "pg_advisory_lock", "pg_try_advisory_xact_lock", "pg_notify", "pg_switch_wal", "pg_terminate_backend",
		"pg_stat_reset", "pg_logical_slot_get_changes", "pg_logical_emit_message", "query_to_xml", "ts_stat",
		"pg_export_snapshot", "txid_current", "pg_nextoid", "pg_promote", "pg_reload_conf", "pg_import_system_collations"}
	for _, name := range harmful {
		if computes(name) {
			t.Errorf("%q may do more than compute", name)
		}
	}
}
