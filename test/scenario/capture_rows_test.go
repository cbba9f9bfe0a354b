package scenario

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// everyType has a column of each type that PostgreSQL's core has for tables.
const everyType = `
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok", \o/');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SCHEMA "other Schema";
CREATE TYPE "other Schema"."Odd ""Type" AS ENUM ('x,y', '()');
CREATE TABLE every (
	id int PRIMARY KEY, b bool, i2 int2, i8 int8, n numeric, n2 numeric(20,3), f4 float4, f8 float8, t text, vc varchar(30), c char(8), c1 "char", bc bpchar, nm name,
	by bytea, d date, ts timestamp, tz timestamptz, ti time, tt timetz, iv interval, u uuid, j json, jb jsonb, jp jsonpath, x xml,
	ip inet, ci cidr, ma macaddr, m8 macaddr8, mo money, o oid, rc regclass, rt regtype, bt bit(5), vb varbit, tv tsvector, tq tsquery, lsn pg_lsn,
	p point, l line, ls lseg, bx box, pa path, po polygon, cir circle, r4 int4range, r8 int8range, nr numrange, tr tsrange, tzr tstzrange, dr daterange, mr int4multirange,
	ia int[], iaa int[][], ta text[], fa float8[], ma2 mood[], pa2 pair[], md mood, pr pair, po2 positive, od "other Schema"."Odd ""Type",
	"Quoted "" name" text, gen int GENERATED ALWAYS AS (id * 2) STORED, made timestamptz DEFAULT clock_timestamp(), rnd float8 DEFAULT random(), guid uuid DEFAULT gen_random_uuid());
`

// everyValue is a row of it, in which the texts have what may go wrong in them.
const everyValue = `SELECT %d, true, -3, 9007199254740993, 1.000, 12345678901234567.891, '1.1', 0.1::float8 + 0.2, E'it''s "x" \\ \n\t(,)', '{"', 'ab  ', 'e', 'tail  '::text::bpchar, 'na me',
	'\x00ff5c27', '0044-03-15 BC', 'infinity', '2026-01-02 03:04:05.678901-03:30', '24:00', '12:00:00.5+05:30', '-1 year 2 mons -3 days 04:05:06.7', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" : [1, "\"" ]}', '{"a": "\\"}', '$.a[*] ? (@ > 1)', '<a b="c">&amp;</a>',
	'10.1.2.3/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 12.34::money, 4294967295, 'every'::regclass, 'mood'::regtype, B'10101', B'', 'a:1 ''b c'':2A', '''x y'' & !z', '16/B374D848',
	'(1.5,-2e-10)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(1,2),3.3>', '[1,5)', 'empty', '(,1.5]', '["2026-01-01 00:00:00",)', '[2026-01-01 00:00:00+00,2026-02-01 00:00:00+01)', '[2026-01-01,2026-01-09)', '{[1,3),[5,7)}',
	'{1,NULL,3}', '{{1,2},{3,4}}', '{"a b",NULL,"NULL","\"\\",""}', '{NaN,-Infinity,1e-300}', '{sad,"it''s \"ok\", \\o/"}'::mood[], ARRAY[ROW(1,'x'), NULL, ROW(NULL,'(,)')]::pair[], E'it''s "ok", \\o/', ROW(NULL, ' "\')::pair, 5, '()',
	E'\\'`

var everyColumns = strings.Join(strings.Fields(`id b i2 i8 n n2 f4 f8 t vc c c1 bc nm by d ts tz ti tt iv u j jb jp x ip ci ma m8 mo o rc rt bt vb tv tq lsn
	p l ls bx pa po cir r4 r8 nr tr tzr dr mr ia iaa ta fa ma2 pa2 md pr po2 od`), ", ") + `, "Quoted "" name"`

