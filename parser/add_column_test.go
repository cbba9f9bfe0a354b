package parser

import (
	"testing"
	"time"
)

func TestAddedColumns(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	const instant = "('2026-03-04 05:06:07.000000+00'::pg_catalog.timestamptz)"
	tests := []struct{ name, sql, differs, spliced string }{
		{"no default", "ALTER TABLE t ADD c int", "", ""},
		{"constant", "ALTER TABLE t ADD c int DEFAULT 1", "", ""},
		{"the time", "ALTER TABLE t ADD c timestamptz NOT NULL DEFAULT now(), DROP COLUMN d;", "",
			"ALTER TABLE t ADD c timestamptz NOT NULL DEFAULT " + instant + ", DROP COLUMN d\n, ALTER COLUMN \"c\" SET DEFAULT now()"},
		{"the date, with a comment", "ALTER TABLE t ADD c date DEFAULT CURRENT_DATE - 1 -- x", "",
			"ALTER TABLE t ADD c date DEFAULT (('2026-03-04 05:06:07.000000+00'::pg_catalog.timestamptz)::pg_catalog.date)- 1 -- x\n, ALTER COLUMN \"c\" SET DEFAULT current_date - 1"},
		{"if it is missing, and is", "ALTER TABLE t ADD IF NOT EXISTS c timestamptz DEFAULT now()", "",
			"ALTER TABLE t ADD IF NOT EXISTS c timestamptz DEFAULT " + instant + "\n, ALTER COLUMN \"c\" SET DEFAULT now()"},
		{"if it is missing, and is not", "ALTER TABLE t ADD COLUMN IF NOT EXISTS there timestamptz DEFAULT now()", "", ""},
		{"the default of a column that is there", "ALTER TABLE t ALTER c SET DEFAULT now()", "", ""},
		{"chance", "ALTER TABLE t ADD c uuid DEFAULT gen_random_uuid()", "calls gen_random_uuid()", ""},
		{"the clock", "ALTER TABLE t ADD c timestamptz DEFAULT clock_timestamp()", "calls clock_timestamp()", ""},
		{"serial", "ALTER TABLE t ADD c serial", numbersRows, ""},
		{"identity", "ALTER TABLE t ADD c int GENERATED ALWAYS AS IDENTITY", numbersRows, ""},
		{"a type", "ALTER TABLE t ALTER c TYPE text USING random()::text", "calls random()", ""},
		{"a type, as before", "ALTER TABLE t ALTER c TYPE text USING c::text", "", ""},
		{"a magic string", "ALTER TABLE t ADD c timestamptz DEFAULT 'now'::timestamptz", "has a time that only the server can read", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st := &Classify(tt.sql).Statements[0]
			differs := ""
			for _, a := range st.Added {
				differs += a.Differs
			}
			if differs != tt.differs {
				t.Errorf("differs: %q, want %q", differs, tt.differs)
			}
			want := tt.spliced
			if want == "" {
				want = tt.sql
			}
			if got := st.SpliceAdded(tt.sql, at, func(column string) bool { return column == "there" }); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
