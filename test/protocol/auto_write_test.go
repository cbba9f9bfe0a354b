package protocol

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// writeTables are tables with a key and a column that is written. %d is the table's number.
var writeTables = []struct {
	columns string
	keys    []string // constants; not all can be one
}{
	{"id int PRIMARY KEY, v int2", integerKeys},
	{"id int PRIMARY KEY, v int4", integerKeys},
	{"id int PRIMARY KEY, v int8", integerKeys},
	{"id int PRIMARY KEY, v numeric", integerKeys},
	{"id int PRIMARY KEY, v numeric(4,1)", integerKeys},
	{"id int PRIMARY KEY, v float4", integerKeys},
	{"id int PRIMARY KEY, v float8", integerKeys},
	{"id int PRIMARY KEY, v oid", integerKeys},
	{"id int PRIMARY KEY, v money", integerKeys},
	{"id int PRIMARY KEY, v bool", integerKeys},
	{"id int PRIMARY KEY, v text DEFAULT 'none'", integerKeys},
	{"id int PRIMARY KEY, v varchar(3)", integerKeys},
	{"id int PRIMARY KEY, v char(3)", integerKeys},
	{"id int PRIMARY KEY, v name", integerKeys},
	{`id int PRIMARY KEY, v "char"`, integerKeys},
	{"id int PRIMARY KEY, v bytea", integerKeys},
	{"id int PRIMARY KEY, v bit(3)", integerKeys},
	{"id int PRIMARY KEY, v varbit(3)", integerKeys},
	{"id int PRIMARY KEY, v date", integerKeys},
	{"id int PRIMARY KEY, v time(0)", integerKeys},
	{"id int PRIMARY KEY, v timestamp(0)", integerKeys},
	{"id int PRIMARY KEY, v timestamptz(3)", integerKeys},
	{"id int PRIMARY KEY, v interval", integerKeys},
	{"id int PRIMARY KEY, v interval minute", integerKeys},
	{"id int PRIMARY KEY, v minutes", integerKeys},
	{"id int PRIMARY KEY, v short", integerKeys},
	{"id int PRIMARY KEY, v positive", integerKeys},
	{"id int PRIMARY KEY, v uuid", integerKeys},
	{"id int PRIMARY KEY, v cidr", integerKeys},
	{"id int PRIMARY KEY, v jsonb", integerKeys},
	{"id int PRIMARY KEY, v int[]", integerKeys},
	{"id int PRIMARY KEY, v varchar(3)[]", integerKeys},
	{"id int PRIMARY KEY, v interval minute[]", integerKeys},
	{"id int PRIMARY KEY, v int4range", integerKeys},
	{"id int PRIMARY KEY, v mood", integerKeys},
	{"id int PRIMARY KEY, v int NOT NULL CHECK (v < 100) UNIQUE", integerKeys},
	{"id int PRIMARY KEY, v int UNIQUE DEFERRABLE INITIALLY DEFERRED", integerKeys},
	{"id int PRIMARY KEY, v int REFERENCES w1 (id)", integerKeys},
	{"id int PRIMARY KEY REFERENCES w1 (id) ON DELETE CASCADE ON UPDATE CASCADE, v text", integerKeys},
	{"id int PRIMARY KEY, v int GENERATED ALWAYS AS (id + 1) STORED", integerKeys},
	{"id int PRIMARY KEY, v text CHECK (loud(v) IS NOT NULL)", integerKeys},
	{"id int PRIMARY KEY, v text, CHECK (loud(v) <> 'x')", integerKeys},
	{"id int8 PRIMARY KEY, v text", []string{"1", "3000000000", "9223372036854775807", "-3000000000", "'3000000000'"}},
	{"id int2 PRIMARY KEY, v text", []string{"1", "-1", "32767", "32768", "-32768", "'1'"}},
	{"id numeric PRIMARY KEY, v text", []string{"1", "1.5", "-1.50", "1.500", ".5", "1e1", "3000000000"}},
	{"id text PRIMARY KEY, v text", []string{"'a'", "''", "'it''s'", "'é'", "1", `'a\'`}},
	{"id varchar(2) PRIMARY KEY, v text", []string{"'a'", "'ab  '", "'abc'", "''"}},
	{"id char(2) PRIMARY KEY, v text", []string{"'a'", "'ab  '", "'abc'", "'a '"}},
	{"id date PRIMARY KEY, v text", []string{"'2026-01-02'", "'2.1.2026'", "'2026-13-02'"}},
	{"id oid PRIMARY KEY, v text", []string{"1", "3000000000", "5000000000", "-1", "'7'"}},
	{"id positive PRIMARY KEY, v text", []string{"1", "'1'", "-1", "'-1'"}},
	{"id int, n oid, v text, PRIMARY KEY (id, n)", integerKeys},
	{"id int, v text", integerKeys}, // no key
}

