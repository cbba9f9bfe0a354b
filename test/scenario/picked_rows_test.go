package scenario

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pgchorus/pgchorus/internal/config"
)

// tellings are what the log says when nodes may differ.
var tellings = []string{"statement may have another effect on each node", "nodes may compute a value differently", "nodes may pick rows differently"}

// pickedSchema is what picked statements are played in: the rows of src lie in another order on
// each node, so that nodes that pick for themselves pick others.
const pickedSchema = `CREATE SCHEMA $s; SET search_path = $s; CREATE TABLE src (k int, v text, at timestamptz DEFAULT '2026-01-01', f float8 DEFAULT 0.1);
	CREATE TABLE dst (k int, v text); CREATE TABLE keyed (k int PRIMARY KEY, v text, f float8); CREATE TABLE moments (k int, at tstzrange); INSERT INTO keyed SELECT g, 'x' FROM generate_series(1, 40) g; INSERT INTO dst SELECT g, 'x' FROM generate_series(1, 40) g; `

// misplaced fills src on one node, past pgchorus.
func misplaced(node int) string {
	return fmt.Sprintf("INSERT INTO $s.src (k, v) SELECT (g * %d) %% 41, 'v' || (g * %[1]d) %% 41 FROM generate_series(1, 40) g", []int{1, 7, 30}[node])
}

type pickedCase struct {
	name  string
	setup string // besides pickedSchema
	// before is run by the session in front of the statement.
	before, sql string
}

