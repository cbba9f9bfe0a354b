package parser_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/pgchorus/pgchorus/parser"
)

func TestCacheAnswersByShape(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		first, second string
		parses        uint64
	}{
		{"other numbers", "SELECT * FROM t WHERE a = 1", "SELECT * FROM t WHERE a = 22", 1},
		{"other strings", "UPDATE t SET a = 'x' WHERE b = 1", "UPDATE t SET a = 'yy' WHERE b = 2", 1},
		{"comments", "SELECT /* 1 */ a FROM t", "SELECT /* 22 */ a FROM t", 1},
		{"time calls move", "INSERT INTO t VALUES (1, now(), 'a', now())", "INSERT INTO t VALUES (12345, now(), 'abc', now())", 1},
		{"comments about time calls", "INSERT INTO t VALUES (/* a */ now() /* b */, 1)", "INSERT INTO t VALUES (/* aaa */ now() /* bb */, 22)", 1},
		{"same sequence", "INSERT INTO t VALUES (nextval('s'), 1)", "INSERT INTO t VALUES (nextval('s'), 2)", 1},
		{"other sequence", "SELECT nextval('s')", "SELECT nextval('t')", 2},
		{"other sequence, in brackets", "SELECT nextval(('s'))", "SELECT nextval(('t'))", 2},
		{"other sequence, quoted function", `SELECT "nextval"('s')`, `SELECT "nextval"('t')`, 2},
		{"other setting", "SET x TO 'a'", "SET x TO 'b'", 2},
		{"set_config", "SELECT set_config('a', 'b', false)", "SELECT set_config('c', 'd', false)", 2},
		{"a date, then today", "INSERT INTO t VALUES ('2020-01-01'::date)", "INSERT INTO t VALUES ('today'::date)", 2},
		{"a word, then now", "INSERT INTO t VALUES ('abc')", "INSERT INTO t VALUES ('now')", 2},
		{"precision", "INSERT INTO t VALUES (current_timestamp(1))", "INSERT INTO t VALUES (current_timestamp(2))", 2},
		{"wrong, then right", "SELECT a::float(99)", "SELECT a::float(5)", 2},
		{"right, then wrong", "SELECT date '2020-01-01'", "SELECT date 5", 2},
		{"other case", "SELECT 1", "select 1", 2},
		{"other table that the fingerprint takes for the same", "SELECT * FROM t_202401", "SELECT * FROM t_202402", 2},
		{"options of BEGIN", "BEGIN", "BEGIN READ ONLY", 2},
		{"two statements", "SELECT 1; SELECT 2", "SELECT 1; SELECT 3", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := parser.NewCache(1<<20, 1)
			for _, sql := range []string{tt.first, tt.second, tt.second, tt.first} {
				if diff := compareScripts(parser.Resolved(c.Script(sql), sql), parser.Classify(sql)); diff != "" {
					t.Errorf("%q: %s", sql, diff)
				}
			}
			if got := c.Stats().Misses; got != tt.parses {
				t.Errorf("%d parses, want %d", got, tt.parses)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	c := parser.NewCache(limit, 1)
	for i := range 3000 {
		c.Script(fmt.Sprintf("SELECT a%d FROM t", i))
		c.Script("SELECT hot FROM t")
	}
	st := c.Stats()
	if st.Bytes > limit || st.Entries < 100 {
		t.Errorf("%+v", st)
	}
	if st.Misses != 3001 {
		t.Errorf("%d parses: a text in use was forgotten", st.Misses)
	}
}

func TestCacheKeepsNothingLarge(t *testing.T) {
	t.Parallel()
	c := parser.NewCache(1<<20, 1)
	sql := "SELECT " + longList(40_000)
	for range 2 {
		if s := c.Script(sql); s.Err != nil {
			t.Fatal(s.Err)
		}
	}
	if st := c.Stats(); st.Entries != 0 || st.Misses != 2 {
		t.Errorf("%+v", st)
	}
}

func longList(n int) string {
	b := make([]byte, 0, 3*n)
	for range n {
		b = append(b, "a, "...)
	}
	return string(append(b, 'a'))
}

func TestCacheOfNoSizeStillAnswers(t *testing.T) {
	t.Parallel()
	if s := parser.NewCache(0, 0).Script("SELECT 1"); !s.ReadOnly {
		t.Errorf("%+v", s)
	}
}

func TestCacheIsSharedSafely(t *testing.T) {
	t.Parallel()
	c := parser.NewCache(64<<10, 2)
	var sessions sync.WaitGroup
	for session := range 8 {
		sessions.Go(func() {
			var m parser.Memo
			for i := range 300 {
				sql := fmt.Sprintf("INSERT INTO t%d VALUES (%d, now(), '%d')", i%40, i, session)
				s := m.Script(c, sql)
				if call := s.Statements[0].TimeCalls[0]; sql[call.Start:call.End] != "now()" {
					t.Errorf("%q: time call is %q", sql, sql[call.Start:call.End])
				}
			}
		})
	}
	sessions.Wait()
}

func TestMemo(t *testing.T) {
	t.Parallel()
	c := parser.NewCache(1<<20, 1)
	var m parser.Memo
	buffer := []byte("SELECT 1 FROM a")
	text, first := m.Recall(c, buffer)
	if m.Script(c, "SELECT 1 FROM a") != first {
		t.Error("the same text has another script")
	}
	copy(buffer, "DELETE   FROM a") // it is the caller's own
	if text != "SELECT 1 FROM a" {
		t.Errorf("the text is %q after the buffer changed", text)
	}
	if text, got := m.Recall(c, buffer); text != "DELETE   FROM a" || got.Statements[0].Kind != parser.Delete {
		t.Errorf("%q, kind %v after the buffer changed", text, got.Statements[0].Kind)
	}
	if text, got := m.Recall(c, []byte("SELECT 1 FROM a")); text != "SELECT 1 FROM a" || got.Statements[0].Reads[0].Name != "a" {
		t.Errorf("%q: %+v", text, got)
	}
	long := "SELECT " + longList(4000)
	if text, got := m.Recall(c, []byte(long)); text != long || !got.ReadOnly {
		t.Errorf("%+v", got)
	}
}

func TestMemoKeepsTextsApart(t *testing.T) {
	t.Parallel()
	c := parser.NewCache(1<<20, 1)
	var m parser.Memo
	for round := range 3 {
		for i := range 500 {
			want := fmt.Sprintf("t%d", i)
			got := m.Script(c, "SELECT * FROM "+want).Statements[0].Reads[0].Name
			if got != want {
				t.Fatalf("round %d: reads %s, want %s", round, got, want)
			}
		}
	}
}

func TestHitsAllocateNothing(t *testing.T) {
	c := parser.NewCache(1<<20, 1)
	var m parser.Memo
	sql := []byte(shortRead)
	m.Recall(c, sql)
	if n := testing.AllocsPerRun(100, func() { m.Recall(c, sql) }); n != 0 {
		t.Errorf("memo: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.Script(shortRead) }); n > 0 {
		t.Errorf("cache: %v allocations", n)
	}
}
