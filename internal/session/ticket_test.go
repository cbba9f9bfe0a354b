package session

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// TestKeysHaveOneNumber: two spellings of one key have the same number, and what might be another
// spelling of some key has none.
func TestKeysHaveOneNumber(t *testing.T) {
	seven, ok := literalNumber("UPDATE t SET v = 1 WHERE id = 7")
	if !ok {
		t.Fatal("7 has no number")
	}
	for _, sql := range []string{"UPDATE t SET v = 2 WHERE id = 007", "DELETE FROM t WHERE id = '7' AND v = 3", "UPDATE t SET v = 1 WHERE v = 8 AND id = 7 -- 9"} {
		if number, ok := literalNumber(sql); !ok || number != seven {
			t.Errorf("%s: %x, %v, want %x", sql, number, ok, seven)
		}
	}
	for _, sql := range []string{"UPDATE t SET v = 1 WHERE id = 8", "UPDATE t SET v = 1 WHERE id = 70"} {
		if number, ok := literalNumber(sql); !ok || number == seven {
			t.Errorf("%s: %x, %v", sql, number, ok)
		}
	}
	for _, sql := range []string{
		"UPDATE t SET v = 1 WHERE id = 7.0", "UPDATE t SET v = 1 WHERE id = ' 7'", "UPDATE t SET v = 1 WHERE id = '+7'", "UPDATE t SET v = 1 WHERE id = '0x7'",
		"UPDATE t SET v = 1 WHERE id = ''", "UPDATE t SET v = 1 WHERE id = 7e0", "UPDATE t SET v = 1 WHERE id = 1234567890123456789", "UPDATE t SET v = 1 WHERE id = '-'",
	} {
		if number, ok := literalNumber(sql); ok {
			t.Errorf("%s has number %x", sql, number)
		}
	}
}

// literalNumber is the number of the pins in a text, in their order, but for those of column v.
func literalNumber(sql string) (number uint64, ok bool) {
	s := &Session{}
	s.tickets.text = sql
	var pins []parser.Pin
	for _, p := range parser.Classify(sql).Statements[0].Targets[0].Pins {
		if p.Column == "id" {
			pins = append(pins, p)
		}
	}
	return s.literalKey(pins)
}

func TestIntegerParam(t *testing.T) {
	tests := []struct {
		value    string
		format   uint16
		declared uint32
		want     int64
		ok       bool
	}{
		{"7", 0, 0, 7, true},
		{"-7", 0, int8Type, -7, true},
		{"007", 0, int4Type, 7, true},
		{"\x00\x07", 1, int2Type, 7, true},
		{"\x00\x00\x00\x07", 1, 0, 7, true},
		{"\xff\xff\xff\xf9", 1, int4Type, -7, true},
		{"\x00\x00\x00\x00\x00\x00\x00\x07", 1, int8Type, 7, true},
		{" 7", 0, 0, 0, false},
		{"7.0", 0, 0, 0, false},
		{"", 0, 0, 0, false},
		{"", 1, 0, 0, false},
		{"\x07", 1, 0, 0, false},
		{"7", 0, 1700, 0, false},                               // numeric
		{"\x40\x1c\x00\x00\x00\x00\x00\x00", 1, 701, 0, false}, // double precision
	}
	for _, tt := range tests {
		if got, ok := integerParam([]byte(tt.value), tt.format, tt.declared); got != tt.want || ok != tt.ok {
			t.Errorf("%q in format %d as %d: %d, %v, want %d, %v", tt.value, tt.format, tt.declared, got, ok, tt.want, tt.ok)
		}
	}
	if _, ok := integerParam(nil, 0, 0); ok {
		t.Error("NULL is an integer")
	}
}

// TestBoundKeyIsThatOfALiteral: whoever writes 7 in one way or the other has the same key.
func TestBoundKeyIsThatOfALiteral(t *testing.T) {
	seven, _ := literalNumber("UPDATE t SET v = 1 WHERE id = 7")
	bind := wire.AppendBindTexts(nil, "", 2, func(i int) string { return []string{"1", "7"}[i] })
	st := &step{frame: bind, prepared: &prepared{}}
	if number, ok := keyOfBind(st, []parser.Pin{{Column: "id", Param: 2}}); !ok || number != seven {
		t.Errorf("%x, %v, want %x", number, ok, seven)
	}
	if _, ok := keyOfBind(st, []parser.Pin{{Column: "id", Param: 3}}); ok {
		t.Error("there is no third parameter")
	}
}
