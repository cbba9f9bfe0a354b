package protocol

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// blockTexts are a block's statements, about a row of its own for each number.
var blockTexts = []string{
	"INSERT INTO b (id, n, at) VALUES (%d, 1, CURRENT_TIMESTAMP)", "INSERT INTO b (id, n, at) VALUES (10%d, 1, now());", "UPDATE b SET n = n + 5 WHERE id = %d", "DELETE FROM b WHERE id = 10%d",
}

// TestBlocksOfWritesByKeyArePrepared looks at what the nodes were sent by a client that uses nothing but blocks.
func TestBlocksOfWritesByKeyArePrepared(t *testing.T) {
	tests := []struct {
		mode config.ClusteringMode
		want int // nodes that were sent statements with parameters
	}{
		{config.NativeReplication, 3},
		{config.StreamingReplication, 1},
		{config.SnapshotIsolation, 3},
	}
	for _, tt := range tests {
		t.Run(string(tt.mode), func(t *testing.T) {
			f := newFixtureIn(t, tt.mode)
			logIn(t, f.proxyAddr(), database).must(t, "ALTER DATABASE "+database+" SET log_statement = 'mod'")
			c := logIn(t, f.proxyAddr(), database)
			c.must(t, "CREATE TABLE b (id int PRIMARY KEY, n int, at timestamptz)")
			for id := range 6 {
				c.must(t, []string{"BEGIN", "start transaction;", "BEGIN READ WRITE"}[id%3])
				for _, text := range blockTexts {
					c.must(t, fmt.Sprintf(text, id))
				}
				if rows := c.must(t, fmt.Sprintf("SELECT n FROM b WHERE id = %d", id)); fmt.Sprint(rows) != `[["6"]]` {
					t.Errorf("the block reads %v", rows)
				}
				c.must(t, "COMMIT")
			}
			for i, node := range f.holders() {
				want := 0
				if i < tt.want {
					want = len(blockTexts)
				}
				if got := executedWrites(t, node); len(got) != want {
					t.Errorf("node %d has executed %d statements of ours, want %d: %q", i, len(got), want, got)
				}
			}
			f.wantEqual(t)
		})
	}
}

// TestPreparedInsertsHaveTheTimeOfTheBlock: the time of a block is that of its BEGIN, and that of a statement outside its own.
func TestPreparedInsertsHaveTheTimeOfTheBlock(t *testing.T) {
	f := newFixture(t)
	c := logIn(t, f.proxyAddr(), database)
	c.must(t, "CREATE TABLE b (id int PRIMARY KEY, at timestamptz, day date)")
	for id := range 5 {
		c.must(t, "BEGIN")
		for k := range 3 {
			c.must(t, fmt.Sprintf("INSERT INTO b VALUES (%d%d, now(), CURRENT_DATE)", id, k))
		}
		c.must(t, "COMMIT")
		c.must(t, fmt.Sprintf("INSERT INTO b VALUES (%d%d, now(), CURRENT_DATE)", id, 9))
	}
	want := `[["10" "0"]]` // a time for each block and each statement outside
	if rows := c.must(t, "SELECT count(DISTINCT at), count(*) FILTER (WHERE day <> at::date) FROM b"); fmt.Sprint(rows) != want {
		t.Errorf("times and other days are %v, want %s", rows, want)
	}
	f.wantEqual(t)
}

// TestTableHasOutgrownAPreparedRead changes a table where pgchorus does not see it, so that the server refuses what it has
// prepared. Outside of blocks nobody notices, in a block the client is asked to try again.
func TestTableHasOutgrownAPreparedRead(t *testing.T) {
	f := newFixture(t)
	c := logIn(t, f.proxyAddr(), database)
	c.must(t, content)
	const read = "SELECT * FROM t WHERE id = 1"
	for range 3 {
		c.must(t, "BEGIN")
		c.must(t, read)
		c.must(t, "COMMIT")
	}
	f.changeUnseen(t, "ALTER TABLE t ADD extra int DEFAULT 5")
	c.must(t, "BEGIN")
	c.wantCode(t, read, "40001")
	c.wantCode(t, "SELECT 1", "25P02")
	c.must(t, "ROLLBACK")
	for range 4 {
		c.must(t, "BEGIN")
		if rows := c.must(t, read); fmt.Sprint(rows) != `[["1" "row 1" "5"]]` {
			t.Errorf("the row is %v", rows)
		}
		c.must(t, "COMMIT")
	}
	f.changeUnseen(t, "ALTER TABLE t RENAME v TO w")
	const write = "UPDATE t SET extra = 6 WHERE id = 1"
	for range 4 {
		c.must(t, write)
	}
	f.changeUnseen(t, "ALTER TABLE t RENAME extra TO other")
	c.must(t, "BEGIN")
	c.wantCode(t, write, "40001")
	c.must(t, "ROLLBACK")
	c.must(t, "BEGIN")
	c.wantCode(t, write, "42703")
	c.must(t, "ROLLBACK")
	f.changeUnseen(t, "ALTER TABLE t RENAME other TO extra")
	f.changeUnseen(t, "ALTER TABLE t RENAME w TO v")
	f.changeUnseen(t, "ALTER TABLE t DROP extra")
	f.wantEqual(t)
}