// TestEveryTypeIsCaptured: what the other nodes are given is exactly what main has.
func TestEveryTypeIsCaptured(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, everyType)
	s.exec(conn, "CREATE TABLE source (i int); INSERT INTO source VALUES (1), (2)")
	insert := "INSERT INTO every (" + everyColumns + ") " + everyValue
	s.exec(conn, fmt.Sprintf(insert, 1)+" FROM source LIMIT 1")
	s.exec(conn, "INSERT INTO every (id, t) SELECT i, NULL FROM source WHERE i > 1")
	pgtest.WantEqual(t, s.nodes...)

	set := strings.SplitN(everyColumns, ", ", 2)[1]
	from := "SELECT " + set + ", clock_timestamp(), random(), gen_random_uuid() FROM every AS e WHERE e.id = 1"
	s.exec(conn, "UPDATE every SET ("+set+", made, rnd, guid) = ("+from+") WHERE id = 2")
	pgtest.WantEqual(t, s.nodes...)
	s.exec(conn, "SET standard_conforming_strings = off; SET bytea_output = escape; SET intervalstyle = sql_standard")
	s.exec(conn, "UPDATE every SET ("+set+", made, rnd, guid) = ("+from+") WHERE id > 1")
	for _, setting := range []string{"extra_float_digits = 0", "datestyle = 'German'", "client_encoding = latin1"} {
		s.exec(conn, "SET "+setting) // text is not exact: locks
		s.exec(conn, "UPDATE every SET ("+set+") = (SELECT "+set+" FROM every AS e WHERE e.id = 1) WHERE id > 1")
	}
	pgtest.WantEqual(t, s.nodes...)
	s.exec(conn, "RESET ALL; RESET client_encoding")
	s.exec(conn, "DELETE FROM every WHERE id IN (SELECT id FROM every ORDER BY random() LIMIT 1)")
	pgtest.WantEqual(t, s.nodes...)
}

// numbered is a table that draws from sequences.
const numbered = `
CREATE TABLE source (i int PRIMARY KEY); INSERT INTO source SELECT generate_series(1, 5);
CREATE TABLE numbered (id serial PRIMARY KEY, i int, always int GENERATED ALWAYS AS IDENTITY, chance float8 DEFAULT random());
`

// step is a statement and what the frontend is told.
type captureStep struct {
	sql  string
	want []string // rows
	code string
}

var captureSteps = []captureStep{
	{sql: "INSERT INTO numbered (i) SELECT i FROM source ORDER BY i RETURNING id, i, always", want: []string{"1|1|1", "2|2|2", "3|3|3", "4|4|4", "5|5|5"}},
	{sql: "INSERT INTO numbered (i) SELECT i FROM source WHERE i = 1 RETURNING id", want: []string{"6"}},
	{sql: "INSERT INTO numbered (i) VALUES (9) RETURNING id, always", want: []string{"7|7"}}, // drawn on each node
	{sql: "UPDATE numbered SET chance = random() WHERE i < 4", want: nil},
	{sql: "UPDATE numbered SET i = i + 10 WHERE i = (SELECT max(i) FROM source) RETURNING *, i AS again", want: nil},
	{sql: "UPDATE numbered AS n SET i = -1 FROM source WHERE source.i = n.i AND n.id = 1 RETURNING n.i, source.i", want: []string{"-1|1"}},
	{sql: "DELETE FROM numbered USING source WHERE source.i = numbered.i AND source.i = 2 RETURNING numbered.id", want: []string{"2"}},
	{sql: "DELETE FROM numbered WHERE id IN (SELECT id FROM numbered WHERE i = 4 LIMIT 1) -- the end", want: nil},
	{sql: "UPDATE numbered SET i = 1/(i - 3) WHERE i > 0", code: "22012"},
	{sql: "UPDATE numbered SET i = 0 WHERE false", want: nil},
	{sql: "UPDATE numbered SET i = 0 WHERE i > 1000 RETURNING id", want: nil},
	{sql: "UPDATE numbered SET id = id + 100 WHERE i > 0 RETURNING count(*)", code: "42803"},
	{sql: "UPDATE numbered SET id = id + 100 WHERE i > 0", want: nil}, // the key changes: locks
	{sql: "WITH n AS (SELECT max(i) AS i FROM source) INSERT INTO numbered (id, i) SELECT 50, i FROM n; ", want: nil},
	{sql: "INSERT INTO numbered (id, i) SELECT 50, 1 FROM source WHERE i = 1 ON CONFLICT (id) DO NOTHING", want: nil},
	{sql: "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) DELETE FROM numbered WHERE i < 0", want: nil},
}

