package protocol

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// parsedForms are texts about a table, with a key and a value as parameters.
var parsedForms = []string{
	"INSERT INTO w%d VALUES ($1, $2)", "INSERT INTO w%d (v, id) VALUES ($2, $1)", "INSERT INTO w%d (id) VALUES ($1)", "INSERT INTO w%d (id, v) VALUES ($1, $2) RETURNING id",
	"UPDATE w%d SET v = $2 WHERE id = $1", "UPDATE ONLY w%d AS x SET v = $2 WHERE x.id = $1", "UPDATE w%d SET v = v + $2 WHERE id = $1", "UPDATE w%d SET v = $2 || v WHERE id = $1",
	"UPDATE w%d SET v = v + 5 WHERE id = $1", "UPDATE w%d SET v = '5' WHERE id = $1", "UPDATE w%d SET v = $2 WHERE id = $1 AND v = $2", "UPDATE w%d SET v = $2, missing = 1 WHERE id = $1",
	"DELETE FROM w%d WHERE id = $1", "DELETE FROM w%d WHERE id = $1 AND v = $2", "DELETE FROM w%d WHERE id = $1 OR v = $2",
	"SELECT v FROM w%d WHERE id = $1", "SELECT * FROM w%d WHERE id = $1", "SELECT v FROM w%d WHERE id = $1 AND v = $2", "SELECT v, missing FROM w%d WHERE id = $1", "SELECT v FROM w%d WHERE id > $1 ORDER BY 1",
}

var (
	parsedKeys   = []string{"1", "1", "2", "3", "4", "-1", "007", " 1 ", "1.5", "x", "", "2147483648", "2026-01-02", null}
	parsedValues = []string{
		"1", "0", "-5", "32768", "2147483648", "1.5", "NaN", "x", "abcd", "ab  ", "", "é", "true", "2026-01-02", "2.1.2026 03:04", "1 day", "{1,2}", `{"a": 1}`, "[1,3)",
		"101", `\x01`, "10.0.0.0/8", "00000000-0000-0000-0000-000000000001", null,
	}
	// parsedTypes are those that a Parse gives its parameters (pg_type.dat): none, integers, texts, times.
	parsedTypes = [][]int{nil, nil, nil, {23}, {23, 23}, {20, 25}, {0, 1043}, {23, 1184}, {21, 1700}, {0, 16}}
)

// parsedBatches send a statement as drivers do.
var parsedBatches = []func(text string, types []int, params []string) []step{
	func(text string, types []int, params []string) []step {
		return []step{ready(1, parse("", text, types...), bind("", "", params...), describePortal(""), execute("", 0), syncUp())}
	},
	func(text string, types []int, params []string) []step {
		return []step{ready(1, parse("", text, types...), describeStatement(""), syncUp()), ready(1, bind("", "", params...), execute("", 0), syncUp())}
	},
	func(text string, types []int, params []string) []step {
		return []step{ready(1, parse("", text, types...), bind("", "", params...), execute("", 0), parse("", text, types...), bind("", "", params...), execute("", 0), syncUp())}
	},
	func(text string, types []int, params []string) []step {
		limit := 0
		if strings.HasPrefix(text, "SELECT") {
			limit = 1
		}
		return []step{ready(1, parse("", text, types...), bind("p", "", params...), execute("p", limit), closePortal("p"), syncUp()), ready(1, bind("", "", params...), execute("", 0), syncUp())}
	},
	func(text string, types []int, params []string) []step {
		return []step{ready(1, parse("", text, types...), flush(), bind("", "", params...), execute("", 0), syncUp())}
	},
	func(text string, types []int, params []string) []step {
		return []step{ready(1, parse("", text, types...), bind("", "", append(params, "one more")...), execute("", 0), syncUp())}
	},
	func(text string, types []int, params []string) []step {
		return []step{ready(1, parse("", text, types...), closeStatement(""), syncUp()), ready(1, bind("", "", params...), execute("", 0), syncUp())}
	},
	func(text string, types []int, params []string) []step {
		return []step{ready(1, parse("", text, types...), syncUp()), ask("SELECT 1"), ready(1, bind("", "", params...), execute("", 0), syncUp())}
	},
}

// TestParsedAgainIsInvisible sends Parse of the same texts again and again, right and wrong, and wants the answers of a
// server that parses each.
func TestParsedAgainIsInvisible(t *testing.T) {
	tests := []struct {
		mode config.ClusteringMode
		line string
	}{
		{config.NativeReplication, ""}, {config.NativeReplication, "pool_mode = transaction"}, {config.SnapshotIsolation, ""}, {config.StreamingReplication, ""},
	}
	for _, tt := range tests {
		t.Run(strings.TrimSpace(string(tt.mode)+" "+tt.line), func(t *testing.T) {
			checkWrites(t, newFixtureIn(t, tt.mode, tt.line), func(seed uint64) []step { return parsedSteps(rand.New(rand.NewPCG(seed, 3))) })
		})
	}
}