var pickedCases = []pickedCase{
	{"into a table without a key", "", "", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"into a table with a key", "CREATE TABLE t (k int PRIMARY KEY, v text)", "", "INSERT INTO t SELECT k, v FROM src LIMIT 3"},
	{"by chance", "", "", "INSERT INTO dst SELECT k, v FROM src ORDER BY random() LIMIT 3"},
	{"from a sample", "", "", "INSERT INTO dst SELECT k, v FROM src TABLESAMPLE BERNOULLI (50) LIMIT 3"},
	{"without the right to read the target", "CREATE ROLE blind_$s; GRANT USAGE ON SCHEMA $s TO blind_$s; GRANT INSERT ON dst TO blind_$s; GRANT SELECT ON src TO blind_$s", "SET ROLE blind_$s", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"without the right to read the target, alone", "CREATE ROLE blind_$s; GRANT USAGE ON SCHEMA $s TO blind_$s; GRANT INSERT, UPDATE ON dst TO blind_$s; GRANT SELECT, UPDATE ON src TO blind_$s", "SET ROLE blind_$s", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"update without a key", "", "", "UPDATE dst SET v = 'y' WHERE k IN (SELECT k FROM src LIMIT 3)"},
	{"update with a key", "", "", "UPDATE keyed SET v = 'y' WHERE k IN (SELECT k FROM src LIMIT 3)"},
	{"update of a key", "", "", "UPDATE keyed SET k = k + 100 WHERE k IN (SELECT k FROM src LIMIT 3)"},
	{"delete without a key", "", "", "DELETE FROM dst WHERE k IN (SELECT k FROM src LIMIT 3)"},
	{"update from", "", "", "UPDATE dst SET v = s.v FROM src s"},
	{"update from with a key", "", "", "UPDATE keyed SET v = s.v FROM src s"},
	{"merge", "", "", "MERGE INTO dst USING (SELECT k, v FROM src LIMIT 3) s ON dst.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v"},
	{"merge that inserts", "", "", "MERGE INTO dst USING (SELECT k + 100 AS k, v FROM src LIMIT 3) s ON dst.k = s.k WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v)"},
	{"several targets", "CREATE TABLE t (k int, v text)", "", "WITH x AS (INSERT INTO t SELECT k, v FROM src LIMIT 3 RETURNING k, v) INSERT INTO dst SELECT * FROM x"},
	{"create table as", "", "", "CREATE TABLE made AS SELECT k, v FROM src LIMIT 3"},
	{"select into", "", "", "SELECT k, v INTO made FROM src LIMIT 3"},
	{"create materialized view", "", "", "CREATE MATERIALIZED VIEW made AS SELECT k, v FROM src LIMIT 3"},
	{"explain analyze", "", "", "EXPLAIN ANALYZE INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"execute", "", "PREPARE p AS INSERT INTO dst SELECT k, v FROM src LIMIT 3", "EXECUTE p"},
	{"execute with a key", "", "PREPARE p AS UPDATE keyed SET v = 'y' WHERE k IN (SELECT k FROM src LIMIT 3)", "EXECUTE p"},
	{"execute that returns", "", "PREPARE p AS INSERT INTO dst SELECT k, v FROM src LIMIT 3 RETURNING k", "EXECUTE p"},
	{"execute by chance", "", "PREPARE p AS INSERT INTO dst SELECT k, v FROM src ORDER BY random() LIMIT 3", "EXECUTE p"},
	{"execute of chance", "", "PREPARE p AS INSERT INTO dst SELECT (random() * 1000000)::int, v FROM src", "EXECUTE p"},
	{"explain analyze execute", "", "PREPARE p AS INSERT INTO dst SELECT k, v FROM src LIMIT 3", "EXPLAIN ANALYZE EXECUTE p"},
	{"create table as execute", "", "PREPARE p AS SELECT k, v FROM src LIMIT 3", "CREATE TABLE made AS EXECUTE p"},
	{"do", "", "", "DO $$ BEGIN INSERT INTO $s.dst SELECT k, v FROM $s.src LIMIT 3; END $$"},
	{"do in a loop", "", "", "DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM $s.src LIMIT 3 LOOP INSERT INTO $s.dst VALUES (r.k, r.v); END LOOP; END $$"},
	{"do dynamic", "", "", "DO $$ BEGIN EXECUTE 'INSERT INTO $s.dst SELECT k, v FROM $s.src LIMIT 3'; END $$"},
	{"function", "CREATE FUNCTION pick() RETURNS void LANGUAGE sql AS 'INSERT INTO $s.dst SELECT k, v FROM $s.src LIMIT 3'", "", "SELECT pick()"},
	{"function that picks for an update", "CREATE FUNCTION pick() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT k FROM $s.src LIMIT 1); END $$", "", "UPDATE keyed SET v = 'y' WHERE k = pick()"},
	{"stable function that picks for an insert", "CREATE FUNCTION pick() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT k FROM $s.src LIMIT 1); END $$", "", "INSERT INTO keyed VALUES (pick() + 1000)"},
	{"stable function in SQL", "CREATE FUNCTION pick() RETURNS SETOF $s.src STABLE LANGUAGE sql AS 'SELECT * FROM $s.src LIMIT 3'", "", "INSERT INTO dst SELECT k, v FROM pick()"},
	{"call", "CREATE PROCEDURE pick() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO $s.dst SELECT k, v FROM $s.src LIMIT 3; END $$", "", "CALL pick()"},
	{"copy of what is returned", "", "", "COPY (INSERT INTO dst SELECT k, v FROM src LIMIT 3 RETURNING k) TO STDOUT"},
	{"another encoding", "", "SET client_encoding = latin1", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"dates in another style", "", "SET DateStyle = 'SQL, DMY'", "INSERT INTO moments SELECT k, tstzrange(at, null) FROM src LIMIT 3"},
	{"floats with fewer digits", "", "SET extra_float_digits = 0", "INSERT INTO keyed SELECT k + 100, v, f FROM src LIMIT 3"},
	{"a trigger behind", "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE $s.keyed SET v = 'n' WHERE k = NEW.k; RETURN NULL; END $$; CREATE TRIGGER note AFTER INSERT ON dst FOR EACH ROW EXECUTE FUNCTION note()", "", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"a trigger in front", "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := upper(NEW.v); RETURN NEW; END $$; CREATE TRIGGER note BEFORE INSERT ON dst FOR EACH ROW EXECUTE FUNCTION note()", "", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"a rule", "CREATE RULE also AS ON INSERT TO dst DO ALSO UPDATE keyed SET v = 'r' WHERE keyed.k = NEW.k", "", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"a view", "CREATE VIEW shown AS SELECT * FROM dst", "", "INSERT INTO shown SELECT k, v FROM src LIMIT 3"},
	{"row security", "CREATE ROLE some_$s; GRANT USAGE ON SCHEMA $s TO some_$s; GRANT ALL ON ALL TABLES IN SCHEMA $s TO some_$s; ALTER TABLE dst ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON dst USING (k > 0)", "SET ROLE some_$s", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"a late key", "CREATE TABLE t (k int UNIQUE DEFERRABLE INITIALLY DEFERRED, v text)", "", "INSERT INTO t SELECT k, v FROM src LIMIT 3"},
	{"a child table", "CREATE TABLE child () INHERITS (dst)", "", "UPDATE dst SET v = 'y' WHERE k IN (SELECT k FROM src LIMIT 3)"},
	{"partitions", "CREATE TABLE t (k int, v text) PARTITION BY RANGE (k); CREATE TABLE t1 PARTITION OF t DEFAULT", "", "INSERT INTO t SELECT k, v FROM src LIMIT 3"},
	{"on conflict", "", "", "INSERT INTO keyed (k, v) SELECT k, v FROM src LIMIT 3 ON CONFLICT (k) DO UPDATE SET v = excluded.v"},
	{"on conflict do nothing", "CREATE TABLE t (k int PRIMARY KEY, v text)", "", "INSERT INTO t SELECT k, v FROM src LIMIT 3 ON CONFLICT DO NOTHING"},
	{"a serial", "CREATE TABLE t (id serial, v text)", "", "INSERT INTO t (v) SELECT v FROM src"},
	{"a serial key", "CREATE TABLE t (id serial PRIMARY KEY, v text)", "", "INSERT INTO t (v) SELECT v FROM src LIMIT 3"},
	{"an identity", "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, v text)", "", "INSERT INTO t (v) SELECT v FROM src"},
	{"nextval", "CREATE SEQUENCE n", "", "INSERT INTO dst SELECT nextval('n'), v FROM src"},
	{"nextval by key", "CREATE SEQUENCE n", "", "UPDATE dst SET k = nextval('n') WHERE v = 'x'"},
	{"row numbers", "", "", "INSERT INTO dst SELECT row_number() OVER (), v FROM src"},
	{"distinct on", "", "", "INSERT INTO dst SELECT DISTINCT ON (k % 2) k, v FROM src"},
	{"an aggregate in order", "", "", "INSERT INTO dst SELECT 1, string_agg(v, ',') FROM src"},
	{"an array of rows", "", "", "INSERT INTO dst SELECT 1, array(SELECT k FROM src)::text"},
	{"an array of rows in VALUES", "", "", "INSERT INTO dst VALUES (1, array(SELECT k FROM src)::text)"},
	{"an array of rows by key", "", "", "UPDATE keyed SET v = array(SELECT k FROM src)::text WHERE k = 1"},
	{"an aggregate of a user's", "CREATE AGGREGATE joined(text) (sfunc = textcat, stype = text, initcond = '')", "", "INSERT INTO dst SELECT 1, joined(v) FROM src"},
	{"a sum of floats", "", "", "INSERT INTO keyed SELECT 1000, 'x', sum(f * k) FROM src"},
	{"first row by ctid", "", "", "INSERT INTO dst SELECT k, v FROM src WHERE ctid = '(0,1)'"},
	{"xmin", "", "", "INSERT INTO dst SELECT k, xmin::text FROM src"},
	{"a temporary table", "", "CREATE TEMP TABLE picked AS SELECT k, v FROM src LIMIT 3", "INSERT INTO dst SELECT * FROM picked"},
	{"a cursor", "", "BEGIN; DECLARE c CURSOR FOR SELECT * FROM dst; MOVE 3 IN c", "DELETE FROM dst WHERE CURRENT OF c"},
	{"behind a savepoint under one snapshot", "", "BEGIN ISOLATION LEVEL REPEATABLE READ; SAVEPOINT a", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"behind SET under one snapshot", "", "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL work_mem = '1MB'", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"in a block", "", "BEGIN", "INSERT INTO dst SELECT k, v FROM src LIMIT 3"},
	{"in a block behind DDL", "", "BEGIN; CREATE TABLE fresh (k int, v text)", "INSERT INTO fresh SELECT k, v FROM src LIMIT 3"},
	{"more rows than are captured", "CREATE TABLE many AS SELECT g AS k, 'v' AS v FROM generate_series(1, 3000) g", "INSERT INTO many SELECT k + 10000, v FROM src", "INSERT INTO dst SELECT k, v FROM many ORDER BY k / 20 LIMIT 2045"},
	{"more rows than are captured without a digest", "CREATE VIEW shown AS SELECT * FROM dst; CREATE TABLE many AS SELECT g AS k, 'v' AS v FROM generate_series(1, 3000) g", "", "INSERT INTO shown SELECT k, v FROM many ORDER BY random() LIMIT 2045"},
}

// way is how a statement is sent.
type way struct {
	name string
	send func(t testing.TB, conn *pgx.Conn, sql string) error
}

var ways = []way{
	{"simple", func(t testing.TB, conn *pgx.Conn, sql string) error { _, err := rowsOf(conn, sql); return err }},
	{"extended", func(t testing.TB, conn *pgx.Conn, sql string) error {
		return conn.PgConn().ExecParams(bounded(t), sql, nil, nil, nil, nil).Read().Err
	}},
	{"in a pipeline behind a read", func(t testing.TB, conn *pgx.Conn, sql string) error {
		return piped(t, conn, "SELECT count(*) FROM src", sql)
	}},
	{"in a pipeline behind a write", func(t testing.TB, conn *pgx.Conn, sql string) error {
		return piped(t, conn, "INSERT INTO keyed (k) VALUES (500)", sql)
	}},
	{"in part", inPart},
}

// piped sends two statements with one Sync, and a Flush in between.
func piped(t testing.TB, conn *pgx.Conn, first, sql string) error {
	front := conn.PgConn().Frontend()
	for _, text := range []string{first, sql} {
		front.Send(&pgproto3.Parse{Query: text})
		front.Send(&pgproto3.Bind{})
		front.Send(&pgproto3.Execute{})
		front.Send(&pgproto3.Flush{})
	}
	front.Send(&pgproto3.Sync{})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	return untilReady(t, front)
}

// inPart asks for the first row of the result only.
func inPart(t testing.TB, conn *pgx.Conn, sql string) error {
	front := conn.PgConn().Frontend()
	front.Send(&pgproto3.Parse{Query: sql})
	front.Send(&pgproto3.Bind{})
	front.Send(&pgproto3.Execute{MaxRows: 1})
	front.Send(&pgproto3.Sync{})
	if err := front.Flush(); err != nil {
		t.Fatal(err)
	}
	return untilReady(t, front)
}

// TestPickedRowsAreNeverSilentlyOthers: whatever the configuration, the protocol and the
// rights, nodes that pick rows for themselves are noticed before COMMIT, or the log says so, which
// is not enough under replication_safety = strict. Each case is played by one protocol under each of
// four configurations; PICKS=all plays all.
func TestPickedRowsAreNeverSilentlyOthers(t *testing.T) {
	t.Parallel()
	configurations := [][]string{
		{"set_write_strategy = lock"}, {"set_write_strategy = lock", "verify_digest = off"}, {"backend_clustering_mode = snapshot_isolation", "verify_digest = off"},
		{"set_write_strategy = lock", "verify_digest = off", strictly},
	}
	all := os.Getenv("PICKS") == "all"
	if all {
		configurations = append(configurations, []string{"set_write_strategy = auto"}, []string{"set_write_strategy = verify"}, []string{"backend_clustering_mode = snapshot_isolation"})
	}
	for n, lines := range configurations {
		t.Run(strings.Join(lines, ", "), func(t *testing.T) {
			p := picker{stage: newStageIn(t, config.NativeReplication, append(lines, "connection_cache = off")...), strict: slices.Contains(lines, strictly)}
			p.setup = p.connect()
			for _, node := range p.nodes {
				p.direct = append(p.direct, node.ConnectTo(database))
			}
			for i, c := range pickedCases {
				for j, w := range ways {
					if all || j == (i+n)%len(ways) {
						p.play(t, c, w)
					}
				}
			}
		})
	}
}

// picker plays cases, each in a schema of its own.
type picker struct {
	*stage
	setup  *pgx.Conn
	direct []*pgx.Conn // to the nodes, past pgchorus
	played int
	strict bool
}

const strictly = "replication_safety = strict"

func (p *picker) play(t *testing.T, c pickedCase, w way) {
	p.played++
	schema := fmt.Sprintf("s%d", p.played)
	named := func(sql string) string { return strings.ReplaceAll(sql, "$s", schema) }
	p.exec(p.setup, named(pickedSchema+c.setup))
	for i, direct := range p.direct {
		if _, err := direct.Exec(bounded(t), named(misplaced(i))); err != nil {
			t.Fatal(err)
		}
	}
	log := p.newPage()
	conn := p.connect("search_path=" + schema)
	defer hangUp(conn)
	var err error
	if c.before != "" {
		_, err = rowsOf(conn, named(c.before))
	}
	if err == nil {
		err = w.send(t, conn, named(c.sql))
	}
	if err == nil {
		_, err = rowsOf(conn, "COMMIT")
	} else {
		_, _ = rowsOf(conn, "ROLLBACK")
	}
	outcome := p.outcome(t, schema, err)
	if slices.ContainsFunc(tellings, func(text string) bool { return strings.Contains(p.proxy.Log()[log:], text) }) {
		outcome += ", told"
	}
	if outcome == "differs" || p.strict && outcome == "differs, told" {
		t.Errorf("%s, %s: nodes differ, and that is not refused or told: %s", c.name, w.name, named(c.sql))
	}
	t.Logf("%s, %s: %s", c.name, w.name, outcome)
	p.exec(p.setup, named("RESET ROLE; DROP SCHEMA $s CASCADE; DROP ROLE IF EXISTS blind_$s, some_$s"))
}

// newPage has everything told again that was told before, and returns where the log stands.
func (p *picker) newPage() int {
	const reloaded = "configuration reloaded"
	before := strings.Count(p.proxy.Log(), reloaded)
	p.proxy.Signal(syscall.SIGHUP)
	for end := time.Now().Add(patience); strings.Count(p.proxy.Log(), reloaded) == before; time.Sleep(pollInterval) {
		if time.Now().After(end) {
			p.t.Fatal("the configuration is not reloaded")
		}
	}
	return len(p.proxy.Log())
}

// outcome is what has become of a statement.
func (p *picker) outcome(t testing.TB, schema string, err error) string {
	const sums = `SELECT string_agg(c.relname || ' ' || coalesce((xpath('/row/c/text()', query_to_xml(
		format('SELECT md5(string_agg(x::text, chr(10) ORDER BY x::text)) AS c FROM %I.%I x', $1::text, c.relname), false, true, '')))[1]::text, ''), ', ' ORDER BY c.relname)
		FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'm') AND c.relname <> 'src'`
	var first string
	for i, direct := range p.direct {
		var sum string
		if err := direct.QueryRow(bounded(t), sums, schema).Scan(&sum); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = sum
		} else if sum != first {
			return "differs"
		}
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code + " " + refused.Message
	}
	return "equal"
}