// TestCapturedStatementsAnswerAsPostgreSQLDoes: the frontend sees nothing of the capture.
func TestCapturedStatementsAnswerAsPostgreSQLDoes(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeCacheStatement} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, numbered)
			for _, st := range captureSteps {
				s.runStep(conn, mode, st)
				s.wantEqual()
			}
			for _, end := range []string{"ROLLBACK TO a", "COMMIT"} {
				s.exec(conn, "BEGIN; UPDATE numbered SET i = 5 WHERE i > 3; SAVEPOINT a")
				s.runStep(conn, mode, captureStep{sql: "INSERT INTO numbered (i) SELECT i FROM source"})
				s.runStep(conn, mode, captureStep{sql: "UPDATE numbered SET chance = random()"})
				s.exec(conn, end)
				s.runStep(conn, mode, captureStep{sql: "DELETE FROM numbered WHERE i = (SELECT min(i) FROM numbered)"})
				s.exec(conn, "COMMIT")
				s.wantEqual()
			}
		})
	}
}

// runStep runs a statement and compares, if there is something to compare with.
func (s *stage) runStep(conn *pgx.Conn, mode pgx.QueryExecMode, st captureStep) {
	s.t.Helper()
	rows, err := conn.Query(bounded(s.t), st.sql, mode, pgx.QueryResultFormats{0})
	var got []string
	if err == nil {
		for rows.Next() {
			got = append(got, strings.Join(texts([][][]byte{rows.RawValues()}), "|"))
		}
		err = rows.Err()
	}
	if codeOf(err) != st.code || st.code == "" && err != nil {
		s.t.Errorf("%s: %v, want code %q", st.sql, err, st.code)
	}
	if st.want != nil && fmt.Sprint(got) != fmt.Sprint(st.want) {
		s.t.Errorf("%s\n got %q\nwant %q", st.sql, got, st.want)
	}
}

// TestRowsAreLockedWhereMainLocksThem: main chooses, the others lock the same rows although
// another one of theirs is locked by somebody.
func TestRowsAreLockedWhereMainLocksThem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE queue (id int PRIMARY KEY, v int); INSERT INTO queue SELECT i, i FROM generate_series(1, 9) i")
	stranger, err := pgx.Connect(bounded(t), s.nodes[1].Node.DSN(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(stranger) })
	for i, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
		want := fmt.Sprint(i + 1)
		s.exec(conn, "BEGIN")
		s.runStep(conn, mode, captureStep{sql: "SELECT id, v IS DISTINCT FROM 3 FROM queue AS q ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED", want: []string{want + "|" + map[bool]string{true: "t", false: "f"}[i != 2]}})
		for _, node := range s.nodes {
			if got := direct(node, "SELECT id FROM queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"); fmt.Sprint(got) != fmt.Sprint([]string{fmt.Sprint(i + 2)}) {
				t.Errorf("node %d: first row that is not locked is %v", node.ID, got)
			}
		}
		s.exec(conn, "COMMIT")
		// What was skipped on one node alone is waited for there.
		s.exec(stranger, "BEGIN; SELECT FROM queue WHERE id = "+want+" FOR UPDATE")
		pop := start(func() ([]string, error) {
			_, err := conn.Exec(bounded(t), "DELETE FROM queue WHERE id = (SELECT id FROM queue ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)", mode)
			return nil, err
		})
		awaitWaiter(t, s.nodes[1])
		s.exec(stranger, "ROLLBACK")
		pop.must(t)
		s.want(conn, "SELECT min(id) FROM queue", fmt.Sprint(i+2))
	}
	s.wantEqual()
}

// TestErrorsPointIntoTheFrontendsText although main is sent another one.
func TestErrorsPointIntoTheFrontendsText(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE queue (id int PRIMARY KEY, v int)")
	for _, sql := range []string{
		"SELECT id FROM queue WHERE none = 'é' LIMIT 1 FOR UPDATE", "SELECT none FROM queue LIMIT 1 FOR UPDATE", "UPDATE queue SET v = none", "DELETE FROM queue RETURNING none",
	} {
		_, err := rowsOf(conn, sql)
		var refused *pgconn.PgError
		if want := strings.Index(sql, "none") + 1; !errors.As(err, &refused) || refused.Code != "42703" || int(refused.Position) != want {
			t.Errorf("%s: %v at %d, want 42703 at %d", sql, err, refused.Position, want)
		}
	}
}

