package copydata

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// reader reads a text as a type; what is refused is "error".
const reader = `CREATE FUNCTION read(v text, type text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE r text; BEGIN EXECUTE format('SELECT %L::%s::text', v, type) INTO r; RETURN r; EXCEPTION WHEN others THEN RETURN 'error'; END $$`

// TestLiteralsAreWhatWordsAre asks PostgreSQL: a text with words, and what becomes of it, have
// to be read as the same value in one transaction, or be refused both.
func TestLiteralsAreWhatWordsAre(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	conn := pgtest.Start(t, 1)[0].Connect()
	for _, sql := range []string{reader, "BEGIN"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	kinds := map[string]Column{"date": Moment, "timestamp": Moment, "timestamptz": Moment, "timestamp(0)": Moment, "timestamptz[]": Moments, "tsrange": Moments, "time": Clock, "timetz": Clock}
	for _, settings := range [][]string{{"TimeZone = 'Europe/Paris'"}, {"TimeZone = 'America/St_Johns'", "DateStyle = 'SQL, DMY'"}} {
		for _, set := range settings {
			if _, err := conn.Exec(ctx, "SET "+set); err != nil {
				t.Fatal(err)
			}
		}
		var is Words
		err := conn.QueryRow(ctx, `SELECT to_char(now(), 'YYYY-MM-DD HH24:MI:SS.US') || to_char(now(), 'TZH:TZM'), to_char(now(), 'YYYY-MM-DD'),
			to_char(now() + '1 day', 'YYYY-MM-DD'), to_char(now() - '1 day'::interval, 'YYYY-MM-DD')`).Scan(&is.Now, &is.Today, &is.Tomorrow, &is.Yesterday)
		if err != nil {
			t.Fatal(err)
		}
		for kind, column := range kinds {
			var as, becomes []string
			for _, text := range texts() {
				got, err := replaced(column, is, text)
				if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
					continue // nodes are not given it
				}
				as, becomes = append(as, text), append(becomes, got)
			}
			rows, err := conn.Query(ctx, "SELECT a, b, read(a, $3), read(b, $3) FROM unnest($1::text[], $2::text[]) AS u (a, b)", as, becomes, kind)
			if err != nil {
				t.Fatal(err)
			}
			n, read := 0, 0
			for rows.Next() {
				var a, b, asIs, instead string
				if err := rows.Scan(&a, &b, &asIs, &instead); err != nil {
					t.Fatal(err)
				}
				if asIs != instead {
					t.Errorf("%s, %s: %q is %s, %q is %s", settings, kind, a, asIs, b, instead)
				}
				n++
				if asIs != "error" {
					read++
				}
			}
			if rows.Err() != nil || read == 0 {
				t.Fatal(kind, rows.Err(), read)
			}
			t.Logf("%s, %s: %d texts, %d of them are values", settings, kind, n, read)
		}
	}
}

// replaced is what becomes of a field.
func replaced(column Column, is Words, text string) (string, error) {
	w := New(Format{Delimiter: '\t'}, []Column{column}, is)
	line := []byte(text + "\n")
	out, changed, err := w.Pass(line)
	if !changed {
		out = line
	}
	return strings.TrimSuffix(string(out), "\n"), err
}

// texts are words among what dates and times are made of.
func texts() []string {
	around := []string{"", " ", "12:00", " 12:00 ", "04:05:06.789", "+02", " +02 ", "-", " - ", "+", "/", ".", ",", "_", ":", "04", "2026-01-02", " 2026-01-02 ", "2026-01-02 12:00 ",
		"t", " t ", "z", " PST ", "UTC ", " Europe/Paris", "monday ", " BC", " pm", "allballs", " allballs ", "x", "é", "(", "{", "}", "[", "{now,", ",now}", "[now,", ",now)", "[2020-01-01,", ",)", "infinity "}
	var all []string
	for _, word := range []string{"NOW", "TODAY", "tomorrow", "yesterday"} {
		for n, front := range around {
			if n > 0 && word > "U" {
				break // more of the same
			}
			for _, back := range around {
				all = append(all, fmt.Sprint(front, word, back))
			}
		}
	}
	return all
}
