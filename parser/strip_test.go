package parser_test

import (
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

// legible shows a key: s, i and n in angle brackets are the marks.
var legible = strings.NewReplacer("\x01", "<s>", "\x02", "<i>", "\x03", "<n>")

func TestStrip(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, sql, want string }{
		{"string", `SELECT 'it''s' FROM t`, `SELECT <s> FROM t`},
		{"empty string", `SELECT ''`, `SELECT <s>`},
		{"numbers", `SELECT 1, -2, 1.5, .5, 5., 1e3, 1E-3`, `SELECT <i>, -<i>, <n>, <n>, <n>, <n>, <n>`},
		{"integers by size", `SELECT 2147483647, 2147483648, 0002147483647`, `SELECT <i>, <n>, <i>`},
		{"case and blanks", "sElEcT  \t1", "sElEcT  \t<i>"},
		{"digits of names", `SELECT t1.a2, _3, $4 FROM "5"`, `SELECT t1.a2, _3, $4 FROM "5"`},
		{"names above 127", `SELECT ü1`, `SELECT ü1`},
		{"block comment", `SELECT/* 'x' */1`, `SELECT <i>`},
		{"line comment", "SELECT 1 -- 'x'\nFROM t", "SELECT <i> \nFROM t"},
		{"line comment at the end", "SELECT 1 --", "SELECT <i> "},
		{"comment cuts an operator", "SELECT a+/*x*/-1", "SELECT a+ -<i>"},
		{"semicolon at the end", "SELECT 1 ; ", "SELECT <i> ; "},
		{"time words", `SELECT 'now', 'Today 12:00', 'know'`, `SELECT 'now', 'Today 12:00', <s>`},
		{"sequence", `SELECT nextval('s'), currval ( 't' ), setval('s', 1)`, `SELECT nextval('s'), currval ( 't' ), setval(<s>, <i>)`},
		{"word before string", `SELECT date'2020-01-01'`, `SELECT date<s>`},
		{"slice", `SELECT a[1:2]`, `SELECT a[<i>:<i>]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, ok := parser.Strip([]byte("kept "), tt.sql)
			if got := legible.Replace(string(key)); !ok || got != "kept "+tt.want {
				t.Errorf("Strip(%q) = %q, %v, want %q", tt.sql, got, ok, tt.want)
			}
		})
	}
}

func TestStripGivesUp(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		`SELECT E'a'`, `SELECT e'a'`, `SELECT U&'a'`, `SELECT u&"a"`, `SELECT B'1'`, `SELECT x'1F'`, `SELECT N'a'`,
		`SELECT $$a$$`, `SELECT $a$b$a$`, `SELECT 'a\'`, `SELECT /* /* */ */ 1`, `SELECT 1 /*`, `SELECT /*/ 1`,
		`SELECT 'a`, `SELECT "a`, "SELECT 'a'\n'b'", `SELECT 1; SELECT 2`, `;SELECT 1`, `SELECT 1a`, `SELECT 0x1F`,
		`SELECT 1_000`, `SELECT 1e`, `SELECT 1..2`, "SELECT \x01", "SELECT \"\x01\"", "SELECT '\x00'", `SELECT $`,
		`SELECT $1a`, "SELECT nextval('\x01')",
	} {
		if key, ok := parser.Strip(nil, sql); ok {
			t.Errorf("Strip(%q) = %q, want it to give up", sql, key)
		}
	}
}

func TestStripAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { parser.Strip(dst, shortRead) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