// changeUnseen runs DDL on each node, past pgchorus.
func (f *fixture) changeUnseen(t *testing.T, sql string) {
	t.Helper()
	for _, node := range f.nodes {
		logIn(t, nodeAddr(node), database).must(t, sql)
	}
}

// TestCodeHasPreparedStatementsForgotten has code do that in the nodes.
func TestCodeHasPreparedStatementsForgotten(t *testing.T) {
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication} {
		t.Run(string(mode), func(t *testing.T) {
			f := newFixtureIn(t, mode)
			c := logIn(t, f.proxyAddr(), database)
			c.must(t, content)
			c.must(t, "CREATE FUNCTION forget() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN 1; END $$")
			const write = "UPDATE t SET v = 'x' WHERE id = 1"
			block := func(code string) {
				t.Helper()
				c.must(t, "BEGIN")
				if code == "" {
					c.must(t, write)
				} else {
					c.wantCode(t, write, code)
				}
				c.must(t, "COMMIT")
			}
			for range 3 {
				block("")
			}
			c.must(t, "DO 'BEGIN DEALLOCATE ALL; END'")
			block("")
			block("")
			c.must(t, "SELECT forget()")
			block(map[config.ClusteringMode]string{config.StreamingReplication: "40001"}[mode]) // where all nodes run code, it is looked at
			block("")
			block("")
			f.wantEqual(t)
		})
	}
}

// wantCode runs a simple query that has to fail.
func (c *client) wantCode(t testing.TB, sql, code string) {
	t.Helper()
	replies := c.query(t, sql)
	for _, r := range replies {
		if r.kind == 'E' && r.field('C') == code {
			return
		}
	}
	t.Fatalf("%s: %v, want an error with %s", sql, renderings(replies), code)
}

// TestPreparedFollowsOwnDDL changes the table within blocks, and takes that back.
func TestPreparedFollowsOwnDDL(t *testing.T) {
	add, drop, wider := "ALTER TABLE t ADD extra int DEFAULT 5", "ALTER TABLE t DROP extra", "ALTER TABLE t ALTER v TYPE varchar(100)"
	code := func(sql string) string { return "DO 'BEGIN EXECUTE ''" + sql + "''; END'" }
	played := [][]string{
		{"BEGIN", "SAVEPOINT a", add, "ROLLBACK TO a", "COMMIT"}, {"BEGIN", add, "ROLLBACK"}, {"BEGIN", add, "COMMIT"}, {"BEGIN", drop, "COMMIT"},
		{"BEGIN", code(add), "COMMIT"}, {"BEGIN", "SAVEPOINT a", code(drop), "ROLLBACK TO a", "COMMIT"}, {"BEGIN", code(drop), "ROLLBACK", "BEGIN", "COMMIT"},
		{"BEGIN", "SAVEPOINT a", wider, "SELECT 1/0", "ROLLBACK TO a", "COMMIT"},
	}
	var steps []step
	for _, sql := range slices.Concat(played...) {
		steps = append(steps, ask(sql))
		for range 4 { // what was prepared is used, and what is new is prepared
			steps = append(steps, ask("SELECT * FROM t WHERE id = 1"), ask("UPDATE t SET v = 'x' WHERE id = 1"),
				ready(1, run("SELECT * FROM t WHERE id = $1", "1"), syncUp()), ready(1, run("UPDATE t SET v = $1 WHERE id = $2", "y", "1"), syncUp()))
		}
	}
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication} {
		t.Run(string(mode), func(t *testing.T) {
			f := newFixtureIn(t, mode)
			f.check(t, steps)
			f.wantEqualToBare(t)
		})
	}
}
