package protocol

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// keyTables are tables with one row for each of some keys, and values that may stand for a key.
var keyTables = []struct {
	columns string
	rows    string   // of VALUES
	keys    []string // constants; not all are keys, nor of the type
}{
	{"id int2 PRIMARY KEY, v text", "(1, 'a'), (-1, 'b'), (32767, 'c')", []string{"1", "32767", "32768", "'1'", "' 1 '", "'x'", "01", "2147483648", "1.0"}},
	{"id int4 PRIMARY KEY, v int", "(1, 10), (2147483647, 20)", []string{"1", "7", "2147483647", "2147483648", "99999999999999999999", "'1'", "'2147483648'", "''", "1e0", "1.5", "-1"}},
	{"id int8 PRIMARY KEY, v bool", "(1, true), (9223372036854775807, false), (3000000000, NULL)", []string{"1", "3000000000", "9223372036854775807", "9223372036854775808", "'3000000000'", "'1.0'"}},
	{"id numeric PRIMARY KEY, v numeric(10,2)", "(1, 1), (1.50, 2.5), (12345678901234567890, 3)", []string{"1", "1.5", "1.50", "12345678901234567890", "'1.500'", "'NaN'", "3000000000"}},
	{"id float8 PRIMARY KEY, v float4", "(1, 1.1), (0.1, 'NaN'), ('Infinity', 0)", []string{"1", "0.1", "'Infinity'", "3000000000", "'0.10'"}},
	{"id text PRIMARY KEY, v varchar(5)", "('a', 'x'), ('', 'y'), ('it''s', 'z'), ('é', 'ü')", []string{"'a'", "''", "'it''s'", "'é'", "'A'", "1", "' a'", `'a\'`}},
	{"id varchar(4) PRIMARY KEY, v char(3)", "('ab', 'x')", []string{"'ab'", "'ab  '", "'abcde'", "5"}},
	{"id char(4) PRIMARY KEY, v name", "('ab', 'x')", []string{"'ab'", "'ab  '", "'ab  x'"}},
	{`id "char" PRIMARY KEY, v "char"`, "('a', 'b')", []string{"'a'", "'ab'", "''"}},
	{"id bool PRIMARY KEY, v int", "(true, 1), (false, 0)", []string{"'t'", "'yes'", "'off'", "'maybe'", "1", "true"}},
	{"id date PRIMARY KEY, v time", "('2026-01-02', '10:00')", []string{"'2026-01-02'", "'Jan 2 2026'", "'2.1.2026'", "'today'", "'2026-13-02'", "20260102"}},
	{"id timestamptz PRIMARY KEY, v interval", "('2026-01-02 03:04:05+00', '1 day')", []string{"'2026-01-02 03:04:05+00'", "'2026-01-02 04:04:05+01'", "'epoch'", "'now'"}},
	{"id uuid PRIMARY KEY, v uuid", "('00000000-0000-0000-0000-000000000001', NULL)", []string{"'00000000-0000-0000-0000-000000000001'", "'00000000000000000000000000000001'", "'1'"}},
	{"id bytea PRIMARY KEY, v bytea", `('\x01', '\x02')`, []string{`'\x01'`, `'a'`}},
	{"id inet PRIMARY KEY, v cidr", "('10.0.0.1', '10.0.0.0/8')", []string{"'10.0.0.1'", "'10.0.0.1/32'", "'10'"}},
	{"id int[] PRIMARY KEY, v text[]", "('{1,2}', '{a,b}')", []string{"'{1,2}'", "'{ 1, 2 }'", "'{1'"}},
	{"id int4range PRIMARY KEY, v jsonb", "('[1,3)', '{\"a\": 1}')", []string{"'[1,3)'", "'[1,2]'", "'[3,1]'"}},
	{"id mood PRIMARY KEY, v int", "('sad', 1)", []string{"'sad'", "'happy'", "'none'", "1"}},
	{"id positive PRIMARY KEY, v positive", "(1, 2)", []string{"1", "'1'", "'-1'", "0"}},
	{"id int, n text, v text, PRIMARY KEY (id, n)", "(1, '1', 'x'), (2, '1', 'y')", []string{"1", "'1'", "2", "'z'"}},
	{"id int UNIQUE, v text", "(1, 'x'), (NULL, 'y'), (NULL, 'z')", []string{"1", "NULL", "'1'"}},
	{"id int, v text", "(1, 'x'), (1, 'y'), (1, 'z')", []string{"1", "2"}}, // no key
}

const keyTypes = `CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);`

// autoForms are texts about a table and a key.
var autoForms = []string{
	"SELECT v FROM k%[1]d WHERE id = %[2]s",
	"SELECT * FROM k%[1]d WHERE id = %[2]s;",
	"select k.id, k.v AS other, k.* from public.k%[1]d k where k.id=%[2]s -- comment 7",
	"SELECT v FROM ONLY k%[1]d WHERE (id = %[2]s)",
	"SELECT v, missing FROM k%[1]d WHERE id = %[2]s",
	"SELECT tableoid::regclass, v FROM k%[1]d WHERE id = %[2]s",
	"SELECT v FROM k%[1]d WHERE id = %[2]s AND id = %[2]s",
	"SELECT v FROM view%[1]d WHERE id = %[2]s",
}

