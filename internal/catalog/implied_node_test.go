package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// TestImpliedByOperatorsAndCasts asks a node what is called besides.
func TestImpliedByOperatorsAndCasts(t *testing.T) {
	t.Parallel()
	conn := pgtest.Start(t, 1)[0].Connect()
	exec(t, conn, `SET check_function_bodies = off; CREATE SCHEMA app; SET search_path = app;
		CREATE FUNCTION op(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'; CREATE OPERATOR ### (LEFTARG = int, RIGHTARG = int, FUNCTION = op);
		CREATE OPERATOR @@+ (RIGHTARG = int, FUNCTION = pg_catalog.int4abs);
		CREATE TYPE odd AS (a int); CREATE TYPE even AS (a int); CREATE TYPE any_one AS (a int); CREATE DOMAIN odder AS odd;
		CREATE FUNCTION to_odd(int) RETURNS odd LANGUAGE sql AS 'SELECT ROW(1)::odd'; CREATE CAST (int AS odd) WITH FUNCTION to_odd(int);
		CREATE FUNCTION to_odds(int) RETURNS odd[] LANGUAGE sql AS 'SELECT ARRAY[ROW(1)::odd]'; CREATE CAST (int AS odd[]) WITH FUNCTION to_odds(int);
		CREATE FUNCTION to_even(int) RETURNS even LANGUAGE sql AS 'SELECT ROW(1)::even'; CREATE CAST (int AS even) WITH FUNCTION to_even(int) AS ASSIGNMENT;
		CREATE FUNCTION to_any(int) RETURNS any_one LANGUAGE sql AS 'SELECT ROW(1)::any_one'; CREATE CAST (int AS any_one) WITH FUNCTION to_any(int) AS IMPLICIT;
		CREATE CAST (any_one AS text) WITH INOUT`)
	ask := func() *catalog.Implied {
		results, err := conn.PgConn().Exec(t.Context(), catalog.ImpliedSQL()).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var rows []string
		for _, values := range results[0].Rows {
			rows = append(rows, string(values[0]))
		}
		i, err := catalog.ParseImplied(rows)
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(rows, "\n"))
		}
		return i
	}
	i := ask()
	for _, tt := range []struct {
		about            string
		operators, casts []string
		stores           bool
		want             string
	}{
		{"nothing is written", nil, nil, false, "app.to_any"},
		{"an operator", []string{"+", "###"}, nil, false, "app.op app.to_any"},
		{"one of PostgreSQL's own functions", []string{"@@+"}, nil, false, "app.to_any"},
		{"a cast, also one of many", nil, []string{"odd"}, false, "app.to_any app.to_odd app.to_odds"},
		{"a cast to a domain", nil, []string{"odder"}, false, "app.to_any app.to_odd"},
		{"a cast that is for assignments", nil, []string{"even"}, false, "app.to_any app.to_even"},
		{"an assignment", nil, nil, true, "app.to_any app.to_even"},
	} {
		var got []string
		for _, n := range i.Calls(tt.operators, tt.casts, tt.stores) {
			got = append(got, n.String())
		}
		slices.Sort(got)
		if text := strings.Join(slices.Compact(got), " "); text != tt.want {
			t.Errorf("%s: %s, want %s", tt.about, text, tt.want)
		}
	}
	exec(t, conn, `CREATE FUNCTION same(odd, odd) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR = (LEFTARG = odd, RIGHTARG = odd, FUNCTION = same);
		CREATE FUNCTION compare(even, even) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0'; CREATE OPERATOR CLASS evens FOR TYPE even USING btree AS FUNCTION 1 compare(even, even)`)
	if got := ask().Calls(nil, nil, false); !slices.Contains(got, name("app.same")) || !slices.Contains(got, name("app.compare")) {
		t.Errorf("comparisons stand in no text, and are called: %v", got)
	}
	exec(t, conn, "DROP SCHEMA app CASCADE")
	if i := ask(); !i.Empty() || i.Calls([]string{"###"}, []string{"odd"}, true) != nil {
		t.Errorf("%+v is not empty", i)
	}
}

// TestImpliedIsForgotten by DDL, by time, and not by tables that come and go.
func TestImpliedIsForgotten(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	db := catalog.New(10, 0, func() time.Time { return now }).Database("d")
	one, err := catalog.ParseImplied([]string{`{"how": "operator", "name": "232323", "function": "61.62"}`})
	if err != nil {
		t.Fatal(err)
	}
	known := func() bool { i, fresh := db.Implied(); return fresh && !i.Empty() }
	if known() {
		t.Error("known of itself")
	}
	generation := db.Generation()
	db.KeepImplied(one, generation)
	if !known() {
		t.Error("not kept")
	}
	if db.ForgetNames(catalog.Change{Names: []string{"t"}}); !known() {
		t.Error("forgotten for a table")
	}
	db.Forget()
	if i, fresh := db.Implied(); fresh || i.Empty() {
		t.Errorf("after DDL: %+v, %v", i, fresh)
	}
	if db.KeepImplied(one, generation); known() {
		t.Error("an old answer was kept")
	}
	db.KeepImplied(one, db.Generation())
	if now = now.Add(time.Minute); known() {
		t.Error("not forgotten after a minute")
	}
}

// TestParseImpliedRefuses what the query does not make.
func TestParseImpliedRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []string{"", "{}", `{"how": "operator", "name": "zz", "function": "61.62"}`, `{"how": "operator", "name": "61", "function": "61"}`,
		`{"how": "else", "name": "61", "function": "61.62"}`} {
		if _, err := catalog.ParseImplied([]string{row}); err == nil {
			t.Errorf("%q is taken", row)
		}
	}
	if _, err := catalog.ParseImplied(make([]string, 10001)); err == nil {
		t.Error("any number of rows is taken")
	}
}
