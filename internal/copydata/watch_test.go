package copydata

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

var words = Words{Now: "NOW", Today: "TODAY", Tomorrow: "TOMORROW", Yesterday: "YESTERDAY"}

var (
	text = Format{Delimiter: '\t'}
	csv  = Format{CSV: true, Delimiter: ',', Quote: '"', Escape: '"'}
)

// with changes a format.
func (f Format) with(change func(*Format)) Format {
	change(&f)
	return f
}

// columns are named by letters: m for Moment, c for Clock, u for Unclear, - for Free.
func columns(letters string) []Column {
	var all []Column
	for _, letter := range letters {
		all = append(all, map[rune]Column{'m': Moment, 'a': Moments, 'c': Clock, 'u': Unclear, '-': Free}[letter])
	}
	return all
}

// pass is what becomes of data that comes in pieces of a size.
func pass(f Format, columns []Column, data string, size int) (string, error) {
	w := New(f, columns, words)
	var b strings.Builder
	for at := 0; at < len(data); at += size {
		piece := []byte(data[at:min(at+size, len(data))])
		out, changed, err := w.Pass(piece)
		if err != nil {
			return "", err
		}
		if !changed {
			out = piece
		}
		b.Write(out)
		clear(piece) // it is the caller's again
	}
	out, err := w.Finish()
	b.Write(out)
	return b.String(), err
}

func TestPass(t *testing.T) {
	bar := text.with(func(f *Format) { f.Delimiter = '|' })
	header := csv.with(func(f *Format) { f.Header = true })
	slash := csv.with(func(f *Format) { f.Escape = '\\' })
	single := csv.with(func(f *Format) { f.Quote, f.Escape = '\'', '\'' })
	sjis := text.with(func(f *Format) { f.Encoding = "SJIS" })
	tests := []struct {
		name    string
		format  Format
		columns string
		data    string
		want    string // "line:field word" for a refusal
	}{
		{"a field that is a word", text, "-m", "1\tnow\n2\tNow\n", "1\tNOW\n2\tNOW\n"},
		{"all words", text, "mmmm", "now\ttoday\ttomorrow\tyesterday\n", "NOW\tTODAY\tTOMORROW\tYESTERDAY\n"},
		{"other columns", text, "-m-", "now\t2026-01-01\tnow\n", "now\t2026-01-01\tnow\n"},
		{"more fields than columns", text, "m", "now\tnow\n", "NOW\tnow\n"},
		{"the last line without an end", text, "-m", "1\tnow", "1\tNOW"},
		{"lines that end otherwise", text, "mm", "now\tnow\r\nnow\tnow\rnow\tnow\n", "NOW\tNOW\r\nNOW\tNOW\rNOW\tNOW\n"},
		{"blanks around", text, "m", " now \n", " NOW \n"},
		{"with a time of day", text, "m", "today 12:00\ntoday12:00\n", "TODAY 12:00\nTODAY 12:00\n"},
		{"other words", text, "m", "nowhere\nknow\nno\ninfinity\nepoch\nyesterdays\nabcdefghijklmnow\n", "nowhere\nknow\nno\ninfinity\nepoch\nyesterdays\nabcdefghijklmnow\n"},
		{"names of time zones and months", text, "m", "now-05\n04-now\n2026-01-01 12:00 today/x\n- now\n+now\n", "now-05\n04-now\n2026-01-01 12:00 today/x\n- now\n+now\n"},
		{"arrays and ranges", text, "a", "{now,\"today 12:00\"}\n[now,tomorrow)\n", "{ NOW ,\" TODAY 12:00\"}\n[ NOW , TOMORROW )\n"},
		{"null", text, "mm", "\\N\tnow\n", "\\N\tNOW\n"},
		{"escapes elsewhere", text, "-m", "\\\tnow\\n\tnow\n\\now\t2026\n", "\\\tnow\\n\tNOW\n\\now\t2026\n"},
		{"a line that goes on", text, "-m", "x\\\ny\tnow\n", "x\\\ny\tNOW\n"},
		{"a delimiter of its own", bar, "-m-", "1|now|x\ty\n", "1|NOW|x\ty\n"},
		{"a time of day", text, "c", "now\n now \n12:00\ntoday\n", "NOW\n NOW \n12:00\ntoday\n"},
		{"a header", header, "m", "now\nnow\n", "now\nNOW\n"},
		{"csv", csv, "-m-", "1,now,x\n2,\"now\",y\n3,,\n", "1,NOW,x\n2,\"NOW \",y\n3,,\n"},
		{"csv with all in quotes", csv, "-m-", "\"a,now\nb\"\"\",\"today 12:00\",\"now\"\n", "\"a,now\nb\"\"\",\"TODAY 12:00\",\"now\"\n"},
		{"csv with an array", csv, "a", "\"{\"\"now\"\",today}\"\n", "\"{\"\" NOW \"\", TODAY }\"\n"},
		{"csv with another escape", slash, "-m", "\"x\\\",y\",now\n\"\\\\\",now\n", "\"x\\\",y\",NOW\n\"\\\\\",NOW\n"},
		{"csv with another quote", single, "-m", "'x,\"',now\n", "'x,\"',NOW\n"},
		{"csv after a word in quotes", csv, "m", "\"today\"12:00\n", "\"TODAY \"12:00\n"},
		{"characters with ASCII in them", sjis, "-m", "\x83\\\tnow\n\xb1\tnow\n\x95\x5c\tx\n", "\x83\\\tNOW\n\xb1\tNOW\n\x95\x5c\tx\n"},

		{"behind a time of day", text, "m", "12:00\n12:00today\n", "2:1 today"},
		{"behind a time of day in an array", text, "a", "{12:00 today}\n", "1:1 today"},
		{"behind something else", text, "m", "(now)\n", "1:1 now"},
		{"a composite type", text, "-u", "1\tx\n2\t(1,now)\n", "2:2 now"},
		{"a time of day with more", text, "c", "now+01\n", "1:1 "},
		{"a time of day with more in front", text, "c", "+01 now\n", "1:1 now"},
		{"a time of day with a zone in front", text, "c", "utc now\n", "1:1 now"},
		{"letters as escapes", text, "m", "n\\ow\n", "1:1 "},
		{"letters as numbers", text, "m", "\\156ow\n", "1:1 "},
		{"letters as hexadecimal numbers", text, "m", "2026\n\\x6eow\n", "2:1 "},
		{"what looks like null and goes on", text, "m", "\\Now\n", "1:1 "},
		{"quotes in a word", csv, "m", "n\"o\"w\n", "1:1 "},
		{"no quotes in a word", csv, "m", "no\"\"w\n", "1:1 "},
		{"quotes behind something", csv, "m", "-\"now\"\n", "1:1 now"},
		{"quotes before something", csv, "m", "\"-\"now\n", "1:1 now"},
		{"a delimiter that literals have", text.with(func(f *Format) { f.Delimiter = ':' }), "-m", "1:now\n", "1:2 now"},
		{"a null string that is a word", text.with(func(f *Format) { f.Ambiguous = true }), "m", "x\n\nnow\n", "3:1 now"},
		{"lines within quotes count", csv, "-u", "\"\n\n\",x\n1,now\n", "4:2 now"},
		{"carriage return and line feed count once", text, "u", "x\r\ny\r\n\r\nnow\r\n", "4:1 now"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{len(tt.data), 1, 2, 3, 5, 7} {
				got, err := pass(tt.format, columns(tt.columns), tt.data, size)
				var refusal *Refusal
				if errors.As(err, &refusal) {
					got = fmt.Sprintf("%d:%d %s", refusal.Line, refusal.Field, refusal.Word)
				}
				if got != tt.want {
					t.Errorf("in pieces of %d:\n got %q\nwant %q", size, got, tt.want)
				}
			}
		})
	}
}

