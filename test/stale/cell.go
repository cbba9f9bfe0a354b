package stale

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
)

// keys is the number of keys of each kind of cell.
const keys = 4

// schema: a number is in t and part, from where it comes to other tables; in a table for each key
// that is truncated; and in one for each key that is made anew.
const schema = `
CREATE TABLE plain (k int PRIMARY KEY, v int NOT NULL UNIQUE);
CREATE TABLE beside (k int, v int REFERENCES plain (v) ON UPDATE CASCADE);
CREATE VIEW v_plain AS SELECT k, v FROM plain;
CREATE TABLE halves (k int, v int NOT NULL) PARTITION BY LIST (k);
CREATE TABLE half1 PARTITION OF halves FOR VALUES IN (0, 1);
CREATE TABLE half2 PARTITION OF halves FOR VALUES IN (2, 3);
INSERT INTO plain SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO beside SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO halves SELECT i, i FROM generate_series(0, 3) AS i;
CREATE TABLE t (k int PRIMARY KEY, v int NOT NULL UNIQUE);
CREATE TABLE part (k int, v int NOT NULL) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (0, 1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2, 3);
CREATE TABLE follows (k int, v int REFERENCES t (v) ON UPDATE CASCADE);
CREATE TABLE copied (k int PRIMARY KEY, v int);
CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE copied SET v = NEW.v WHERE k = NEW.k; RETURN NEW; END';
CREATE TRIGGER copy AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION copy();
CREATE FUNCTION raise(i int, n int) RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = n WHERE k = i; UPDATE part SET v = n WHERE k = i; END';
CREATE PROCEDURE raise_now(i int, n int) LANGUAGE plpgsql AS 'BEGIN PERFORM raise(i, n); END';
CREATE VIEW v_all AS SELECT t.k, t.v FROM t JOIN part ON part.k = t.k AND part.v = t.v;
CREATE VIEW v_t AS SELECT k, v FROM t;
INSERT INTO copied SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO t SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO part SELECT i, i FROM generate_series(0, 3) AS i;
INSERT INTO follows SELECT i, i FROM generate_series(0, 3) AS i;
DO $$ BEGIN FOR i IN 0 .. 3 LOOP
	EXECUTE format('CREATE TABLE emptied%s (k int, v int)', i);
	EXECUTE format('INSERT INTO emptied%s VALUES (%s, %s)', i, i, i);
	EXECUTE format('CREATE TABLE anew%s (k int, v int)', i);
	EXECUTE format('INSERT INTO anew%s VALUES (%s, %s)', i, i, i);
END LOOP; END $$;
`

// kind is where a cell's number is.
type kind struct {
	name string
	// parts are ways to write $n to key $k: one of each list is done.
	parts [][]way
	// reads bring the number of $k, in every column.
	reads []string
	// mayBeEmpty: a read that has its snapshot from before a write, and gets the table behind it,
	// shows no rows (PostgreSQL, 13.6: TRUNCATE and rewriting are not MVCC-safe).
	mayBeEmpty bool
	// often: it is picked more often than others.
	often bool
}

// way is statements that write a number. One that begins with copyMark is a COPY; behind it
// is its data.
type way []string

const copyMark = "COPY "

