package capture_test

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/capture"
)

// A trail is followed from the beginning of the transaction on. What nobody has looked at
// breaks it for the table where that was.
func TestTrail(t *testing.T) {
	var trail capture.Trail
	wantSince := func(before string, log, stock int64, logKnown, stockKnown bool) {
		t.Helper()
		was := decoded(t, before)
		now := decoded(t, `{"tables": {"1": {"n": "log", "i": 100}, "2": {"n": "stock", "u": 100}}}`)
		for _, c := range now.Since(was) {
			want, wantKnown := log, logKnown
			if c.Name == "stock" {
				want, wantKnown = stock, stockKnown
			}
			got, known := trail.Since(was, c)
			if known != wantKnown || known && got != want {
				t.Errorf("%s behind %s: %d, %t, want %d, %t", c.Name, before, got, known, want, wantKnown)
			}
		}
	}
	found := func(before, after, name string, command int64) {
		t.Helper()
		now, newest := decoded(t, after), map[string]int64{}
		for _, c := range now.Since(decoded(t, before)) {
			if c.Name == name {
				c.Note(command, newest)
			}
		}
		trail.After(now, newest)
	}
	const (
		begun  = `{"fresh": true, "tables": {"1": {"n": "log", "i": 2}}}`
		first  = `{"tables": {"1": {"n": "log", "i": 3}}}`
		second = `{"tables": {"1": {"n": "log", "i": 5}}}`
		third  = `{"tables": {"1": {"n": "log", "i": 5}, "2": {"n": "stock", "u": 1}}}`
		fourth = `{"tables": {"1": {"n": "log", "i": 6}, "2": {"n": "stock", "u": 1}}}`
	)
	trail.Before(decoded(t, first))
	wantSince(first, 0, 0, false, false) // not from the beginning
	trail.Before(decoded(t, begun))
	wantSince(begun, -1, -1, true, true)
	found(begun, first, "log", 0)
	wantSince(first, 0, -1, true, true)
	found(first, second, "log", 4)
	wantSince(second, 4, -1, true, true)
	wantSince(third, 4, 0, true, false) // somebody has changed stock
	found(third, fourth, "log", 7)
	wantSince(fourth, 7, 0, true, false)
	found(fourth, `{"tables": {"1": {"n": "log", "i": 7}, "2": {"n": "stock", "u": 1}}}`, "none", 0)
	wantSince(`{"tables": {"1": {"n": "log", "i": 7}, "2": {"n": "stock", "u": 1}}}`, 0, 0, false, false)
}

func TestFound(t *testing.T) {
	records, newest, err := capture.Found([]string{"7 (a,b c)", "12 (,)"})
	if err != nil || newest != 12 || len(records) != 2 || string(records[0]) != "(a,b c)" || string(records[1]) != "(,)" {
		t.Errorf("%q, %d, %v", records, newest, err)
	}
	for _, row := range []string{"", "(a)", "x (a)"} {
		if _, _, err := capture.Found([]string{row}); err == nil {
			t.Errorf("%q is taken", row)
		}
	}
}