var ownType = regexp.MustCompile("mood|minutes|short|positive")

func parsedSteps(random *rand.Rand) []step {
	var steps []step
	for range 60 {
		i := random.IntN(len(writeTables))
		for ownType.MatchString(writeTables[i].columns) {
			i = random.IntN(len(writeTables)) // two servers give a type two numbers
		}
		text := fmt.Sprintf(parsedForms[random.IntN(len(parsedForms))], i)
		types := parsedTypes[random.IntN(len(parsedTypes))]
		batch := parsedBatches[max(0, random.IntN(len(parsedBatches)+3)-3)]
		around := blocks[random.IntN(len(blocks))]
		for range 6 {
			params := []string{parsedKeys[random.IntN(len(parsedKeys))], parsedValues[random.IntN(len(parsedValues))]}
			if !strings.Contains(text, "$2") {
				params = params[:1]
			}
			if len(types) > len(params) {
				types = types[:len(params)]
			}
			for _, s := range batch(text, types, slices.Clone(params)) {
				steps = append(steps, around(s)...)
			}
		}
		steps = append(steps, writeDisturbances[random.IntN(len(writeDisturbances))]...)
	}
	return append(steps, ask("RESET ALL"))
}

// TestParsedAgainIsParsedOnce looks at what the nodes were sent.
func TestParsedAgainIsParsedOnce(t *testing.T) {
	f := newFixture(t)
	logIn(t, f.proxyAddr(), database).must(t, "ALTER DATABASE "+database+" SET log_statement = 'all'")
	c := logIn(t, f.proxyAddr(), database)
	c.must(t, content)
	for id := range 5 {
		for _, batch := range [][]message{run("UPDATE t SET v = $1 WHERE id = $2", "x", fmt.Sprint(id)), run("SELECT v FROM t WHERE id = $1", fmt.Sprint(id))} {
			c.play(t, ready(1, batch, syncUp()))
		}
	}
	for i, node := range f.nodes {
		if got := executedWrites(t, node); len(got) != 1 {
			t.Errorf("node %d has executed %q as statements of ours, want the update", i, got)
		}
	}
	f.wantEqual(t)
}

// TestTableHasOutgrownAParsedStatement changes a table where pgchorus does not see it.
func TestTableHasOutgrownAParsedStatement(t *testing.T) {
	f := newFixture(t)
	c := logIn(t, f.proxyAddr(), database)
	c.must(t, content)
	read := ready(1, run("SELECT * FROM t WHERE id = $1", "1"), syncUp())
	write := ready(1, run("UPDATE t SET v = $1 WHERE id = $2", "x", "1"), syncUp())
	code := func(s step) string {
		t.Helper()
		for _, r := range c.play(t, s) {
			if r.kind == 'E' {
				return r.field('C')
			}
		}
		return ""
	}
	for i, sql := range []string{"", "ALTER TABLE t ADD extra int DEFAULT 5", "ALTER TABLE t DROP extra", "ALTER TABLE t ALTER v TYPE varchar(100)", "ALTER TABLE t ALTER v TYPE text"} {
		if sql != "" {
			f.changeUnseen(t, sql)
		}
		for range 3 {
			if got := code(read) + code(write); got != "" {
				t.Fatalf("behind %q a statement outside of a block fails with %s", sql, got)
			}
		}
		c.must(t, "BEGIN")
		if got := code(read) + code(write); got != "" {
			t.Fatalf("behind change %d a block fails with %s", i, got)
		}
		c.must(t, "COMMIT")
	}
	f.changeUnseen(t, "ALTER TABLE t ADD extra int DEFAULT 5")
	c.must(t, "BEGIN")
	if got := code(read); got != "40001" {
		t.Errorf("in a block the server's refusal is told as %q, want 40001", got)
	}
	c.must(t, "ROLLBACK")
	c.must(t, "BEGIN")
	if got := code(read); got != "" {
		t.Errorf("the next block fails with %s", got)
	}
	c.must(t, "COMMIT")
	f.wantEqual(t)
}

// play sends a step and returns what comes back.
func (c *client) play(t testing.TB, s step) []reply {
	t.Helper()
	replies, err := c.playStep(s)
	if err != nil {
		t.Fatalf("%v: %v", s, err)
	}
	return replies
}
