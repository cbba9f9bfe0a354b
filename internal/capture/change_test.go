package capture_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/capture"
)

const someChanges = `{"ready": true, "tables": {
	"1": {"s": "public", "n": "log", "k": "r", "may": true, "i": 3, "p": 1, "c": [{"n": "what", "t": "text"}, {"n": "g", "t": "integer", "g": "s"}]},
	"2": {"s": "public", "n": "stock", "k": "r", "may": true, "i": 1, "u": 2, "p": 9000, "key": ["id"], "c": [{"n": "id", "t": "integer"}, {"n": "v", "t": "text"}]},
	"3": {"s": "public", "n": "seq", "k": "S", "may": true, "f": 1, "l": 7}}}`

func decoded(t *testing.T, text string) *capture.Changes {
	t.Helper()
	c, err := capture.DecodeChanges([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSince: counters of earlier statements do not count.
func TestSince(t *testing.T) {
	before := decoded(t, `{"tables": {"1": {"i": 2}, "3": {"f": 1}}}`)
	got := map[string]int64{}
	for _, c := range decoded(t, someChanges).Since(before) {
		got[c.Name] = c.Rows()
	}
	if len(got) != 2 || got["log"] != 1 || got["stock"] != 3 {
		t.Errorf("changes %v", got)
	}
	moved := decoded(t, `{"tables": {"1": {"i": 5, "u": 3, "h": 2}}}`).Since(decoded(t, `{"tables": {"1": {"i": 4, "u": 3, "h": 2}}}`))
	if len(moved) != 1 || moved[0].MayMove() {
		t.Errorf("rows that an earlier statement has updated: %+v", moved)
	}
}

// TestGive: rows without a key are inserted; with a key, they take the place of those there.
func TestGive(t *testing.T) {
	changes := decoded(t, someChanges).Tables
	for number, want := range map[string]string{
		"1": `INSERT INTO "public"."log" ("what") OVERRIDING SYSTEM VALUE VALUES ('a')`,
		"2": `INSERT INTO "public"."stock" ("id", "v") OVERRIDING SYSTEM VALUE VALUES ('1', 'x') ON CONFLICT ("id") DO UPDATE SET "v" = excluded."v"`,
	} {
		row := map[string]string{"1": "(a)", "2": "(1,x)"}[number]
		given, err := changes[number].Give([][]byte{[]byte(row)})
		if err != nil || len(given) != 1 || given[0].SQL != want || given[0].Tag != "INSERT 0 1" {
			t.Errorf("%v, %v, want %s", given, err, want)
		}
	}
	if moved := changes["3"].MoveSQL(); len(moved) != 1 || !strings.Contains(moved[0].SQL, "'7'") {
		t.Errorf("sequence: %v", moved)
	}
}

func TestObstacleOfChange(t *testing.T) {
	for text, want := range map[string]string{
		`{"s": "public", "n": "t", "k": "r", "may": true, "i": 1, "c": [{"n": "a"}]}`:                         "",
		`{"s": "public", "n": "t", "k": "r", "may": true, "u": 1, "h": 1, "c": [{"n": "a"}], "key": ["a"]}`:   "",
		`{"s": "public", "n": "t", "k": "r", "may": true, "u": 2, "h": 1, "c": [{"n": "a"}], "key": ["a"]}`:   "change keys",
		`{"s": "public", "n": "t", "k": "r", "may": true, "u": 1, "c": [{"n": "a"}]}`:                         "has no key",
		`{"s": "public", "n": "t", "k": "r", "may": true, "d": 1, "c": [{"n": "a"}]}`:                         "deletes rows",
		`{"s": "public", "n": "t", "k": "r", "may": false, "i": 1, "c": [{"n": "a"}]}`:                        "rights",
		`{"s": "public", "n": "t", "k": "r", "may": true, "a": true, "i": 1, "c": [{"n": "a"}]}`:              "always fire",
		`{"s": "pg_temp_3", "n": "t", "k": "r", "may": true, "tmp": true, "i": 1, "c": [{"n": "a"}]}`:         "temporary",
		`{"s": "pg_catalog", "n": "pg_class", "k": "r", "may": true, "sys": true, "u": 1, "c": [{"n": "a"}]}`: "schema",
	} {
		got := decoded(t, `{"tables": {"1": `+text+`}}`).Tables["1"].Obstacle()
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestSearches: large tables are searched at their end only, and only where it is known which
// rows are looked for.
func TestSearches(t *testing.T) {
	for _, tt := range []struct {
		pages int64
		known bool
		want  []int64
	}{
		{1, true, []int64{0}},
		{100, true, []int64{84, 0}},
		{9000, true, []int64{8984, 8744, 0}},
		{9000, false, []int64{0}},
		{1 << 20, true, []int64{1<<20 - 16, 1<<20 - 256}},
		{1 << 20, false, nil},
	} {
		if got := (&capture.Change{Pages: tt.pages}).Searches(tt.known); !slices.Equal(got, tt.want) {
			t.Errorf("%d pages, known %t: %v, want %v", tt.pages, tt.known, got, tt.want)
		}
	}
}

// TestRemoved: what a cursor has seen and is not there any more is gone; what is there, and was made by the
// transaction, was touched; the rest was locked by somebody.
func TestRemoved(t *testing.T) {
	c := decoded(t, someChanges).Tables["2"]
	gone, touched, err := c.Removed([]string{"(1)", "(2)", "(3)"}, []string{"(2)", "(3)"}, [][]byte{[]byte(`(2,"a ""b")`), []byte("(9,x)")})
	if err != nil || !slices.Equal(gone, []string{"(1)"}) || touched != 2 {
		t.Errorf("gone %q, touched %d, %v", gone, touched, err)
	}
	if _, _, err := c.Removed([]string{"1"}, nil, nil); err == nil {
		t.Error("no record, and no error")
	}
	removal, err := c.Remove(gone)
	const want = `DELETE FROM ONLY "public"."stock" AS pgchorus_table USING (VALUES ('1'::integer)) AS pgchorus_rows ("0") WHERE pgchorus_table."id" = pgchorus_rows."0"`
	if err != nil || len(removal) != 1 || removal[0].SQL != want || removal[0].Tag != "DELETE 1" {
		t.Errorf("%v, %v\nwant %s", removal, err, want)
	}
	if removal, err := c.Remove(nil); len(removal) != 0 || err != nil {
		t.Errorf("nothing: %v, %v", removal, err)
	}
}
