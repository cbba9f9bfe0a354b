package routing

// Database is the one that scripts work in unless they say otherwise. Proxies do not
// keep connections to database postgres, which would make it special.
const Database = "app"

// Globals is made first, in database postgres on every node, or on the one that the
// others copy; one statement each, since CREATE DATABASE cannot be in a transaction.
var Globals = []string{
	"CREATE ROLE alice LOGIN SUPERUSER",
	"CREATE ROLE bob LOGIN SUPERUSER",
	"CREATE DATABASE " + Database,
	"CREATE DATABASE reports",
}

// Schema is made in each of Databases: relations and functions of every nature that
// routing asks the catalogue about. Nothing of it holds rows that a script depends on,
// but for one row in t.
const Schema = `
CREATE TABLE t (id int, v int);
INSERT INTO t VALUES (1, 1);
CREATE TABLE t2 (id int, v int);
CREATE TABLE audited (id int);
CREATE TABLE serial_t (id serial PRIMARY KEY, v int);
CREATE TABLE "T x" (id int);
CREATE UNLOGGED TABLE u (id int);
CREATE TABLE part (id int) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (1000);
CREATE SEQUENCE s;

CREATE FUNCTION f_immutable(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION f_stable() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f_volatile() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f_default() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f_over(int) RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f_over(text) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "F x"() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "F y"() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION rows_stable() RETURNS SETOF int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION rows_volatile() RETURNS SETOF int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE agg_sum(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE FUNCTION touch_t2() RETURNS int VOLATILE LANGUAGE sql AS 'UPDATE t2 SET v = v; SELECT 1';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t2 SET v = v; RETURN NEW; END';
CREATE TRIGGER note BEFORE INSERT ON audited FOR EACH ROW EXECUTE FUNCTION noted();
CREATE PROCEDURE proc(n int) LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = v; END';

CREATE SCHEMA other;
CREATE FUNCTION other.f_mixed() RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f_mixed() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION other.f_only() RETURNS int STABLE LANGUAGE sql AS 'SELECT 1';
CREATE TABLE other.t3 (id int);

CREATE VIEW view_plain AS SELECT id FROM t;
CREATE VIEW view_stable AS SELECT id, f_stable() AS f FROM t;
CREATE VIEW view_volatile AS SELECT id, f_volatile() AS f FROM t;
CREATE VIEW view_nested AS SELECT id FROM view_volatile;
CREATE VIEW view_nextval AS SELECT nextval('s') AS n;
CREATE VIEW view_random AS SELECT random() AS r;
CREATE VIEW view_system AS SELECT relname FROM pg_class;
CREATE VIEW view_unlogged AS SELECT id FROM u;
CREATE MATERIALIZED VIEW view_kept AS SELECT id FROM t;
`

// kept is Database as it was made, for Stage.Reset.
const kept = "app_kept"

// Databases are where Schema is made.
var Databases = []string{Database, "reports"}
