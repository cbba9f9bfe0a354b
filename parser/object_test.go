package parser

import "testing"

func TestSpliceObjects(t *testing.T) {
	t.Parallel()
	const one = "pg_catalog.current_setting('pgchorus.object1')::pg_catalog.oid"
	tests := []struct{ name, sql, want string }{
		{"lo_creat keeps its name", "SELECT lo_creat(-1)", "SELECT (SELECT pg_catalog.lo_create(" + one + ") AS lo_creat)"},
		{"0 means any", "SELECT lo_create(0)", "SELECT lo_create(coalesce(nullif((0)::pg_catalog.oid, 0::pg_catalog.oid), " + one + "))"},
		{"a parameter", "SELECT pg_catalog.lo_from_bytea($1, $2)", "SELECT pg_catalog.lo_from_bytea(coalesce(nullif(($1)::pg_catalog.oid, 0::pg_catalog.oid), " + one + "), $2)"},
		{"a name that is no call", "SELECT lo_creat FROM t", ""},
		{"another schema's", "SELECT app.lo_creat(1)", ""},
		{"within a string", "SELECT 'lo_creat(-1)'", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, ok := SpliceObjects(tt.sql)
			if ok != (tt.want != "") || ok && f.SQL != tt.want {
				t.Errorf("got %q, %v\nwant %q", f.SQL, ok, tt.want)
			}
		})
	}
}

func TestObjectsAreCounted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		sql     string
		objects int
		counted bool
	}{
		{"SELECT lo_creat(-1), lo_create(0)", 2, true},
		{"INSERT INTO t VALUES (lo_creat(-1)), (lo_from_bytea(0, 'x'))", 2, true},
		{"UPDATE t SET o = lo_creat(-1)", 1, false},
		{"SELECT lo_creat(-1) FROM t", 1, false},
		{"SELECT lo_unlink(1)", 0, false},
	}
	for _, tt := range tests {
		st := Classify(tt.sql).Statements[0]
		if st.Objects != tt.objects || st.ObjectsCounted != tt.counted {
			t.Errorf("%s: %d, %v", tt.sql, st.Objects, st.ObjectsCounted)
		}
	}
}
