package follow

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/cache"
)

func TestNamesOfAChange(t *testing.T) {
	tests := []struct {
		line string
		want []name // nil: not to be told
	}{
		{"table public.t: INSERT: v[integer]:1", []name{{"public", "t"}}},
		{"table public.t: DELETE: (no-tuple-data)", []name{{"public", "t"}}},
		{`table public.t: UPDATE: v[text]:'table x.y: DELETE'`, []name{{"public", "t"}}},
		{`table "My Schema"."T: of ""all"", a.b": INSERT: v[integer]:1`, []name{{"My Schema", `T: of "all", a.b`}}},
		{"table public.a, public.b: TRUNCATE: (no-flags)", []name{{"public", "a"}, {"public", "b"}}},
		{`table "s, ".a, public."b, """: TRUNCATE: restart_seqs cascade`, []name{{"s, ", "a"}, {"public", `b, "`}}},
		{"table public.ümlaut: INSERT: v[integer]:1", []name{{"public", "ümlaut"}}},
		{"table public.t", nil},
		{`table public."t: INSERT`, nil},
		{"table : INSERT", nil},
		{"table t: INSERT", nil},
		{`table "a""b: INSERT`, nil},
		{`table a."b"c: INSERT`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			l, ok := readLine([]byte(tt.line))
			if !ok || l.kind != kindChange {
				t.Fatalf("not a change: %+v", l)
			}
			names, ok := l.names()
			if ok != (tt.want != nil) || ok && !reflect.DeepEqual(names, tt.want) {
				t.Errorf("names are %q, %v, want %q", names, ok, tt.want)
			}
		})
	}
}

func TestLinesThatAreNoChanges(t *testing.T) {
	tests := []struct {
		line string
		want kind
		ok   bool
	}{
		{"BEGIN 7", kindBegin, true},
		{"COMMIT 4294967295", kindCommit, true},
		{"COMMIT x", kindCommit, false},
		{"message: transactional: 1 prefix: pgchorus, sz: 10 content:definition", kindMessage, true},
		{"message: transactional: 0 prefix: pgchorus, sz: 10 content:definition", kindOther, true},
		{"message: transactional: 1 prefix: other, sz: 10 content:definition", kindOther, true},
		{"something else", kindOther, false},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			l, ok := readLine([]byte(tt.line))
			if l.kind != tt.want || ok != tt.ok {
				t.Errorf("kind %d, %v, want %d, %v", l.kind, ok, tt.want, tt.ok)
			}
		})
	}
}

// Slots of the tests: those of relations are their places in relations, behind whole.
const whole = cache.Slot(1)

var relations = []string{"a", "b", "ümlaut"}

func slotOfTest(relation string) cache.Slot {
	return whole + 1 + cache.Slot(slices.Index(relations, relation))
}

func TestWhatATransactionHasChanged(t *testing.T) {
	tests := []struct {
		name  string
		utf8  bool
		lines string
		want  []cache.Slot
	}{
		{"each relation once", true, "table public.a: INSERT: x\ntable public.a: INSERT: x\ntable public.b: INSERT: x\ntable public.a: DELETE: x", []cache.Slot{2, 3}},
		{"nothing", true, "", nil},
		{"nothing of before", true, "table public.b: INSERT: x\nBEGIN 3\ntable public.a: INSERT: x", []cache.Slot{2}},
		{"the last relation of before again", true, "table public.a: INSERT: x\nBEGIN 3\ntable public.a: INSERT: x", []cache.Slot{2}},
		{"definitions", true, "table public.a: INSERT: x\nmessage: transactional: 1 prefix: pgchorus, sz: 10 content:definition", []cache.Slot{whole}},
		{"our flush", true, "message: transactional: 1 prefix: pgchorus, sz: 0 content:", nil},
		{"names that cannot be told", true, "table public", []cache.Slot{whole}},
		{"letters of an encoding that is known", true, "table public.ümlaut: INSERT: x", []cache.Slot{4}},
		{"letters of another encoding", false, "table public.ümlaut: INSERT: x", []cache.Slot{whole}},
		{"a transaction of ours", true, "table public.a: INSERT: x\n" + marked(77), nil},
		{"a transaction of another proxy", true, "table public.a: INSERT: x\n" + marked(78), []cache.Slot{2}},
		{"a table like that of marks", true, "table public.commit_slot: UPDATE: proxy[integer]:0 epoch[bigint]:77 seq[bigint]:1\ntable public.a: INSERT: x", []cache.Slot{1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := gatherer{slotOf: slotOfTest, whole: whole, utf8: tt.utf8, mark: []byte(" epoch[bigint]:77 ")}
			for _, text := range strings.Split("BEGIN 2\n"+tt.lines, "\n") {
				if l, ok := readLine([]byte(text)); ok {
					g.take(l)
				}
			}
			got := g.changed()
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("changed are %d, want %d", got, tt.want)
			}
		})
	}
}

func marked(epoch int) string {
	return "table pgchorus.commit_slot: UPDATE: proxy[integer]:0 slot[integer]:3 epoch[bigint]:" + []string{"77", "78"}[epoch-77] + " seq[bigint]:5 at[timestamp with time zone]:'now'"
}

func TestManyRelationsAreTheWholeDatabase(t *testing.T) {
	n := cache.Slot(0)
	g := gatherer{slotOf: func(string) cache.Slot { n++; return whole + n }, whole: whole, utf8: true}
	for i := range maxNames + 1 {
		l, _ := readLine([]byte("table public.t" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + ": INSERT: x"))
		g.take(l)
	}
	if got := g.changed(); !slices.Equal(got, []cache.Slot{whole}) {
		t.Errorf("changed are %d counters", len(got))
	}
}

// BenchmarkRowsOfOneRelation is what a transaction of many rows costs for each of them.
func BenchmarkRowsOfOneRelation(b *testing.B) {
	g := gatherer{slotOf: slotOfTest, whole: whole, utf8: true}
	text := []byte("table public.a: INSERT: id[integer]:1 v[text]:'" + strings.Repeat("x", 100) + "'")
	b.ReportAllocs()
	for b.Loop() {
		l, _ := readLine(text)
		g.take(l)
	}
}

// FuzzReadLine: whatever a node sends, names are whole or none.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte(`table "a""b".c, d."e": TRUNCATE: (no-flags)`))
	f.Add([]byte("COMMIT 7"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, ok := readLine(b)
		if !ok || l.kind != kindChange {
			return
		}
		names, ok := l.names()
		if ok != (len(names) > 0) {
			t.Errorf("%q: %d names, %v", b, len(names), ok)
		}
		for _, n := range names {
			if n.schema == "" || n.relation == "" {
				t.Errorf("%q: an empty name in %q", b, names)
			}
		}
	})
}
