package verify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/internal/verify"
)

// everything has one of each thing that is compared, and names that need quotes.
const everything = `
CREATE ROLE reader LOGIN PASSWORD 'md5d41d8cd98f00b204e9800998ecf8427e';
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('sad', 'ok');
CREATE TYPE shop.size AS (w int, h int);
CREATE DOMAIN shop.positive AS int CHECK (VALUE > 0);
CREATE COLLATION shop.german (provider = icu, locale = 'de-u-co-phonebk');
CREATE TABLE shop.item (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'x', mood shop.mood DEFAULT 'ok', price numeric, note text);
INSERT INTO shop.item (name, price) SELECT 'item ' || i, i / 7.0 FROM generate_series(1, 500) i;
CREATE INDEX item_name ON shop.item (name);
CREATE TABLE types (k uuid PRIMARY KEY, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, t text COLLATE shop.german, c char(5), v varchar(9), b bytea,
	d date, ts timestamp, tz timestamptz, iv interval, j json, jb jsonb, x xml, a int[], aa text[], ip inet, m money, bits bit varying, pt point, r int4range,
	tv tsvector, mood shop.mood, size shop.size, pos shop.positive, rc regclass, gen int GENERATED ALWAYS AS (i2 * 2) STORED, "Quoted ""col" text);
INSERT INTO types (k, i2, i8, f4, f8, n, t, c, v, b, d, ts, tz, iv, j, jb, x, a, aa, ip, m, bits, pt, r, tv, mood, size, pos, rc, "Quoted ""col")
	VALUES ('00000000-0000-0000-0000-000000000001', 1, 2, 0.1, 1e300/3, 1.10, 'Äpfel', 'ab', 'v', '\x00ff', '2024-02-29', '2024-02-29 12:00:00.123456', '2024-02-29 12:00:00+02',
	'1 mon 2 days', '{"a": 1}', '{"b": [1, null]}', '<a>1</a>', '{1,NULL,3}', '{"a b",NULL,""}', '10.0.0.1/8', 12.34, '101', '(1,2)', '[1,5)', 'a fat cat', 'sad', '(1,2)', 5, 'shop.item', E'tab\there'),
	('00000000-0000-0000-0000-000000000002', NULL, NULL, 'NaN', '-Infinity', 'NaN', NULL, NULL, '', '', 'infinity', NULL, NULL, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, '', NULL, 'empty', '', NULL, NULL, NULL, NULL, NULL);
CREATE TABLE "Odd ""Name" ("Key 1" int, "Key'2" text COLLATE shop.german, plain int, PRIMARY KEY ("Key 1", "Key'2"));
INSERT INTO "Odd ""Name" VALUES (1, 'a', 1), (1, 'b', 2), (2, 'ä', 3);
CREATE TABLE part (k int, v text) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2);
INSERT INTO part VALUES (1, 'one'), (2, 'two'), (2, 'two');
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless VALUES (1, 'a'), (2, 'b'), (2, 'b'), (NULL, NULL);
CREATE TABLE nocolumns ();
INSERT INTO nocolumns DEFAULT VALUES;
CREATE TABLE dropped (a int PRIMARY KEY, gone int, b text);
ALTER TABLE dropped DROP gone;
INSERT INTO dropped VALUES (1, 'x'), (2, 'y');
CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
INSERT INTO always (v) VALUES ('a'), ('b');
CREATE UNLOGGED TABLE unlogged (x int);
CREATE SEQUENCE down INCREMENT -3 MINVALUE -1000;
SELECT nextval('down');
CREATE MATERIALIZED VIEW shop.counted AS SELECT count(*) FROM part;
CREATE VIEW shop.names AS SELECT name FROM shop.item;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''touched''; END';
CREATE TRIGGER touched BEFORE INSERT OR DELETE ON dropped FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE quiet AS ON DELETE TO keyless DO INSTEAD NOTHING;
CREATE POLICY mine ON shop.item TO reader USING (name = current_user);
ALTER TABLE shop.item ENABLE ROW LEVEL SECURITY;
CREATE STATISTICS correlated ON a, b FROM keyless;
CREATE PUBLICATION pub FOR TABLE types;
CREATE CAST (shop.size AS text) WITH INOUT;
COMMENT ON TABLE shop.item IS 'things';
GRANT SELECT ON shop.item TO reader;
ALTER ROLE reader SET work_mem = '5MB';
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reader;
SELECT lo_from_bytea(4711, convert_to(repeat('large ', 1000), 'UTF8'))`

// startEqual starts nodes that hold everything.
func startEqual(t *testing.T, n int) []*pgtest.Node {
	t.Helper()
	nodes := pgtest.Start(t, n, pgtest.WithSettings(map[string]string{"max_prepared_transactions": "5", "wal_level": "logical"}))
	for _, node := range nodes {
		node.Exec(everything)
		node.Exec("CREATE DATABASE second")
	}
	return nodes
}

// optionsFor compares these nodes, of which the first is main.
func optionsFor(nodes ...*pgtest.Node) verify.Options {
	opts := verify.Options{Patience: 50 * time.Millisecond}
	for i, node := range nodes {
		opts.Nodes = append(opts.Nodes, verify.Node{ID: config.NodeID(i), Connect: func(ctx context.Context, database string) (*pgconn.PgConn, error) {
			return pgconn.Connect(ctx, node.Node.DSN(database)+"&application_name=verify")
		}})
	}
	return opts
}

// asRole connects as another role.
func asRole(of []verify.Node, nodes []*pgtest.Node, role string) []verify.Node {
	out := make([]verify.Node, len(of))
	for i := range of {
		out[i] = verify.Node{ID: of[i].ID, Connect: func(ctx context.Context, database string) (*pgconn.PgConn, error) {
			return pgconn.Connect(ctx, nodes[i].Node.DSN(database)+"&application_name=verify&user="+role)
		}}
	}
	return out
}

func run(t *testing.T, opts verify.Options) *verify.Report {
	t.Helper()
	report, err := verify.Run(t.Context(), opts)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return report
}

// text is the report as a person sees it.
func text(t *testing.T, report *verify.Report) string {
	t.Helper()
	var b strings.Builder
	if err := report.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wantEqual fails the test unless the report says so.
func wantEqual(t *testing.T, report *verify.Report) {
	t.Helper()
	if report.Result != verify.Equal {
		t.Errorf("the result is %s, want equal:\n%s", report.Result, text(t, report))
	}
}

// wantNothingLeft fails the test if a session of verify is still on a node.
func wantNothingLeft(t *testing.T, nodes ...*pgtest.Node) {
	t.Helper()
	for _, node := range nodes {
		node.In(t).WaitRows("SELECT count(*) FROM pg_stat_activity WHERE application_name ~ 'verify'", "0")
	}
}
