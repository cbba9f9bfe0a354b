package catalog

import "testing"

// FuzzDecode looks for rows that panic, or that make more facts than were asked for.
func FuzzDecode(f *testing.F) {
	f.Add(`{"function": 0, "volatility": "s"}`, `{"relation": 1, "view": true, "calls": ["random", ""], "base": ["7075626c6963.74"]}`)
	f.Add(`{"relation": 0, "system": null, "more": true}`, `{"relation": -1}`)
	f.Add(`{"function": 1e0}`, `null`)
	f.Add(`{"table": 0, "schema": "61", "kind": "r", "columns": [{"n": "61", "t": "62", "v": true, "d": "63", "f": ["61.62"]}], "keys": [["61"]]}`, `{"table": 0, "ambiguous": true}`)
	f.Fuzz(func(t *testing.T, first, second string) {
		q := Question{Functions: []Name{{Name: "f"}}, Relations: []Name{{Name: "r"}, {"s", "r"}}, Tables: []Name{{Name: "t"}}}
		a, err := q.Decode([]string{first, second})
		if err != nil {
			return
		}
		if len(a.functions) != 1 || len(a.relations) != 2 || len(a.tables) != 1 || a.tables[Name{Name: "t"}] == nil {
			t.Errorf("%d functions and %d relations", len(a.functions), len(a.relations))
		}
		for _, r := range a.relations {
			if len(r.Base) > maxBase || !r.Exists && r.Volatile {
				t.Errorf("%+v", r)
			}
		}
	})
}

// FuzzLiteral checks that no name leaves its literal.
func FuzzLiteral(f *testing.F) {
	f.Add(`a'; --\`)
	f.Add("\x83\x5c'")
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range []byte(literal(text)) {
			if c < ' ' || c > '~' || c == '\\' {
				t.Fatalf("%q becomes %q", text, literal(text))
			}
		}
		if plain(text) && literal(text) != "'"+text+"'::pg_catalog.name" {
			t.Errorf("%q becomes %q", text, literal(text))
		}
	})
}
