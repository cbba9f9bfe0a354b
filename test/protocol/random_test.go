package protocol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// randomTime bounds TestRandomSequences; randomSequences is how many sequences it
// plays if the machine is fast enough.
const (
	randomTime      = 20 * time.Second
	randomSequences = 400
	// maxFound is how many differences are looked for.
	maxFound = 5
)

// TestRandomSequences plays sequences of messages that nobody would think of, and
// compares as TestDifferential does. A sequence that is answered differently is cut
// down to the fewest messages that still are.
func TestRandomSequences(t *testing.T) {
	for _, mode := range clusterings {
		t.Run(string(mode), func(t *testing.T) { testRandomSequences(t, newFixtureIn(t, mode)) })
	}
}

func testRandomSequences(t *testing.T, f *fixture) {
	r := newRandomPlay(t, f)
	deadline := time.Now().Add(randomTime)
	found := 0
	for seed := uint64(1); seed <= randomSequences && found < maxFound && time.Now().Before(deadline); seed++ {
		steps := randomSequence(rand.New(rand.NewPCG(seed, 0)))
		if r.same(t, steps) {
			continue
		}
		found++
		r.report(t, seed, r.shrink(t, steps))
	}
	f.wantQuiet(t)
	f.wantEqualToBare(t)
}

// report shows a sequence that is answered differently.
func (r *randomPlay) report(t *testing.T, seed uint64, steps []step) {
	t.Helper()
	t.Errorf("seed %d:", seed)
	for i, st := range steps {
		t.Logf("step %d: %s", i, texts(st.send[:len(st.send)-len(boundary)]))
	}
	want, got := r.answers(t, steps)
	r.f.compare(t, steps, want, got)
	r.compareContent(t, true)
}

// randomPlay plays sequences one after the other; its own sessions refill and compare
// the tables in between.
type randomPlay struct {
	f       *fixture
	filling []*client // to the bare server and to the proxy
	looking []*client // to the bare server and to each node
}

func newRandomPlay(t *testing.T, f *fixture) *randomPlay {
	r := &randomPlay{f: f}
	for _, addr := range []string{f.bareAddr(), f.proxyAddr()} {
		r.filling = append(r.filling, logIn(t, addr, database))
	}
	r.looking = append(r.looking, logIn(t, f.bareAddr(), database))
	for _, node := range f.holders() {
		r.looking = append(r.looking, logIn(t, nodeAddr(node), database))
	}
	return r
}

// answers plays the steps to both servers.
func (r *randomPlay) answers(t *testing.T, steps []step) (want, got [][]string) {
	t.Helper()
	for _, c := range r.filling {
		c.must(t, "DELETE FROM t; INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 10) AS i")
	}
	return play(t, r.f.bareAddr(), steps), play(t, r.f.proxyAddr(), steps)
}

// same reports whether both servers answer alike and hold the same afterwards.
func (r *randomPlay) same(t *testing.T, steps []step) bool {
	t.Helper()
	want, got := r.answers(t, steps)
	return slices.EqualFunc(want, got, slices.Equal[[]string]) && r.compareContent(t, false)
}

// compareContent compares table t of the bare server with that of each node.
func (r *randomPlay) compareContent(t *testing.T, loud bool) bool {
	t.Helper()
	r.f.holders() // standbys catch up
	var first string
	for i, c := range r.looking {
		held := fmt.Sprint(c.must(t, "SELECT id, v FROM t ORDER BY id"))
		switch {
		case i == 0:
			first = held
		case held != first:
			if loud {
				t.Errorf("node %d holds\n\t%s\nPostgreSQL holds\n\t%s", i-1, held, first)
			}
			return false
		}
	}
	return true
}

// shrink leaves out messages as long as the answers differ.
func (r *randomPlay) shrink(t *testing.T, steps []step) []step {
	t.Helper()
	for i := 0; i < len(steps); i++ {
		if shorter := slices.Delete(slices.Clone(steps), i, i+1); len(shorter) > 0 && !r.same(t, shorter) {
			steps = shorter
			i--
		}
	}
	for i := range steps {
		for j := 0; j < len(steps[i].send)-len(boundary); j++ {
			shorter := slices.Clone(steps)
			shorter[i].send = slices.Delete(slices.Clone(steps[i].send), j, j+1)
			if !r.same(t, shorter) {
				steps = shorter
				j--
			}
		}
	}
	return steps
}

// boundary ends each step: whatever state the server is in, it answers the empty query
// with EmptyQueryResponse, which nothing else here is answered with.
var boundary = all(copyFail("boundary"), syncUp(), query(""))

// randomSequence is a few batches of messages.
func randomSequence(rnd *rand.Rand) []step {
	g := generator{rnd}
	var steps []step
	for range 1 + rnd.IntN(4) {
		var messages []message
		for range 1 + rnd.IntN(8) {
			messages = append(messages, g.next()...)
		}
		steps = append(steps, step{send: append(messages, boundary...), until: 'I', ready: 1})
	}
	return steps
}