var integerKeys = []string{"1", "2", "3", "4", "2147483647", "2147483648", "-2147483648", "'1'", "'x'", "-1", "- 2", "1.5", "007"}

// writeValues are constants, a group of which is tried one after the other.
var writeValues = [][]string{
	{"1", "0", "99", "100", "32767", "32768", "2147483647", "007"},
	{"-1", "- 5", "-32768", "-32769", "-2147483647", "+1", "- -1"},
	{"2147483648", "3000000000", "5000000000", "999999999999999999", "9223372036854775807", "9223372036854775808"},
	{"-2147483648", "-2147483649", "-002147483648", "-999999999999999999", "-9223372036854775808"},
	{"1.5", "-1.50", "1.005", ".5", "1.", "999.95", "9999.9", "-0.0", "1e3", "123456789012345678901234567890.1"},
	{"'1'", "' 1 '", "'-5'", "'32768'", "'1.5'", "'NaN'", "'Infinity'", "'x'"},
	{"'ab'", "'abc'", "'abcd'", "'ab  '", "'abc  '", "''", "'it''s'", "'é'", `'a\b'`, "'true'"},
	{"'1 day'", "'5'", "'10:00:00.6'", "'2026-01-02'", "'2026-01-02 03:04:05.6'", "'epoch'", "'1:02'", "'P1D'"},
	{"'{1,2}'", "'{abcd}'", "'{5}'", `'{"a": 1}'`, "'[1,3)'", "'[3,1]'", "'{'", "'sad'", "'happy'", "'none'"},
	{"'101'", "'1010'", "'10'", "'2'", `'\x01'`, "'10.0.0.0/8'", "'00000000-0000-0000-0000-000000000001'"},
	{"NULL", "true", "false", "DEFAULT", "NULL", "true"},
	{"B'101'", "E'a\\nb'", "$$x$$", "X'1F'", `U&'\0061'`, "1::int2", "lower('A')", "(1)", "(-1)"},
}

// writeForms are texts about a table, a key and a value.
var writeForms = []string{
	"INSERT INTO w%[1]d VALUES (%[2]s, %[3]s)",
	"INSERT INTO w%[1]d (v, id) VALUES (%[3]s, %[2]s);",
	"INSERT INTO w%[1]d (id, v) VALUES (%[2]s, %[3]s) -- comment 7",
	"INSERT INTO w%[1]d (id) VALUES (%[2]s)",
	"INSERT INTO w%[1]d AS x (id, v, v) VALUES (%[2]s, %[3]s, %[3]s)",
	"INSERT INTO w%[1]d (id, v) VALUES (%[2]s, %[3]s) ON CONFLICT DO NOTHING",
	"INSERT INTO w%[1]d (id, v) VALUES (%[2]s, %[3]s), (77, NULL)",
	"INSERT INTO w%[1]d (id, v) VALUES (%[2]s, %[3]s) RETURNING v",
	"UPDATE w%[1]d SET v = %[3]s WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = %[3]s WHERE id = %[2]s",
	"UPDATE w%[1]d SET v=%[3]s WHERE id=%[2]s",
	"update only public.w%[1]d as x set id = %[2]s, v = %[3]s where x.id = %[2]s",
	"UPDATE w%[1]d SET v = v + %[3]s WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = v - %[3]s WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = %[3]s * v WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = v / %[3]s WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = v %% %[3]s WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = v || %[3]s WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = %[3]s || v WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = v + v * %[3]s - id WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = %[3]s / 0 WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = %[3]s WHERE id = %[2]s AND v = %[3]s",
	"UPDATE w%[1]d SET v = %[3]s, id = id WHERE id = %[2]s RETURNING id",
	"UPDATE w%[1]d SET v = %[3]s, missing = 1 WHERE id = %[2]s",
	"UPDATE w%[1]d SET v = id WHERE id = %[2]s",
	"DELETE FROM w%[1]d WHERE id = %[2]s",
	"DELETE FROM w%[1]d AS x WHERE x.id = %[2]s AND v = %[3]s",
	"DELETE FROM w%[1]d WHERE id = %[2]s OR id = 3",
	"SELECT v FROM w%[1]d WHERE id = %[2]s AND v = %[3]s",
	"SELECT id, v FROM w%[1]d WHERE id = %[2]s",
}