// FuzzPass: it does not matter where pieces end, and what has no word in it stays as it is.
func FuzzPass(f *testing.F) {
	f.Add([]byte("1\tnow\t\\N\n2\ttoday 12:00\tx\\\ty\n"), uint8(0), uint8(3))
	f.Add([]byte("1,\"now\",\"x\"\"\"\n2,n\"o\"w,now\n"), uint8(1), uint8(1))
	f.Add([]byte("1,\"no\\\"w\"\n"), uint8(2), uint8(2))
	f.Add([]byte("\x83\\\tnow\n"), uint8(3), uint8(1))
	f.Add([]byte("\\ now"), uint8(0), uint8(0))
	formats := []Format{text, csv, csv.with(func(f *Format) { f.Escape = '\\' }), text.with(func(f *Format) { f.Encoding = "SJIS" })}
	f.Fuzz(func(t *testing.T, data []byte, format, size uint8) {
		form := formats[int(format)%len(formats)]
		whole, err := pass(form, columns("amcu"), string(data), max(len(data), 1))
		cut, errCut := pass(form, columns("amcu"), string(data), int(size)%16+1)
		if fmt.Sprint(err) != fmt.Sprint(errCut) || whole != cut {
			t.Errorf("%q: whole %q, %v; in pieces %q, %v", data, whole, err, cut, errCut)
		}
		if err == nil && whole != string(data) && !strings.ContainsAny(strings.ToLower(string(data)), "wy") {
			t.Errorf("%q became %q", data, whole)
		}
	})
}

func BenchmarkPass(b *testing.B) {
	narrow := strings.Repeat("12345\tsome words of text, as they are, why not\t2026-11-21 16:34:34.123456+00\t17.25\t\\N\n", 700)
	cases := []struct {
		name    string
		format  Format
		columns string
		data    string
	}{
		{"text", text, "--m-m", narrow},
		{"text_wide", text, "-m", strings.Repeat("1"+strings.Repeat("word ", 200)+"\t2026-11-21 16:34:34.123456+00\n", 60)},
		{"text_numbers", text, "------m", strings.Repeat("1\t22\t333\t4444\t55555\t666666\t2026-11-21\n", 1600)},
		{"csv", csv, "--m-m", strings.ReplaceAll(strings.ReplaceAll(narrow, "\t", ","), "as they are", "as \"they\" are")},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			data, w := []byte(c.data), New(c.format, columns(c.columns), words)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, changed, err := w.Pass(data); changed || err != nil {
					b.Fatal(changed, err)
				}
			}
		})
	}
}