// TestAutoPrepareIsInvisible asks for rows by keys of every type, right and wrong, the same
// shapes again and again, and wants the answers of a server that is asked the same texts.
func TestAutoPrepareIsInvisible(t *testing.T) {
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication} {
		t.Run(string(mode), func(t *testing.T) {
			f := newFixtureIn(t, mode, "auto_prepare = on")
			for _, addr := range []string{f.proxyAddr(), f.bareAddr()} {
				c := logIn(t, addr, database)
				c.must(t, keyTypes)
				for i, table := range keyTables {
					c.must(t, fmt.Sprintf("CREATE TABLE k%[1]d (%[2]s); INSERT INTO k%[1]d VALUES %[3]s; CREATE VIEW view%[1]d AS TABLE k%[1]d", i, table.columns, table.rows))
				}
				c.send(t, terminate().bytes)
			}
			f.holders() // standbys have it all
			for seed := range uint64(3) {
				f.check(t, autoSteps(rand.New(rand.NewPCG(seed, 1))))
			}
		})
	}
}

// autoSteps are many reads, with what may get in their way in between.
func autoSteps(random *rand.Rand) []step {
	var steps []step
	for range 60 {
		i := random.IntN(len(keyTables))
		form := autoForms[random.IntN(len(autoForms))]
		for strings.Contains(form, "*") && strings.Contains(keyTables[i].columns, "mood") {
			form = autoForms[random.IntN(len(autoForms))] // two servers give a type two numbers
		}
		around := readBlocks[random.IntN(len(readBlocks))]
		for range 4 {
			keys := keyTables[i].keys
			steps = append(steps, around(ask(fmt.Sprintf(form, i, keys[random.IntN(len(keys))])))...)
		}
		steps = append(steps, autoDisturbances[random.IntN(len(autoDisturbances))]...)
	}
	return steps
}

// readBlocks are as blocks.
var readBlocks = []func(step) []step{
	alone,
	func(s step) []step { return []step{ask("BEGIN"), s, ask("COMMIT")} },
	func(s step) []step { return []step{ask("BEGIN READ ONLY"), s, ask("END")} },
	func(s step) []step {
		return []step{ask("begin transaction isolation level serializable"), ask("SAVEPOINT a"), s, ask("ROLLBACK TO a"), s, ask("ROLLBACK")}
	},
}

var autoDisturbances = [][]step{
	{}, {}, {},
	{ask("DISCARD ALL")},
	{ask("DEALLOCATE ALL")},
	{ask("SELECT name, statement FROM pg_prepared_statements")},
	{ask("SET search_path = pg_catalog"), ask("SELECT v FROM k1 WHERE id = 1"), ask("SELECT v FROM k1 WHERE id = 7"), ask("RESET search_path")},
	{ask("BEGIN"), ask("SELECT v FROM k1 WHERE id = 1"), ask("SELECT v FROM k1 WHERE id = 'x'"), ask("SELECT v FROM k1 WHERE id = 1"), ask("ROLLBACK")},
	{ask("SELECT v FROM k1 WHERE id = 1; SELECT v FROM k1 WHERE id = 'x'")},
	{ready(1, parse("", "SELECT v FROM k1 WHERE id = $1"), bind("", "", "1"), execute("", 0), syncUp()), ask("SELECT v FROM k1 WHERE id = 1"),
		ready(1, bind("", "", "1"), syncUp())},
	{ask("CREATE TEMP TABLE k1 (id int, v int)"), ask("SELECT v FROM k1 WHERE id = 1"), ask("SELECT v FROM k1 WHERE id = 7"), ask("DROP TABLE pg_temp.k1")},
	{ask("SET statement_timeout = '1h'"), ask("SET bytea_output = 'escape'"), ask("SET datestyle = 'German'")},
}

// TestAutoPrepareFollowsTheTable changes what a prepared text reads.
func TestAutoPrepareFollowsTheTable(t *testing.T) {
	f := newFixture(t, "auto_prepare = on")
	read := func(id int) step { return ask(fmt.Sprintf("SELECT * FROM t WHERE id = %d", id)) }
	f.check(t, []step{
		read(1), read(2), read(3), ask("ALTER TABLE t ADD w int DEFAULT 5"), read(1), read(2), read(3),
		ask("ALTER TABLE t ALTER id TYPE text"), read(1), read(2), ask("SELECT * FROM t WHERE id = '2'"), ask("SELECT * FROM t WHERE id = '3'"),
		ask("ALTER TABLE t DROP w, ALTER id TYPE int USING id::int"), read(1), read(2), read(3),
		ask("ALTER TABLE t RENAME TO u"), read(1), read(2), ask("ALTER TABLE u RENAME TO t"), read(1), read(2), read(3),
		ask("ALTER TABLE t DROP CONSTRAINT t_pkey"), ask("INSERT INTO t SELECT 1, 'again ' || i FROM generate_series(1, 3) i"), read(1), read(1), read(1),
		ask("DELETE FROM t WHERE v LIKE 'again%'"), ask("ALTER TABLE t ADD PRIMARY KEY (id)"), read(1), read(2), read(3),
	})
}

// TestReadsByKeyArePrepared looks at what the node that reads was sent.
func TestReadsByKeyArePrepared(t *testing.T) {
	tests := []struct {
		mode config.ClusteringMode
		want int // sessions whose node was sent a statement with a parameter
	}{
		{config.NativeReplication, 1},
		{config.StreamingReplication, 1},
		{config.SnapshotIsolation, 0}, // reads are in blocks of ours
	}
	for _, tt := range tests {
		t.Run(string(tt.mode), func(t *testing.T) {
			f := newFixtureIn(t, tt.mode, "auto_prepare = on")
			c := logIn(t, f.proxyAddr(), database)
			c.must(t, content)
			f.holders() // standbys have it
			for id := range 5 {
				c.must(t, fmt.Sprintf("SELECT v FROM t WHERE id = %d", id))
			}
			prepared := 0
			for _, node := range f.nodes {
				prepared += len(node.Query("SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query = 'SELECT v FROM t WHERE id = $1 '"))
			}
			if prepared != tt.want {
				t.Errorf("%d sessions were sent a parameter, want %d", prepared, tt.want)
			}
		})
	}
}