const writeTypes = `CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN minutes AS interval minute; CREATE DOMAIN short AS varchar(3)`

// TestPreparedWritesAreInvisible writes rows by keys and values of every type, right and wrong,
// the same shapes again and again, and wants the answers of a server that is given the same
// texts, and its rows.
func TestPreparedWritesAreInvisible(t *testing.T) {
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication} {
		t.Run(string(mode), func(t *testing.T) {
			checkWrites(t, newFixtureIn(t, mode, "auto_prepare = on"), func(seed uint64) []step { return writeSteps(rand.New(rand.NewPCG(seed, 2))) })
		})
	}
}

// checkWrites makes the tables, plays the steps of each seed, and compares answers and rows with the server's that
// stands alone.
func checkWrites(t *testing.T, f *fixture, steps func(seed uint64) []step) {
	t.Helper()
	for _, addr := range []string{f.proxyAddr(), f.bareAddr()} {
		c := logIn(t, addr, database)
		c.must(t, writeTypes)
		for i, table := range writeTables {
			c.must(t, fmt.Sprintf("CREATE TABLE w%d (%s)", i, table.columns))
		}
		c.send(t, terminate().bytes)
	}
	for seed := range uint64(writeSeeds) {
		f.check(t, steps(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	f.wantQuiet(t)
	f.wantEqualToBare(t)
}

// writeSeeds is how many sessions write; each repeats its shapes.
const writeSeeds = 3

// writeSteps are many writes, with what may get in their way in between.
func writeSteps(random *rand.Rand) []step {
	var steps []step
	for range 60 {
		i := random.IntN(len(writeTables))
		form := writeForms[random.IntN(len(writeForms))]
		values := writeValues[random.IntN(len(writeValues))]
		keys := writeTables[i].keys
		around := blocks[random.IntN(len(blocks))]
		for range 6 {
			key := keys[random.IntN(len(keys))]
			if random.IntN(2) == 0 {
				key = keys[0]
			}
			if strings.Contains(key, `\`) && strings.Contains(form, " OR ") {
				continue // without standard_conforming_strings it is no string, and the error names what we have added
			}
			steps = append(steps, around(ask(fmt.Sprintf(form, i, key, values[random.IntN(len(values))])))...)
		}
		steps = append(steps, writeDisturbances[random.IntN(len(writeDisturbances))]...)
	}
	return append(steps, ask("RESET ALL"))
}

// blocks put a statement, which may fail, into a block or not.
var blocks = []func(step) []step{
	alone, alone,
	func(s step) []step { return []step{ask("BEGIN"), s, ask("COMMIT")} },
	func(s step) []step {
		return []step{ask("START TRANSACTION"), ask("INSERT INTO w1 VALUES (-9, 9)"), s, ask("END")}
	},
	func(s step) []step {
		return []step{ask("BEGIN ISOLATION LEVEL REPEATABLE READ"), ask("DELETE FROM w1 WHERE id = -9"), ask("SAVEPOINT a"), s, ask("ROLLBACK TO a"), s, ask("COMMIT")}
	},
}

func alone(s step) []step { return []step{s} }

func asks(texts ...string) []step {
	var steps []step
	for _, text := range texts {
		steps = append(steps, ask(text))
	}
	return steps
}

var writeDisturbances = [][]step{
	{}, {}, {}, {}, {}, {},
	asks("DISCARD ALL"),
	asks("DEALLOCATE ALL"),
	asks("SELECT name, statement FROM pg_prepared_statements"),
	asks("SET standard_conforming_strings = off", "SET escape_string_warning = off"),
	asks("RESET standard_conforming_strings"),
	asks("SET client_encoding = 'LATIN1'"), asks("RESET client_encoding"),
	asks("SET datestyle = 'German'", "SET bytea_output = 'escape'", "SET intervalstyle = 'iso_8601'"),
	asks("SET extra_float_digits = 0", "SET timezone = 'Asia/Tokyo'"),
	asks("SET statement_timeout = '1h'", "SET lock_timeout = '1h'"),
	asks("SET default_transaction_read_only = on", "UPDATE w1 SET v = 1 WHERE id = 1", "UPDATE w1 SET v = 2 WHERE id = 1",
		"UPDATE w1 SET v = 3 WHERE id = 1", "RESET default_transaction_read_only"),
	asks("SET default_transaction_isolation = 'repeatable read'"), asks("RESET default_transaction_isolation"),
	asks("SET plan_cache_mode = force_generic_plan"), asks("SET plan_cache_mode = force_custom_plan"),
	asks("SET search_path = pg_catalog", "UPDATE w1 SET v = 1 WHERE id = 1", "UPDATE w1 SET v = 2 WHERE id = 1", "RESET search_path", "UPDATE w1 SET v = 3 WHERE id = 1"),
	// Code that has statements of ours forgotten.
	asks("DO 'BEGIN DEALLOCATE ALL; END'"), asks("BEGIN", "DO 'BEGIN DEALLOCATE ALL; END'", "UPDATE w1 SET v = 1 WHERE id = 1", "UPDATE w1 SET v = 2 WHERE id = 1", "COMMIT"),
	asks("BEGIN", "UPDATE w1 SET v = 1 WHERE id = 1", "UPDATE w1 SET v = 2 WHERE id = 1", "UPDATE w1 SET v = 'x' WHERE id = 1", "UPDATE w1 SET v = 2 WHERE id = 1", "ROLLBACK"),
	asks("UPDATE w1 SET v = 1 WHERE id = 1; UPDATE w1 SET v = 'x' WHERE id = 1"),
	{ready(1, parse("", "UPDATE w1 SET v = $2 WHERE id = $1"), bind("", "", "1", "5"), execute("", 0), syncUp()), ask("UPDATE w1 SET v = 1 WHERE id = 1"),
		ready(1, bind("", "", "1", "6"), syncUp())},
	asks("CREATE TEMP TABLE w1 (id int, v int)", "UPDATE w1 SET v = 1 WHERE id = 1", "UPDATE w1 SET v = 2 WHERE id = 1", "DROP TABLE pg_temp.w1", "DISCARD ALL"),
	// The table changes under the statements.
	asks("ALTER TABLE w1 ADD extra int DEFAULT 5", "UPDATE w1 SET v = 1 WHERE id = 1", "INSERT INTO w1 VALUES (55, 1, 1)", "DELETE FROM w1 WHERE id = 55", "ALTER TABLE w1 DROP extra"),
	asks("ALTER TABLE w2 ALTER v TYPE text", "UPDATE w2 SET v = 'x' WHERE id = 1", "UPDATE w2 SET v = 'y' WHERE id = 1", "UPDATE w2 SET v = NULL WHERE id = 1", "ALTER TABLE w2 ALTER v TYPE int8 USING NULL"),
	asks("UPDATE w18 SET v = '2026-01-02' WHERE id = 1", "UPDATE w18 SET v = '2026-01-03' WHERE id = 1", "ALTER TABLE w18 ALTER v TYPE timestamp", "UPDATE w18 SET v = '2026-01-02 10:00' WHERE id = 1",
		"UPDATE w18 SET v = '2026-01-03 11:00' WHERE id = 1", "SELECT v FROM w18 WHERE id = 1 AND v = '2026-01-03 11:00'", "SELECT v FROM w18 WHERE id = 1 AND v = '2026-01-03 11:00'", "ALTER TABLE w18 ALTER v TYPE date",
		"SELECT v FROM w18 WHERE id = 1 AND v = '2026-01-03 11:00'", "SELECT v FROM w18 WHERE id = 1"),
	asks("UPDATE w1 SET v = '1' WHERE id = 1", "UPDATE w1 SET v = '2' WHERE id = 1", "ALTER TABLE w1 ALTER v TYPE text", "UPDATE w1 SET v = '007' WHERE id = 1", "UPDATE w1 SET v = '008' WHERE id = 1",
		"SELECT v FROM w1 WHERE id = 1", "ALTER TABLE w1 ALTER v TYPE int USING v::int"),
	asks("ALTER TABLE w3 RENAME TO w3x", "UPDATE w3 SET v = 1 WHERE id = 1", "UPDATE w3 SET v = 1 WHERE id = 2", "ALTER TABLE w3x RENAME TO w3"),
	asks("CREATE RULE twice AS ON UPDATE TO w5 DO ALSO UPDATE w6 SET v = new.v WHERE id = new.id", "UPDATE w5 SET v = 1 WHERE id = 1", "UPDATE w5 SET v = 2 WHERE id = 1", "DROP RULE twice ON w5"),
	asks("CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', TG_OP; RETURN new; END'",
		"CREATE TRIGGER told BEFORE UPDATE ON w6 FOR EACH ROW EXECUTE FUNCTION told()", "UPDATE w6 SET v = 1 WHERE id = 1", "UPDATE w6 SET v = 2 WHERE id = 1", "UPDATE w6 SET v = 3 WHERE id = 1",
		"DROP FUNCTION told CASCADE"),
}

// TestWritesByKeyArePrepared looks at what the nodes were sent.
func TestWritesByKeyArePrepared(t *testing.T) {
	tests := []struct {
		mode config.ClusteringMode
		want int // nodes that were sent a statement with a parameter
	}{
		{config.NativeReplication, 3},
		{config.StreamingReplication, 1},
		{config.Raw, 1},
		{config.SnapshotIsolation, 0}, // writes are in blocks with a snapshot of ours
	}
	for _, tt := range tests {
		t.Run(string(tt.mode), func(t *testing.T) {
			f := newFixtureIn(t, tt.mode, "auto_prepare = on")
			logIn(t, f.proxyAddr(), database).must(t, "ALTER DATABASE "+database+" SET log_statement = 'mod'")
			c := logIn(t, f.proxyAddr(), database)
			c.must(t, content)
			c.must(t, filledTable)
			for _, text := range slices.Concat(preparedWrites, filledWrites) {
				for id := range 4 {
					c.must(t, fmt.Sprintf(text, id+1))
				}
			}
			for i, node := range f.holders() {
				want := 0
				if i < tt.want {
					want = len(preparedWrites)
				}
				if tt.mode == config.NativeReplication {
					want += len(filledWrites)
				}
				if got := executedWrites(t, node); len(got) != want {
					t.Errorf("node %d has executed %d statements of ours, want %d: %q", i, len(got), want, got)
				}
			}
			if tt.mode != config.Raw {
				f.wantEqual(t)
			}
		})
	}
}

// preparedWrites are texts about a row of table t.
var preparedWrites = []string{
	"INSERT INTO t VALUES (10%d, 'x')", "INSERT INTO t (v, id) VALUES (NULL, 20%d)", "UPDATE t SET v = 'y' WHERE id = 10%d", "UPDATE t SET v = v || id WHERE id = 10%d",
	"UPDATE t SET id = id + -50 WHERE id = 20%d", "DELETE FROM t WHERE id = 10%d", "UPDATE ONLY public.t AS x SET v = NULL WHERE x.id = %d",
}

// filledTable is filled with what nodes would compute for themselves. Where PostgreSQL replicates, a second attempt would
// compute it again, so that it is not prepared there.
const filledTable = `CREATE SEQUENCE numbers; CREATE TABLE filled (id serial, v int, b bigserial, s smallserial, i int GENERATED BY DEFAULT AS IDENTITY, a int GENERATED ALWAYS AS IDENTITY,
	n text DEFAULT 'N' || nextval('numbers')::text, at timestamptz DEFAULT now(), day date DEFAULT CURRENT_DATE, u uuid DEFAULT gen_random_uuid(), r float8 DEFAULT random(), c int DEFAULT 5)`

var filledWrites = []string{
	"INSERT INTO filled (v) VALUES (%d)", "INSERT INTO filled (v, id, b, s, i, a) VALUES (%d, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT)", "INSERT INTO filled VALUES (DEFAULT, %d)",
	"INSERT INTO filled (at, v, u, c) VALUES (DEFAULT, %d, DEFAULT, DEFAULT)",
}

// executedWrites are the prepared statements with a parameter that a node's log tells of.
func executedWrites(t *testing.T, node *pgtest.Node) []string {
	t.Helper()
	log, err := os.ReadFile(node.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range executed.FindAllSubmatch(log, -1) {
		found[string(m[1])] = true
	}
	return slices.Sorted(maps.Keys(found))
}

var executed = regexp.MustCompile(`execute pgchorus_auto_\d+: ((?:INSERT|UPDATE|DELETE) .*\$1 .*)`)

// TestPreparedWriteMeetsAlterTable has a statement wait for a change of its column's type. A
// parameter of the type of before would lose the hour.
func TestPreparedWriteMeetsAlterTable(t *testing.T) {
	f := newFixture(t)
	c, other := logIn(t, f.proxyAddr(), database), logIn(t, f.proxyAddr(), database)
	c.must(t, "CREATE TABLE d (id int PRIMARY KEY, v date); INSERT INTO d VALUES (1, NULL)")
	for range 3 {
		c.must(t, "UPDATE d SET v = '2026-01-02' WHERE id = 1")
	}
	// Main has changed the table, and another node has not: nobody knows of it yet.
	reader := logIn(t, nodeAddr(f.nodes[2]), database)
	reader.must(t, "BEGIN")
	reader.must(t, "TABLE d")
	other.must(t, "BEGIN")
	other.send(t, query("ALTER TABLE d ALTER v TYPE timestamp").bytes)
	const waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
	f.nodes[2].WaitRows(waiting, "1")
	c.send(t, query("UPDATE d SET v = '2026-01-02 10:00' WHERE id = 1").bytes)
	f.nodes[0].WaitRows(waiting, "1")
	reader.must(t, "COMMIT")
	if _, err := other.readUntil('Z', 1); err != nil {
		t.Fatal(err)
	}
	other.must(t, "COMMIT")
	if _, err := c.readUntil('Z', 1); err != nil {
		t.Fatal(err)
	}
	if rows := c.must(t, "SELECT v FROM d"); fmt.Sprint(rows) != `[["2026-01-02 10:00:00"]]` {
		t.Errorf("the row is %v", rows)
	}
	f.wantEqual(t)
}

// TestPreparedStatementsFollowSearchPath has a name mean tables of other types.
func TestPreparedStatementsFollowSearchPath(t *testing.T) {
	f := newFixture(t)
	steps := asks("CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE a.d (id int PRIMARY KEY, v date)", "CREATE TABLE b.d (id int PRIMARY KEY, v timestamp)",
		"INSERT INTO a.d VALUES (1, '2026-01-01')", "INSERT INTO b.d VALUES (1, '2026-01-01 09:00')")
	for i := range 6 {
		steps = append(steps, asks("SET search_path = "+[]string{"a", "b"}[i%2])...)
		for range 3 {
			steps = append(steps, asks(fmt.Sprintf("UPDATE d SET v = '2026-01-0%d 10:00' WHERE id = 1", i+1), "SELECT v FROM d WHERE id = 1",
				fmt.Sprintf("SELECT id FROM d WHERE id = 1 AND v = '2026-01-0%d 10:00'", i+1))...)
		}
	}
	f.check(t, steps)
	f.wantEqualToBare(t)
}
