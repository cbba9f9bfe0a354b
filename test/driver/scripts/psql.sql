\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset null '(null)'
\echo '## tables and rows'
CREATE TABLE item(id int PRIMARY KEY, name text NOT NULL, price numeric(10,2), tags text[]);
COMMENT ON TABLE item IS 'things';
INSERT INTO item VALUES (1, 'one', 1.10, '{a,b}'), (2, 'two', NULL, '{}'), (3, 'drei', 3.30, NULL);
SELECT * FROM item ORDER BY id;
SELECT * FROM item ORDER BY id \gx
SELECT count(*), sum(price) FROM item;
UPDATE item SET price = price + 1 WHERE id < 3;
UPDATE item SET price = 5 WHERE id = 2 RETURNING *;
DELETE FROM item WHERE id = 99;
SELECT;
VALUES (1, 'a'), (2, 'b');
TABLE item;
\echo '## rows in other forms'
\pset format unaligned
SELECT id, name FROM item ORDER BY id;
\pset format csv
SELECT id, name FROM item ORDER BY id;
\pset format aligned
\pset tuples_only on
SELECT id, name FROM item ORDER BY id;
\pset tuples_only off
SELECT 1 AS a, 'x' AS b \g out.txt
\! cat out.txt
SELECT 1 AS one, 'two' AS two, NULL AS three \gset got_
\echo :got_one :got_two
SELECT 'SELECT ' || g FROM generate_series(1, 3) g \gexec
SELECT 'a' r, 'x' c, 1 v UNION ALL SELECT 'b', 'y', 2 ORDER BY 1 \crosstabview
\echo '## column types'
SELECT id, name, price, tags, 1::smallint, 'x', NULL, now(), ROW(1), '{1}'::int[] FROM item \gdesc
INSERT INTO item VALUES (1, 'x') RETURNING id, name \gdesc
CREATE TABLE nothing() \gdesc
SELECT FROM nothing_there \gdesc
\echo '## errors'
SELECT 1/0;
SELECT nothing FROM item;
SELECT * FROM nowhere;
SELEC 1;
SELECT 'abc
';
SELECT 1 FROM (SELECT 2) x);
INSERT INTO item VALUES (1, 'again');
INSERT INTO item VALUES (7, NULL);
INSERT INTO item VALUES (1000000000000, 'x');
SELECT 'x'::int;
SELECT id, name FROM item WHERE id = 'x';
SELECT               item.nam   FROM item;
CREATE TABLE item(a int);
CREATE TABLE IF NOT EXISTS item(a int);
DROP TABLE nowhere;
DROP TABLE IF EXISTS nowhere;
SELECT nofunction(1);
SELECT sum(1, 2);
SELECT id FROM item GROUP BY name;
SELECT '\x'::bytea || 'ä' || 1::text::int[];
\errverbose
-- the position counts characters, not bytes
SELECT 'ä', 'ö', nothing_here;
/* a comment before */ SELECT /* and between */ 1 +;
\echo '## errors in procedural code'
CREATE FUNCTION fails(a int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE 'asked for %', a;
  RAISE WARNING 'warned' USING HINT = 'a hint', DETAIL = 'a detail', ERRCODE = '01ABC';
  RAISE EXCEPTION 'failed with %', a USING HINT = 'hint', DETAIL = 'detail', ERRCODE = 'XX123', COLUMN = 'c', TABLE = 't', SCHEMA = 's', CONSTRAINT = 'k', DATATYPE = 'd';
END $$;
SELECT fails(1);
DO $$ BEGIN RAISE NOTICE 'from do'; END $$;
DO $$ BEGIN PERFORM 1/0; END $$;
CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT nowhere';
CREATE FUNCTION broken() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN; EN';
\echo '## transactions'
BEGIN;
INSERT INTO item VALUES (10, 'ten');
SELECT count(*) FROM item;
SAVEPOINT a;
INSERT INTO item VALUES (10, 'ten again');
SELECT 1;
ROLLBACK TO a;
INSERT INTO item VALUES (11, 'eleven');
RELEASE a;
RELEASE a;
COMMIT;
SELECT id FROM item WHERE id >= 10 ORDER BY id;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SHOW transaction_isolation;
SHOW transaction_read_only;
INSERT INTO item VALUES (12, 'twelve');
ROLLBACK;
BEGIN; BEGIN;
COMMIT; COMMIT;
ROLLBACK;
START TRANSACTION READ WRITE; ABORT;
SAVEPOINT outside;
BEGIN; SELECT 1/0; COMMIT;
BEGIN; INSERT INTO item VALUES (13, 'x'); COMMIT AND CHAIN; INSERT INTO item VALUES (14, 'y'); ROLLBACK AND CHAIN; SELECT 1; END;
COMMIT AND CHAIN;
SELECT id FROM item WHERE id >= 13 ORDER BY id;
\echo '## several statements in one query'
SELECT 1 AS a \; SELECT 2 AS b \; SELECT 3 AS c;
INSERT INTO item VALUES (20, 'x') \; SELECT count(*) FROM item \; INSERT INTO item VALUES (20, 'y');
SELECT count(*) FROM item WHERE id = 20;
INSERT INTO item VALUES (21, 'x') \; SELECT 1/0 \; SELECT 'never';
BEGIN \; INSERT INTO item VALUES (22, 'x') \; COMMIT \; SELECT 1/0;
SELECT id FROM item WHERE id >= 20 ORDER BY id;
BEGIN \; SELECT 1/0 \; ROLLBACK;
ROLLBACK;
SELECT 1 \; SELEC 2;
INSERT INTO item VALUES (23, 'x') \; BEGIN \; INSERT INTO item VALUES (24, 'x');
ROLLBACK;
SELECT id FROM item WHERE id >= 23 ORDER BY id;
\;
VACUUM item \; SELECT 1;
SELECT 1 \; VACUUM item;
\echo '## copy'
CREATE TABLE line(a int, b text);
COPY line FROM stdin;
1	one
2	\N
3	a\tb
\.
COPY line FROM stdin WITH (FORMAT csv, HEADER);
a,b
4,"four, or so"
5,
\.
COPY line FROM stdin;
6	six
seven	x
\.
COPY line FROM stdin;
8
\.
COPY nowhere FROM stdin;
COPY line TO stdout;
COPY (SELECT a, b FROM line ORDER BY a DESC) TO stdout WITH (FORMAT csv, HEADER, FORCE_QUOTE *);
COPY (SELECT 1/0) TO stdout;
COPY (SELECT 10/(3-g) FROM generate_series(1,5) g) TO stdout;
\copy (SELECT * FROM line ORDER BY a) TO 'lines.csv' WITH CSV
\! cat lines.csv
\copy line FROM 'lines.csv' WITH CSV
\copy line(a) FROM PROGRAM 'seq 100 105'
\copy line FROM 'no-such-file'
\copy (SELECT count(*), sum(a) FROM line) TO stdout
COPY (SELECT 1) TO stdout \; SELECT 2 \; COPY (SELECT 3) TO stdout;
SELECT count(*), sum(a) FROM line;
BEGIN;
\copy line(a) FROM PROGRAM 'seq 1 1000'
SELECT count(*) FROM line;
ROLLBACK;
SELECT count(*) FROM line;
\echo '## cursors'
\set FETCH_COUNT 3
SELECT g FROM generate_series(1, 8) g;
SELECT 10/(5-g) FROM generate_series(1, 8) g;
\unset FETCH_COUNT
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM item ORDER BY id;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE 2 IN c;
FETCH ALL FROM c;
CLOSE c;
FETCH c;
ROLLBACK;
DECLARE c CURSOR FOR SELECT 1;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM item WHERE id IN (1, 2) ORDER BY id FOR UPDATE;
FETCH c;
UPDATE item SET name = 'current' WHERE CURRENT OF c;
COMMIT;
DECLARE h CURSOR WITH HOLD FOR SELECT id, name FROM item WHERE id < 3 ORDER BY id;
FETCH ALL h;
CLOSE ALL;
\echo '## savepoints of psql'
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO item VALUES (30, 'x');
INSERT INTO item VALUES (30, 'y');
INSERT INTO item VALUES (31, 'z');
COMMIT;
SELECT id FROM item WHERE id >= 30;
\set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT off
INSERT INTO item VALUES (32, 'x');
ROLLBACK;
SELECT id FROM item WHERE id >= 30;
COMMIT;
\set AUTOCOMMIT on
\echo '## prepared statements'
PREPARE p(int) AS SELECT name FROM item WHERE id = $1;
EXECUTE p(3);
EXECUTE p(1, 2);
EXECUTE p('x');
PREPARE p AS SELECT 1;
PREPARE w(int, text) AS INSERT INTO item VALUES ($1, $2) RETURNING id;
EXECUTE w(40, 'forty');
EXECUTE w(40, 'forty');
SELECT name, statement, parameter_types FROM pg_prepared_statements ORDER BY name;
DEALLOCATE p;
EXECUTE p(3);
DEALLOCATE ALL;
EXECUTE w(41, 'x');
\echo '## settings'
SET search_path = pg_catalog;
SHOW search_path;
RESET search_path;
SET work_mem = '5MB';
SHOW work_mem;
SELECT current_setting('work_mem');
BEGIN;
SET LOCAL work_mem = '6MB';
SHOW work_mem;
ROLLBACK;
SHOW work_mem;
SET nothing.at_all = 'x';
SHOW nothing.at_all;
SET work_mem = 'much';
SET no_such_setting = 1;
SHOW no_such_setting;
SET TIME ZONE 'Europe/Berlin';
SELECT '2024-01-01 12:00+00'::timestamptz;
SET DateStyle = 'German';
SELECT '2024-01-01 12:00+00'::timestamptz;
SET client_encoding = 'LATIN1';
\encoding
SELECT 'ä' = chr(228), length('ä');
RESET client_encoding;
\encoding
SELECT set_config('work_mem', '7MB', false);
SHOW work_mem;
SET ROLE nobody_there;
CREATE ROLE plain;
SET ROLE plain;
SELECT current_user, session_user;
SELECT * FROM item;
INSERT INTO item VALUES (50, 'x');
RESET ROLE;
SET SESSION AUTHORIZATION plain;
SELECT current_user, session_user;
RESET SESSION AUTHORIZATION;
DISCARD ALL;
SELECT current_user, current_setting('work_mem');
\echo '## descriptions'
CREATE VIEW items AS SELECT id, name FROM item;
CREATE INDEX item_name ON item(name);
CREATE SEQUENCE counter START 5;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SCHEMA other;
\d
\d item
\d+ items
\di
\dT+ mood
\dD
\dn
\df fails
\sf fails
\sv items
\du plain
\dp item
\d nowhere
SELECT (-1)::positive;
SELECT 'angry'::mood;
\echo '## values of the server'
CREATE TABLE serial(id serial PRIMARY KEY, g int GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT '2026-01-01', r float, d date DEFAULT '2026-01-01'); -- values that nodes compute for themselves are not made equal in defaults yet (README, limits)
INSERT INTO serial DEFAULT VALUES;
INSERT INTO serial DEFAULT VALUES RETURNING id, g;
INSERT INTO serial(at, r) SELECT clock_timestamp(), g FROM generate_series(1, 3) AS g RETURNING id;
SELECT id, g, at <= now() AS past, r, d FROM serial ORDER BY id;
SELECT nextval('counter'), nextval('counter');
SELECT currval('counter');
SELECT lastval();
SELECT setval('counter', 100);
SELECT nextval('counter');
UPDATE serial SET at = now(), r = 0.5 WHERE id = 1 RETURNING id;
SELECT currval('serial_id_seq');
INSERT INTO serial(g) VALUES (3);
\echo '## large objects'
\! printf 'large object' > object.bin
\lo_import object.bin 'a comment'
SELECT count(*) FROM pg_largeobject_metadata;
SELECT convert_from(lo_get(:LASTOID), 'UTF8');
\lo_export :LASTOID object.out
\! cat object.out
\lo_unlink :LASTOID
SELECT lo_get(:LASTOID) IS NULL;
SELECT lo_from_bytea(424242, 'abc');
SELECT lo_put(424242, 1, 'X');
SELECT lo_get(424242);
\echo '## explain and locks'
EXPLAIN (COSTS off) SELECT * FROM item WHERE id = 1;
EXPLAIN (COSTS off, ANALYZE, TIMING off, SUMMARY off, BUFFERS off) INSERT INTO item VALUES (60, 'explained');
SELECT id FROM item WHERE id = 60;
BEGIN;
LOCK TABLE item IN ACCESS EXCLUSIVE MODE;
SELECT id FROM item WHERE id = 60 FOR UPDATE;
SELECT pg_advisory_xact_lock(1);
COMMIT;
SELECT pg_try_advisory_lock(2), pg_advisory_unlock(2);
SELECT pg_advisory_unlock(2);
LOCK TABLE item;
\echo '## schema changes'
ALTER TABLE item ADD COLUMN extra int DEFAULT 7;
SELECT extra FROM item WHERE id = 1;
ALTER TABLE item RENAME TO thing;
SELECT count(*) FROM thing;
CREATE TABLE copied AS SELECT id FROM thing WHERE id < 3;
SELECT id INTO copied2 FROM thing WHERE id < 3;
CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM thing;
REFRESH MATERIALIZED VIEW summary;
TABLE summary;
TRUNCATE copied, copied2;
CREATE INDEX CONCURRENTLY thing_extra ON thing(extra);
REINDEX TABLE thing;
ANALYZE thing;
CLUSTER thing USING thing_extra;
CREATE TEMP TABLE passing(a int);
INSERT INTO passing VALUES (1);
SELECT * FROM passing;
CREATE TEMP TABLE only_once ON COMMIT DROP AS SELECT 1 AS a;
CREATE TRIGGER t BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION nowhere();
DROP SCHEMA other CASCADE;
DROP TABLE thing;
DROP TABLE thing CASCADE;
DROP ROLE plain;
CREATE DATABASE app;
BEGIN;
CREATE DATABASE other;
ROLLBACK;
\echo '## merge, upsert and with'
CREATE TABLE stock(id int PRIMARY KEY, n int);
INSERT INTO stock VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = stock.n + 1 RETURNING *;
INSERT INTO stock VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = stock.n + 1 RETURNING *;
INSERT INTO stock VALUES (1, 1) ON CONFLICT DO NOTHING;
MERGE INTO stock s USING (VALUES (1, 5), (2, 6)) v(id, n) ON s.id = v.id WHEN MATCHED THEN UPDATE SET n = v.n WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.n);
WITH gone AS (DELETE FROM stock WHERE id = 1 RETURNING *) INSERT INTO stock SELECT id + 10, n FROM gone RETURNING *;
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r;
SELECT * FROM stock ORDER BY id;
CREATE PROCEDURE add(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; INSERT INTO stock VALUES (a, a); COMMIT; END $$;
CALL add(30);
BEGIN;
CALL add(40);
ROLLBACK;
SELECT * FROM stock ORDER BY id;
\echo '## reconnecting'
SET work_mem = '9MB';
CREATE TEMP TABLE gone_with_the_session(a int);
PREPARE gone AS SELECT 1;
\c
SHOW work_mem;
SELECT * FROM gone_with_the_session;
EXECUTE gone;
