package oidmap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

var main, other, third = Node{ID: 0}, Node{ID: 1}, Node{ID: 2}

// row is a line as a node answers it, with plain names.
func row(class Class, oid uint32, kind Kind, sub uint32, name, arguments string) string {
	return fmt.Sprintf("%c %d %c %d %x %x %s", class, oid, kind, sub, "public", name, arguments)
}

// someDatabase has an enum, its array, a composite type, a domain over the array, a range and
// a multirange, with numbers from 20000 on main and from 30000 on the other node.
func someDatabase() *Database {
	d := newDatabase()
	list := func(node Node, base uint32) Listing {
		return Listing{node, Decode([]string{
			row(Type, base, Scalar, 0, "mood", "-"),
			row(Type, base+1, Array, base, "mood", "[]"),
			row(Type, base+2, Composite, 0, "spot", "-"),
			row(Type, base+3, Domain, base+1, "moods", "-"),
			row(Type, base+4, Range, base+2, "span", "-"),
			row(Type, base+5, MultiRange, base+4, "spans", "-"),
			row(Relation, base+6, Scalar, 0, "t", "-"),
			row(Function, base+7, Scalar, 0, "f", "-7075626c6963.6d6f6f64"),
		})}
	}
	d.LearnAll(list(main, 20000), list(other, 30000))
	return d
}

func words(numbers ...uint32) []byte {
	var b []byte
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// sized is a value behind its length.
func sized(value []byte) []byte { return append(words(uint32(len(value))), value...) }

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// values are binary values for a node whose numbers begin with base.
func values(base uint32) map[string]struct {
	oid   uint32
	value []byte
} {
	label := sized([]byte("happy"))
	array := join(words(1, 0, base, 1, 1), label)
	spot := join(words(3, 23), sized(words(7)), words(base), label, words(base+1), sized(array))
	span := join([]byte{2}, sized(spot), sized(spot))
	return map[string]struct {
		oid   uint32
		value []byte
	}{
		"enum":                      {base, []byte("happy")},
		"array":                     {base + 1, array},
		"empty array":               {base + 1, words(0, 0, base)},
		"array with null":           {base + 1, join(words(1, 1, base, 2, 1), words(0xffffffff), label)},
		"composite":                 {base + 2, spot},
		"null field":                {base + 2, join(words(2, base), words(0xffffffff), words(base+1), sized(array))},
		"domain":                    {base + 3, array},
		"range":                     {base + 4, span},
		"range with no upper bound": {base + 4, join([]byte{2 | 0x10}, sized(spot))},
		"empty range":               {base + 4, []byte{1}},
		"multirange":                {base + 5, join(words(2), sized(span), sized(span))},
		"record":                    {oidRecord, spot},
		"records":                   {oidRecordArray, join(words(1, 0, oidRecord, 1, 1), sized(spot))},
		"text":                      {25, []byte("nothing")},
		"int array":                 {1007, join(words(1, 0, 23, 1, 1), sized(words(20000)))},
	}
}

func TestValuesAreTranslatedThereAndBack(t *testing.T) {
	d := someDatabase()
	ours, theirs := values(20000), values(30000)
	for name, v := range ours {
		t.Run(name, func(t *testing.T) {
			got := bytes.Clone(v.value)
			there := Translation{Database: d, From: main, To: other}
			there.Value(v.oid, got)
			if want := theirs[name].value; !bytes.Equal(got, want) || len(there.Missing) > 0 {
				t.Errorf("got  %x\nwant %x\nmissing %v", got, want, there.Missing)
			}
			back := Translation{Database: d, From: other, To: main}
			back.Value(theirs[name].oid, got)
			if !bytes.Equal(got, v.value) {
				t.Errorf("back: got %x, want %x", got, v.value)
			}
			holds := bytes.Contains(v.value, words(20000)) && name != "int array"
			if got := Suspect(v.value); got != holds {
				t.Errorf("Suspect = %v, want %v", got, holds)
			}
		})
	}
}

func TestWhatIsNotKnownIsMissing(t *testing.T) {
	d := someDatabase()
	tr := Translation{Database: d, From: main, To: other}
	if got := tr.Number(Type, 25000); got != 25000 || !slices.Equal(tr.Missing, []Object{{Type, main, 25000}}) {
		t.Errorf("got %d, missing %v", got, tr.Missing)
	}
	tr = Translation{Database: d, From: main, To: third}
	if tr.Number(Type, 20000); len(tr.Missing) != 1 {
		t.Errorf("missing %v", tr.Missing)
	}
	tr = Translation{Database: d, From: main, To: other}
	if got := tr.Number(Relation, 20000); got != 20000 || len(tr.Missing) != 1 {
		t.Errorf("a type is no table: got %d, missing %v", got, tr.Missing)
	}
}

func TestNodeThatIsLearntLaterJoinsTheOthers(t *testing.T) {
	d := someDatabase()
	d.Learn(Listing{main, Decode([]string{row(Type, 20000, Scalar, 0, "mood", "-")})}, Listing{third, Decode([]string{row(Type, 40000, Scalar, 0, "mood", "-")})})
	for _, from := range []Object{{Type, main, 20000}, {Type, other, 30000}, {Type, third, 40000}} {
		for _, to := range []Object{{Type, main, 20000}, {Type, other, 30000}, {Type, third, 40000}} {
			if got, ok := d.Number(from, to.Node); !ok || got != to.OID {
				t.Errorf("%v on %v: %d, %v", from, to.Node, got, ok)
			}
		}
	}
}

// A rename is done on every node, and changes no number.
func TestTypesThatSwapNamesStayWhatTheyAre(t *testing.T) {
	d := someDatabase()
	d.Learn(Listing{main, Decode([]string{row(Type, 21000, Scalar, 0, "mood", "-")})}, Listing{other, Decode([]string{row(Type, 31000, Scalar, 0, "mood", "-")})})
	for from, want := range map[uint32]uint32{20000: 30000, 21000: 31000} {
		if got, _ := d.Number(Object{Type, main, from}, other); got != want {
			t.Errorf("%d is %d, want %d", from, got, want)
		}
	}
}

func TestAdoptGivesANumberOnlyIfItIsFree(t *testing.T) {
	tests := []struct {
		name   string
		object Object
		want   bool
	}{
		{"a new object", Object{Type, other, 25000}, true},
		{"one that the lost node had", Object{Type, other, 30000}, false},
		{"a new object whose number was another's", Object{Type, other, 20001}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := someDatabase()
			if got := d.Adopt(tt.object, main); got != tt.want {
				t.Errorf("got %v", got)
			}
			if got, ok := d.Number(tt.object, main); tt.want && (!ok || got != tt.object.OID) {
				t.Errorf("it is %d, %v", got, ok)
			}
			if tt.want && !d.Adopt(tt.object, main) {
				t.Error("the second time it is refused")
			}
		})
	}
}

