package catalog

import (
	"reflect"
	"strings"
	"testing"
)

func TestDecodeTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  string
		want *Table
	}{
		{"nothing", ``, &Table{}},
		{"several of that name", `{"table": 0, "ambiguous": true}`, &Table{Exists: true, Ambiguous: true}},
		{"no columns", `{"table": 0, "schema": "61", "kind": "r", "children": false, "grants": false, "columns": null, "keys": null}`,
			&Table{Exists: true, Schema: "a", Columns: []Column{}}},
		{"a view", `{"table": 0, "schema": "61", "kind": "v", "columns": [{"n": "62", "t": "63"}]}`,
			&Table{Exists: true, Schema: "a", View: true, Columns: []Column{{Name: "b", Type: "c"}}}},
		{"all there is", `{"table": 0, "schema": "61", "kind": "r", "children": true, "grants": true, "columns": [
			{"n": "62", "t": "63", "v": true, "d": "662829", "f": ["61.66"]}, {"n": "64", "t": "63", "g": true}, {"n": "65", "t": "63", "v": true, "i": "a"}],
			"keys": [["62", "64"], ["65"]]}`,
			&Table{
				Exists: true, Schema: "a", Children: true, Grants: true, Volatile: true, Keys: [][]string{{"b", "d"}, {"e"}},
				Columns: []Column{
					{Name: "b", Type: "c", Volatile: true, Default: "f()", Unlike: []Name{{"a", "f"}}},
					{Name: "d", Type: "c", Generated: true}, {Name: "e", Type: "c", Volatile: true, Identity: 'a'},
				},
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := decoded(t, Question{Tables: []Name{{Name: "t"}}}, tt.row)
			if got, ok := a.Table(Name{Name: "t"}); !ok || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v (%v)\nwant %+v", got, ok, tt.want)
			}
		})
	}
}

func TestDecodeRefusesTables(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`{"table": 1}`:                                       "table 1 of 1",
		`{"table": 0, "relation": 0}`:                        "not of one",
		`{"table": 0, "schema": "x"}`:                        "hexadecimal",
		`{"table": 0, "columns": [{"n": "6"}]}`:              "hexadecimal",
		`{"table": 0, "columns": [{"n": "61", "d": "zz"}]}`:  "hexadecimal",
		`{"table": 0, "columns": [{"n": "61", "f": ["6"]}]}`: "no name",
		`{"table": 0, "columns": [{"x": 1}]}`:                "unknown field",
		`{"table": 0, "keys": [["61", "6"]]}`:                "hexadecimal",
	} {
		_, err := Question{Tables: []Name{{Name: "t"}}, Relations: []Name{{Name: "t"}}}.Decode([]string{row})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", row, err, want)
		}
	}
}

// TestTablesAreKept: as other facts, but not what only one session means by a name.
func TestTablesAreKept(t *testing.T) {
	t.Parallel()
	d := New(10, 0, nil).Database("d")
	q := Question{Tables: []Name{{Name: "t"}, {"pg_temp_3", "t"}, {"pg_temp", "t"}, {"s", "t"}}}
	store := func(generation uint64) {
		if err := d.Store(q, []string{`{"table": 0, "schema": "61", "kind": "r"}`}, generation); err != nil {
			t.Fatal(err)
		}
	}
	store(d.Generation())
	var known []bool
	for _, n := range q.Tables {
		_, ok := d.Table(n)
		known = append(known, ok)
	}
	if want := []bool{true, false, false, true}; !reflect.DeepEqual(known, want) {
		t.Errorf("known: %v, want %v", known, want)
	}
	before := d.Generation()
	d.Forget()
	store(before)
	if _, ok := d.Table(q.Tables[0]); ok {
		t.Error("known after Forget")
	}
}