// TestMoreRowsThanAreCaptured go under locks: at once outside of a block, with the next try
// in one.
func TestMoreRowsThanAreCaptured(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("capture_rows_hint = 100"))
	conn := s.connect()
	s.exec(conn, "CREATE TABLE big (id int PRIMARY KEY, v int, t text); INSERT INTO big SELECT i, i, repeat('x', 100) FROM generate_series(1, 5000) i")
	s.exec(conn, "UPDATE big SET v = v + 1 WHERE v > 10")
	s.wantEqual()
	s.exec(conn, "BEGIN")
	s.wantCode(conn, "UPDATE big SET v = v + 2 WHERE v > 10", "40001")
	s.exec(conn, "ROLLBACK; BEGIN; UPDATE big SET v = v + 2 WHERE v > 10; COMMIT")
	s.want(conn, "SELECT max(v) FROM big", "5003")
	s.wantEqual()
}

// TestManyRowsAreCaptured in several batches, some of them long.
func TestManyRowsAreCaptured(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE big (id int PRIMARY KEY, v float8, t text); INSERT INTO big SELECT i, i, repeat('x', i % 1500) FROM generate_series(1, 3500) i")
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		s.runStep(conn, mode, captureStep{sql: "UPDATE big SET v = random(), t = t || 'y' WHERE v > 0"})
		s.runStep(conn, mode, captureStep{sql: "INSERT INTO big SELECT (SELECT max(id) FROM big) + id, random(), repeat('x', 200000) FROM big ORDER BY id LIMIT 20"})
		s.runStep(conn, mode, captureStep{sql: "DELETE FROM big WHERE id > 3400 AND v < (SELECT avg(v) FROM big)"})
		s.wantEqual()
	}
}

// TestRightsThatAStatementDoesNotNeed are not needed through pgchorus either.
func TestRightsThatAStatementDoesNotNeed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.exec(s.connect(), `CREATE ROLE poor LOGIN; CREATE TABLE seen (id int PRIMARY KEY, v int); CREATE TABLE unseen (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, v int);
		CREATE TABLE log (v int); INSERT INTO seen SELECT i, i FROM generate_series(1, 5) i;
		GRANT SELECT ON seen TO poor; GRANT INSERT ON unseen, log TO poor; GRANT UPDATE, DELETE ON log TO poor; ALTER TABLE seen ADD secret int`)
	conn := s.connect()
	s.exec(conn, "SET ROLE poor")
	s.exec(conn, "INSERT INTO log SELECT sum(v) FROM seen")
	s.exec(conn, "INSERT INTO unseen (v) SELECT v FROM seen ORDER BY id")
	s.exec(conn, "UPDATE log SET v = 1; DELETE FROM log")
	s.wantCode(conn, "UPDATE seen SET v = 0", "42501")
	s.exec(conn, "RESET ROLE")
	s.exec(conn, "INSERT INTO unseen (v) SELECT sum(v) FROM seen")
	s.wantEqual()
}

// TestWhatATriggerDoes is the same on all nodes, and so is what a cascade does.
func TestWhatATriggerAndACascadeDo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, `CREATE TABLE parent (id int PRIMARY KEY, v int); CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE);
		CREATE TABLE audit (v int);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (NEW.v); RETURN NEW; END';
		INSERT INTO parent SELECT i, i FROM generate_series(1, 9) i; INSERT INTO child SELECT i, i FROM generate_series(1, 9) i`)
	s.exec(conn, "DELETE FROM parent WHERE id IN (SELECT id FROM parent ORDER BY v LIMIT 3)")
	s.want(conn, "SELECT count(*) FROM child", "6")
	s.exec(conn, "CREATE TRIGGER note AFTER UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION note()")
	s.exec(conn, "UPDATE parent SET v = (SELECT max(v) FROM parent) WHERE v > 5")
	s.want(conn, "SELECT count(*) FROM audit", "4")
	s.wantEqual()
}