var kinds = []kind{
	{
		// Writes of it leave answers from other tables alone.
		name: "plain", often: true,
		parts: [][]way{{
			{"UPDATE plain SET v = $n WHERE k = $k"},
			{"UPDATE v_plain SET v = $n WHERE k = $k"},
			{"MERGE INTO plain USING (VALUES ($k, $n)) AS s (k, n) ON plain.k = s.k WHEN MATCHED THEN UPDATE SET v = s.n"},
			{"WITH u AS (UPDATE plain SET v = $n WHERE k = $k RETURNING v) SELECT * FROM u"},
			{"PREPARE p$u AS UPDATE plain SET v = $1 WHERE k = $2", "EXECUTE p$u($n, $k)", "DEALLOCATE p$u"},
			{"INSERT INTO plain VALUES ($k, $n) ON CONFLICT (k) DO UPDATE SET v = excluded.v"},
		}, {
			{"UPDATE halves SET v = $n WHERE k = $k"},
			{"DELETE FROM halves WHERE k = $k", "INSERT INTO halves VALUES ($k, $n)"},
			{"DELETE FROM halves WHERE k = $k", "COPY halves (k, v) FROM STDIN\n$k\t$n"},
		}},
		reads: []string{
			"SELECT v FROM plain WHERE k = $k", "SELECT v FROM v_plain WHERE k = $k", "SELECT v FROM beside WHERE k = $k", "SELECT max(v), min(v) FROM halves WHERE k = $k",
			"SELECT plain.v, beside.v, halves.v FROM plain JOIN beside USING (k) JOIN halves USING (k) WHERE k = $k",
		},
	},
	{
		name: "spread",
		parts: [][]way{{
			{"UPDATE t SET v = $n WHERE k = $k"},
			{"UPDATE v_t SET v = $n WHERE k = $k"},
			{"MERGE INTO t USING (VALUES ($k, $n)) AS s (k, n) ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.n"},
			{"WITH u AS (UPDATE t SET v = $n WHERE k = $k RETURNING v) SELECT * FROM u"},
			{"PREPARE p$u AS UPDATE t SET v = $1 WHERE k = $2", "EXECUTE p$u($n, $k)", "DEALLOCATE p$u"},
			{"INSERT INTO t VALUES ($k, $n) ON CONFLICT (k) DO UPDATE SET v = excluded.v"},
			{"EXPLAIN (ANALYZE, COSTS off) UPDATE t SET v = $n WHERE k = $k"},
			{"DO 'BEGIN UPDATE t SET v = $n WHERE k = $k; END'"},
		}, {
			{"UPDATE part SET v = $n WHERE k = $k"},
			{"DELETE FROM part WHERE k = $k", "INSERT INTO part VALUES ($k, $n)"},
			{"DELETE FROM part WHERE k = $k", "COPY part (k, v) FROM STDIN\n$k\t$n"},
			{"MERGE INTO part USING (VALUES ($k, $n)) AS s (k, n) ON part.k = s.k WHEN MATCHED THEN UPDATE SET v = s.n"},
			{"SELECT raise($k, $n)"},
			{"CALL raise_now($k, $n)"},
			{addColumn, "UPDATE part SET v = $n WHERE k = $k"},
			{dropColumn, "UPDATE part SET v = $n WHERE k = $k"},
		}},
		reads: []string{
			"SELECT v FROM t WHERE k = $k", "SELECT v FROM part WHERE k = $k", "SELECT max(v), min(v) FROM part WHERE k = $k", "SELECT v FROM follows WHERE k = $k",
			"SELECT v FROM copied WHERE k = $k", "SELECT max(v) FROM v_all WHERE k = $k", "SELECT v FROM v_t WHERE k = $k",
			"SELECT t.v, copied.v, part.v FROM t JOIN copied USING (k) JOIN part USING (k) WHERE k = $k",
			"SELECT v, (SELECT max(v) FROM follows WHERE follows.k = t.k) FROM t WHERE k = $k",
		},
	},
	{
		name: "emptied", mayBeEmpty: true,
		parts: [][]way{{
			{"TRUNCATE emptied$k", "INSERT INTO emptied$k VALUES ($k, $n)"},
			{"TRUNCATE emptied$k", "COPY emptied$k FROM STDIN\n$k\t$n"},
			{"DELETE FROM emptied$k", "INSERT INTO emptied$k SELECT $k, $n"},
			{"UPDATE emptied$k SET v = $n"},
		}},
		reads: []string{"SELECT v FROM emptied$k", "SELECT max(v), min(v) FROM emptied$k"},
	},
	{
		name: "anew", mayBeEmpty: true,
		parts: [][]way{{
			{"DROP TABLE anew$k", "CREATE TABLE anew$k (k int, v int)", "INSERT INTO anew$k VALUES ($k, $n)"},
			{"ALTER TABLE anew$k RENAME TO old$k", "CREATE TABLE anew$k (v int, k int)", "INSERT INTO anew$k (k, v) VALUES ($k, $n)", "DROP TABLE old$k"},
			{"CREATE TABLE new$k AS SELECT $k AS k, $n AS v", "DROP TABLE anew$k", "ALTER TABLE new$k RENAME TO anew$k"},
			{"UPDATE anew$k SET v = $n"},
		}},
		reads: []string{"SELECT v FROM anew$k", "SELECT max(v), min(v) FROM anew$k"},
	},
}

// A column that another proxy drops may still be asked for by a write: two proxies do not tell each other of
// definitions, but for what the cache has to know.
const (
	addColumn  = "ALTER TABLE part ADD COLUMN IF NOT EXISTS more int"
	dropColumn = "ALTER TABLE part DROP COLUMN IF EXISTS more"
)

// cell is one number, with what is known of it.
type cell struct {
	kind *kind
	key  int
	// keepsColumns: no column is dropped.
	keepsColumns bool
	// turn is held by who writes it.
	turn        chan struct{}
	acked, sent atomic.Int64
}

// neverCommitted is added to numbers of transactions that are rolled back.
const neverCommitted = 1_000_000_000

// fill puts numbers in the place of the names in a statement.
func (c *cell) fill(sql string, n int64, unique uint64) string {
	return strings.NewReplacer("$k", fmt.Sprint(c.key), "$n", fmt.Sprint(n), "$u", fmt.Sprint(unique)).Replace(sql)
}

// steps are statements that write n, by ways that are picked.
func (c *cell) steps(r *rand.Rand, n int64) []string {
	var all []string
	unique := r.Uint64()
	for _, ways := range c.kind.parts {
		for _, sql := range ways[r.IntN(len(ways))] {
			if sql == dropColumn && c.keepsColumns {
				continue
			}
			all = append(all, c.fill(sql, n, unique))
		}
	}
	return all
}

// transaction is statements, each one message, that commit n and nothing else.
func (c *cell) transaction(r *rand.Rand, n int64) []string {
	var all []string
	if r.IntN(4) == 0 {
		all = append(append([]string{"BEGIN"}, c.steps(r, n+neverCommitted)...), "ROLLBACK")
	}
	steps := c.steps(r, n)
	if r.IntN(3) == 0 {
		steps = append(append(append([]string{"SAVEPOINT s"}, c.steps(r, n+neverCommitted)...), "ROLLBACK TO s"), steps...)
	} else if len(steps) == 1 && r.IntN(2) == 0 {
		return append(all, steps[0])
	}
	text := strings.Join(steps, "; ")
	if strings.Contains(text, copyMark) || strings.Contains(text, "CALL ") || r.IntN(2) == 0 {
		return append(append(append(all, "BEGIN"), steps...), "COMMIT")
	}
	if strings.Contains(text, "SAVEPOINT") || r.IntN(2) == 0 {
		text = "BEGIN; " + text + "; COMMIT"
	}
	return append(all, text)
}