// generator makes messages. The names and texts are few, so that messages that belong
// together meet.
type generator struct{ *rand.Rand }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) next() []message {
	switch n := g.IntN(100); {
	case n < 18:
		return all(query(g.sql()))
	case n < 34:
		return g.wellFormed()
	case n < 46:
		sql := g.text()
		return all(parse(g.nameFor(sql), sql))
	case n < 58:
		return all(bind(g.portal(), g.statement(), g.params()...))
	case n < 68:
		return all(execute(g.portal(), pick(g, 0, 0, 0, 1, 2, 5)))
	case n < 74:
		return all(pick(g, describeStatement(g.statement()), describePortal(g.portal())))
	case n < 79:
		return all(pick(g, closeStatement(g.statement()), closePortal(g.portal())))
	case n < 87:
		return all(syncUp())
	case n < 90:
		return all(flush())
	case n < 92:
		return all(call(pick(g, 1257, 1257, 99999999), pick(g, "abc", "de")))
	case n < 94:
		return all(pick(g, copyDone(), copyFail("late"), copyData("late")))
	}
	return g.copy()
}

// wellFormed is what a driver sends for one statement.
func (g generator) wellFormed() []message {
	sql := g.text()
	name := g.nameFor(sql)
	params := make([]string, strings.Count(sql, "$"))
	for i := range params {
		params[i] = pick(g, "1", "2", "3", "12", "13")
	}
	messages := all(parse(name, sql), bind("", name, params...), describePortal(""), execute("", pick(g, 0, 0, 2)))
	if g.IntN(2) == 0 {
		messages = append(messages, syncUp())
	}
	return messages
}

// copy is a COPY with its data in the same batch.
func (g generator) copy() []message {
	data := pick(g, "31\tx\n32\ty\n", "1\ttwice\n", "33\tx\n1\ttwice\n", "x\n", "")
	end := pick(g, copyDone(), copyDone(), copyFail("given up"))
	begin := all(query("COPY t FROM STDIN"))
	if g.IntN(2) == 0 {
		begin = all(parse("", "COPY t FROM STDIN"), bind("", ""), execute("", 0))
	}
	return all(begin, copyData(data), end)
}

// nameFor gives names only to what EXECUTE may run: transaction control that is run by
// EXECUTE confuses PostgreSQL itself (DefineSavepoint: unexpected state STARTED).
func (g generator) nameFor(sql string) string {
	switch strings.Fields(sql)[0] {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
		return g.statement()
	}
	return ""
}

func (g generator) statement() string { return pick(g, "", "", "s1", "s2") }

func (g generator) portal() string { return pick(g, "", "", "p1", "p2") }

func (g generator) params() []string {
	return pick(g, nil, nil, []string{"1"}, []string{"2"}, []string{"x"}, []string{"1", "2"}, []string{null})
}

// text is a statement for Parse.
func (g generator) text() string {
	return pick(g,
		"SELECT 1", "SELECT $1::int", "SELECT id, v FROM t ORDER BY id", "SELECT v FROM t WHERE id = $1", "SELECT 1 / ($1::int - 1)", "SELECT count(*) FROM t",
		"INSERT INTO t VALUES (10 + $1::int, 'p')", "INSERT INTO t VALUES (21, 'q') RETURNING id, v", "UPDATE t SET v = v || '!' WHERE id = $1", "DELETE FROM t WHERE id > 10", "INSERT INTO t VALUES (1, 'twice')",
		"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "SELEC", "SELECT nothing FROM t", "SELECT loud('x')",
		"SET timezone = 'Asia/Tokyo'", "SHOW timezone", "DEALLOCATE s1", "DEALLOCATE ALL", "COPY (SELECT id, v FROM t ORDER BY id) TO STDOUT", "EXECUTE s1",
	)
}

// sql is a string for Query.
func (g generator) sql() string {
	return pick(g,
		"SELECT 1", "SELECT id, v FROM t ORDER BY id", "SELECT 1/0", "INSERT INTO t VALUES (11, 'a')", "INSERT INTO t VALUES (1, 'twice')", "UPDATE t SET v = v || '?' WHERE id < 3", "WITH d AS (DELETE FROM t WHERE id > 8 RETURNING id) SELECT id FROM d ORDER BY id",
		"BEGIN", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "SELEC", "BEGIN; INSERT INTO t VALUES (14, 'b'); COMMIT", "INSERT INTO t VALUES (15, 'c'); SELECT 1/0", "SELECT 1; SELECT 2", "SELECT 1; BEGIN; SELECT 2",
		"INSERT INTO t VALUES (16, 'd'); ROLLBACK; INSERT INTO t VALUES (17, 'e')", "SET timezone = 'UTC'; SHOW timezone", "PREPARE s1 AS SELECT 7", "PREPARE s2(int) AS INSERT INTO t VALUES (40 + $1, 'f')", "EXECUTE s1", "EXECUTE s2(1)", "DEALLOCATE s1", "DEALLOCATE ALL",
		"DECLARE p1 CURSOR FOR SELECT id FROM t ORDER BY id", "FETCH 2 FROM p1", "CLOSE p1", "COPY (SELECT id, v FROM t ORDER BY id) TO STDOUT", "SELECT loud('y')", "DO $$BEGIN RAISE NOTICE 'n'; END$$", "COMMIT; SELECT 3",
	)
}