func TestListedIsHowFarAllNodesAreKnown(t *testing.T) {
	d := someDatabase()
	d.LearnAll(Listing{main, Decode([]string{row(Type, 20100, Scalar, 0, "late", "-")})}, Listing{other, nil})
	if highest, complete, known := d.Listed(main); highest != 20007 || !complete || !known {
		t.Errorf("got %d, %v, %v", highest, complete, known)
	}
	if _, _, known := d.Listed(third); known {
		t.Error("a node that said nothing is known")
	}
	many := make([]Row, MaxListed+1)
	d = newDatabase()
	d.LearnAll(Listing{main, nil}, Listing{other, Decode(slices.Repeat([]string{row(Type, 20100, Scalar, 0, "late", "-")}, len(many)))})
	if _, complete, _ := d.Listed(main); complete {
		t.Error("too many to list, and yet complete")
	}
}

func TestBindIsLookedInto(t *testing.T) {
	bind := func(formats []uint16, params [][]byte, results ...uint16) []byte {
		b := []byte("portal\x00statement\x00")
		b = binary.BigEndian.AppendUint16(b, uint16(len(formats)))
		for _, f := range formats {
			b = binary.BigEndian.AppendUint16(b, f)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(params)))
		for _, p := range params {
			if p == nil {
				b = append(b, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			b = append(b, sized(p)...)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(results)))
		for _, f := range results {
			b = binary.BigEndian.AppendUint16(b, f)
		}
		return b
	}
	params := [][]byte{[]byte("a"), nil, []byte("c")}
	tests := []struct {
		name    string
		body    []byte
		binary  []int
		results []byte
	}{
		{"all text", bind(nil, params), nil, nil},
		{"one code for all", bind([]uint16{1}, params, 1), []int{0, 2}, []byte{0, 1}},
		{"a code each", bind([]uint16{0, 1, 1}, params, 0, 1), []int{2}, []byte{0, 0, 0, 1}},
		{"cut short", bind([]uint16{1}, params, 1)[:30], []int{0}, nil},
		{"empty", nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			EachBinary(tt.body, func(i int, _ []byte) { got = append(got, i) })
			if !slices.Equal(got, tt.binary) || !bytes.Equal(BinaryResults(tt.body), tt.results) {
				t.Errorf("binary %v, results %v", got, BinaryResults(tt.body))
			}
		})
	}
}

// description is the body of a RowDescription with one column.
func description(table, typ uint32) []byte {
	b := append([]byte{0, 1}, "name\x00"...)
	b = append(b, words(table)...)
	b = append(b, 0, 1)
	b = append(b, words(typ)...)
	return append(b, 0, 4, 0xff, 0xff, 0xff, 0xff, 0, 0)
}

func TestRowDescriptionIsTranslated(t *testing.T) {
	d := someDatabase()
	types, tables := Translation{Database: d, From: other, To: main}, Translation{Database: d, From: other, To: main}
	got := description(30006, 30001)
	types.RowDescription(got, &tables)
	if want := description(20006, 20001); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	if got := ColumnTypes(got, nil); !slices.Equal(got, []uint32{20001}) {
		t.Errorf("types %v", got)
	}
}

// FuzzValue looks into what a peer could send: it may be anything, and keeps its length.
func FuzzValue(f *testing.F) {
	for _, v := range values(20000) {
		f.Add(v.oid, v.value)
	}
	d := someDatabase()
	f.Fuzz(func(t *testing.T, oid uint32, value []byte) {
		tr := Translation{Database: d, From: main, To: other}
		tr.Value(oid, value)
		tr.RowDescription(value, &tr)
		tr.ParameterDescription(value)
		tr.Row([]uint32{oid, 0, oid}, value)
		EachBinary(value, func(_ int, v []byte) { tr.Value(oid, v) })
		BinaryResults(value)
		Suspect(value)
	})
}

func BenchmarkRowDescription(b *testing.B) {
	d := someDatabase()
	body := description(30006, 23)
	b.ReportAllocs()
	for range b.N {
		types, tables := Translation{Database: d, From: other, To: main}, Translation{Database: d, From: other, To: main}
		binary.BigEndian.PutUint32(body[7:], 30006)
		types.RowDescription(body, &tables)
	}
}
