package protocol

// simpleSequences are simple queries: strings with none, one and several statements,
// and the transactions in and around them (protocol chapter 55.2.3).
var simpleSequences = []sequence{
	{"empty strings", []step{ask(""), ask(" "), ask(";"), ask(";;"), ask("-- nothing"), ask("/* nothing */ ;")}},
	{"one statement", []step{ask("SELECT 1"), ask("SELECT id, v FROM t WHERE id < 3 ORDER BY id"), ask("SELECT FROM t WHERE id = 1")}},
	{"no rows", []step{ask("SELECT * FROM t WHERE false"), ask("UPDATE t SET v = v WHERE false"), ask("DELETE FROM t WHERE false")}},
	{"writes", []step{
		ask("INSERT INTO t VALUES (20, 'x')"), ask("UPDATE t SET v = 'y' WHERE id = 20"),
		ask("INSERT INTO t VALUES (21, 'a') RETURNING id, v"), ask("DELETE FROM t WHERE id >= 20"),
	}},
	{"errors", []step{
		ask("SELEC 1"), ask("SELECT 1/0"), ask("SELECT nothing FROM t"), ask("SELECT * FROM nowhere"),
		ask("INSERT INTO t VALUES (1, 'twice')"), ask("INSERT INTO t VALUES ('x', 'y')"), ask("SELECT 'unclosed"),
	}},
	{"positions of errors behind what is put in front", []step{
		ask("UPDATE t SET nothing = 1"), ask("/* ä ö */ UPDATE t SET nothing = 1"), ask("SELECT 1; UPDATE t SET nothing = 1"),
		ask("BEGIN"), ask("UPDATE t SET nothing = 1"), ask("ROLLBACK"), ask("BEGIN; UPDATE t SET nothing = 1"), ask("ROLLBACK"),
	}},
	{"several statements", []step{
		ask("SELECT 1; SELECT 2"), ask("SELECT 1;; SELECT 2;"), ask("INSERT INTO t VALUES (20, 'x'); SELECT v FROM t WHERE id = 20; DELETE FROM t WHERE id = 20"),
	}},
	{"several statements, error in the middle undoes all", []step{
		ask("INSERT INTO t VALUES (20, 'x'); SELECT 1/0; INSERT INTO t VALUES (21, 'x')"), ask("SELECT count(*) FROM t"),
		ask("INSERT INTO t VALUES (20, 'x'); SELEC; SELECT 1"), ask("SELECT count(*) FROM t"),
		ask("SELECT 1; SELECT 1/0; SELECT 2"),
	}},
	{"several statements, error in the last", []step{
		ask("INSERT INTO t VALUES (20, 'x'); INSERT INTO t VALUES (1, 'twice')"), ask("SELECT count(*) FROM t"),
	}},
	{"embedded BEGIN and COMMIT", []step{
		ask("INSERT INTO t VALUES (20, 'x'); BEGIN; INSERT INTO t VALUES (21, 'x'); COMMIT; INSERT INTO t VALUES (22, 'x'); SELECT 1/0"),
		ask("SELECT id FROM t WHERE id >= 20 ORDER BY id"),
		ask("BEGIN; INSERT INTO t VALUES (30, 'x'); COMMIT; SELECT 1/0; SELECT 1"),
		ask("SELECT id FROM t WHERE id >= 30 ORDER BY id"),
		ask("BEGIN; INSERT INTO t VALUES (40, 'x')"), ask("SELECT 1"), ask("COMMIT"),
		ask("BEGIN; INSERT INTO t VALUES (41, 'x'); ROLLBACK; INSERT INTO t VALUES (42, 'x')"),
		ask("SELECT id FROM t WHERE id >= 40 ORDER BY id"),
		ask("INSERT INTO t VALUES (50, 'x'); ROLLBACK; INSERT INTO t VALUES (51, 'x')"),
		ask("INSERT INTO t VALUES (52, 'x'); COMMIT; INSERT INTO t VALUES (53, 'x'); SELECT 1/0"),
		ask("SELECT id FROM t WHERE id >= 50 ORDER BY id"),
	}},
	{"read-only strings with transaction control", []step{
		ask("SELECT 1; BEGIN; SELECT 2"), ask("SELECT 3; COMMIT; SELECT 4"), ask("SELECT 1; COMMIT"), ask("SELECT 1; ROLLBACK; SELECT 2"),
		ask("BEGIN; BEGIN; COMMIT; COMMIT"), ask("COMMIT; BEGIN; SELECT 1; ROLLBACK"),
	}},
	{"error in a block, then skipped to its end", []step{
		ask("BEGIN"), ask("SELECT 1/0"), ask("SELECT 1"), ask(""), ask("INSERT INTO t VALUES (20, 'x')"), ask("BEGIN"),
		ask("SAVEPOINT a"), ask("SET x.y = 1"), ask("SHOW timezone"), ask("SELEC"), ask("COMMIT"), ask("SELECT count(*) FROM t"),
	}},
	{"error in a block, then ROLLBACK", []step{
		ask("BEGIN"), ask("INSERT INTO t VALUES (20, 'x')"), ask("INSERT INTO t VALUES (20, 'x')"), ask("ROLLBACK"), ask("SELECT count(*) FROM t"),
	}},
	{"COMMIT of a failed block within a string", []step{
		ask("BEGIN; SELECT 1/0; COMMIT"), ask("SELECT 1"), ask("COMMIT; SELECT 2"), ask("SELECT 3"),
	}},
	{"BEGIN behind another statement in a string", []step{
		ask("COMMIT; BEGIN; INSERT INTO t VALUES (60, 'x'); ROLLBACK"), ask("SELECT count(*) FROM t"),
		ask("COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; SHOW transaction_isolation; COMMIT"),
		ask("COMMIT; BEGIN; INSERT INTO t VALUES (61, 'x')"), ask("ROLLBACK"), ask("SELECT count(*) FROM t"),
		ask(" ; BEGIN READ ONLY; INSERT INTO t VALUES (62, 'x')"), ask("ROLLBACK"), ask("SELECT count(*) FROM t"),
	}},
	{"warnings of transaction control", []step{ask("COMMIT"), ask("ROLLBACK"), ask("BEGIN"), ask("BEGIN"), ask("COMMIT"), ask("ABORT"), ask("END")}},
	{"tags of transaction control", []step{
		ask("START TRANSACTION"), ask("END"), ask("begin work"), ask("abort work"), ask("/* c */ start transaction"), ask("COMMIT TRANSACTION"),
	}},
	{"AND CHAIN", []step{
		ask("COMMIT AND CHAIN"), ask("BEGIN ISOLATION LEVEL REPEATABLE READ"), ask("INSERT INTO t VALUES (20, 'x')"),
		ask("COMMIT AND CHAIN"), ask("SHOW transaction_isolation"), ask("ROLLBACK AND CHAIN"), ask("SHOW transaction_isolation"), ask("ROLLBACK"),
		ask("BEGIN"), ask("SELECT 1/0"), ask("COMMIT AND CHAIN"), ask("SELECT 1"), ask("COMMIT"),
		ask("BEGIN"), ask("SELECT 1/0"), ask("ROLLBACK AND CHAIN"), ask("SELECT 1"), ask("COMMIT"),
	}},
	{"savepoints", []step{
		ask("BEGIN"), ask("SAVEPOINT a"), ask("INSERT INTO t VALUES (20, 'x')"), ask("ROLLBACK TO a"), ask("SELECT count(*) FROM t"),
		ask("SELECT 1/0"), ask("ROLLBACK TO a"), ask("SELECT 1"), ask("RELEASE a"), ask("ROLLBACK TO a"), ask("RELEASE a"), ask("COMMIT"),
	}},
	{"savepoint in a failed block that does not exist", []step{
		ask("BEGIN"), ask("SELECT 1/0"), ask("ROLLBACK TO nowhere"), ask("SELECT 1"), ask("ROLLBACK"),
	}},
	{"savepoint outside of a block", []step{
		ask("SAVEPOINT a"), ask("SELECT 1; SAVEPOINT a"), ask("INSERT INTO t VALUES (20, 'x'); SAVEPOINT a; SELECT 1"),
		ask("SELECT count(*) FROM t"), ask("RELEASE a"), ask("ROLLBACK TO a"), ask("BEGIN; SAVEPOINT a; SELECT 1; RELEASE a; COMMIT"),
	}},
	{"savepoint in a string whose block continues", []step{
		ask("SELECT 1; BEGIN; SAVEPOINT a; INSERT INTO t VALUES (20, 'x')"), ask("ROLLBACK TO a; COMMIT"), ask("SELECT count(*) FROM t"),
	}},
	{"transaction characteristics", []step{
		ask("BEGIN READ ONLY"), ask("INSERT INTO t VALUES (20, 'x')"), ask("ROLLBACK"),
		ask("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"), ask("SHOW transaction_isolation"), ask("COMMIT"),
		ask("BEGIN"), ask("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"), ask("SHOW transaction_isolation"), ask("SELECT 1"),
		ask("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), ask("ROLLBACK"), ask("SET TRANSACTION READ ONLY"),
		ask("BEGIN"), ask("BEGIN ISOLATION LEVEL SERIALIZABLE"), ask("SHOW transaction_isolation"), ask("COMMIT"),
	}},
	{"statements that refuse a block", []step{
		ask("VACUUM t"), ask("BEGIN"), ask("VACUUM t"), ask("ROLLBACK"), ask("SELECT 1; VACUUM t"), ask("VACUUM t; SELECT 1"),
		ask("CREATE INDEX CONCURRENTLY i1 ON t (v)"), ask("DROP INDEX i1"), ask("BEGIN; CREATE INDEX CONCURRENTLY i2 ON t (v)"), ask("ROLLBACK"),
	}},
	{"procedures that commit", []step{
		ask("CALL committing()"), ask("SELECT id FROM t WHERE id > 900 ORDER BY id"), ask("DELETE FROM t WHERE id > 900"),
		ask("BEGIN"), ask("CALL committing()"), ask("ROLLBACK"), ask("SELECT 1; CALL committing()"), ask("SELECT count(*) FROM t WHERE id > 900"),
		ask("DO $$BEGIN RAISE NOTICE 'here'; END$$"), ask("DO $$BEGIN INSERT INTO t VALUES (903, 'd'); COMMIT; RAISE EXCEPTION 'after'; END$$"),
		ask("SELECT id FROM t WHERE id > 900 ORDER BY id"),
	}},
	{"notices come once", []step{
		ask("SELECT loud('a')"), ask("INSERT INTO t VALUES (20, loud('b'))"), ask("BEGIN"), ask("INSERT INTO t VALUES (21, loud('c'))"), ask("COMMIT"),
		ask("DROP TABLE IF EXISTS nowhere"), ask("CREATE TABLE IF NOT EXISTS t (id int)"), ask("DO $$BEGIN RAISE WARNING 'w'; END$$"),
	}},
	{"error with all its fields", []step{
		ask(`DO $$BEGIN RAISE EXCEPTION 'm' USING ERRCODE = 'UX123', DETAIL = 'd', HINT = 'h', COLUMN = 'c', CONSTRAINT = 'k', DATATYPE = 'y', TABLE = 't', SCHEMA = 's'; END$$`),
		ask("INSERT INTO t VALUES (1, 'x')"), ask("INSERT INTO t (v) VALUES ('x')"),
	}},
	{"PREPARE and EXECUTE by SQL", []step{
		ask("PREPARE p AS SELECT 1"), ask("EXECUTE p"), ask("PREPARE p AS SELECT 2"), ask("EXECUTE nowhere"), ask("DEALLOCATE p"), ask("EXECUTE p"),
		ask("PREPARE w(int) AS INSERT INTO t VALUES ($1, 'p')"), ask("EXECUTE w(20)"), ask("EXECUTE w(20)"), ask("EXECUTE w(1, 2)"),
		ask("DEALLOCATE ALL"), ask("EXECUTE w(21)"), ask("DEALLOCATE nowhere"), ask("DEALLOCATE PREPARE nowhere"),
		ask("PREPARE s AS SELEC"), ask("PREPARE a AS SELECT 1; EXECUTE a; DEALLOCATE a"),
	}},
	{"PREPARE survives ROLLBACK", []step{
		ask("BEGIN"), ask("PREPARE p AS SELECT 1"), ask("ROLLBACK"), ask("EXECUTE p"),
		ask("BEGIN"), ask("DEALLOCATE p"), ask("ROLLBACK"), ask("EXECUTE p"),
	}},
	{"PREPARE in a failed block", []step{
		ask("BEGIN"), ask("SELECT 1/0"), ask("PREPARE p AS SELECT 1"), ask("EXECUTE p"), ask("DEALLOCATE ALL"), ask("ROLLBACK"), ask("EXECUTE p"),
	}},
	{"cursors", []step{
		ask("DECLARE c CURSOR FOR SELECT 1"), ask("BEGIN"), ask("DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id"), ask("FETCH 3 FROM c"), ask("MOVE 2 IN c"),
		ask("FETCH NEXT FROM c"), ask("FETCH nowhere"), ask("ROLLBACK"),
		ask("BEGIN"), ask("DECLARE c SCROLL CURSOR FOR SELECT id FROM t ORDER BY id"), ask("FETCH ALL FROM c"), ask("FETCH BACKWARD 2 FROM c"),
		ask("UPDATE t SET v = 'z' WHERE CURRENT OF c"), ask("CLOSE c"), ask("CLOSE c"), ask("ROLLBACK"),
		ask("DECLARE h CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY id"), ask("FETCH 2 FROM h"), ask("CLOSE ALL"), ask("FETCH 2 FROM h"),
		ask("BEGIN; DECLARE d CURSOR FOR SELECT id FROM t ORDER BY id; FETCH 2 FROM d; COMMIT; FETCH 1 FROM d"),
	}},
	{"SET and ParameterStatus", []step{
		ask("SET timezone = 'Europe/Paris'"), ask("SET datestyle = german"), ask("SET application_name = 'it'"), ask("SHOW datestyle"),
		ask("SET standard_conforming_strings = off"), ask("SET standard_conforming_strings = on"), ask("SET intervalstyle = iso_8601"),
		ask("SET client_encoding = latin1"), ask("SELECT 'ä'"), ask("SET client_encoding = utf8"), ask("RESET ALL"), ask("RESET timezone"),
		ask("SET nothing.at_all = 'x'"), ask("SHOW nothing.at_all"), ask("SET nothing = 1"), ask("SET timezone = 'Nowhere'"), ask("SELECT set_config('timezone', 'UTC', false)"),
	}},
	{"SET and ROLLBACK", []step{
		ask("BEGIN"), ask("SET timezone = 'Asia/Tokyo'"), ask("ROLLBACK"), ask("SHOW timezone"),
		ask("BEGIN"), ask("SET LOCAL timezone = 'Asia/Tokyo'"), ask("SELECT 1"), ask("COMMIT"), ask("SHOW timezone"),
		ask("BEGIN"), ask("SAVEPOINT a"), ask("SET timezone = 'Asia/Tokyo'"), ask("ROLLBACK TO a"), ask("COMMIT"),
		ask("SET LOCAL timezone = 'Asia/Tokyo'"), ask("SHOW timezone"),
		ask("SET timezone = 'Asia/Tokyo'; SELECT 1/0"), ask("SHOW timezone"),
		ask("BEGIN; SET timezone = 'Asia/Tokyo'; SELECT 1/0"), ask("COMMIT"), ask("SHOW timezone"),
		ask("SELECT zoned()"), ask("SHOW timezone"), ask("INSERT INTO t VALUES (20, zoned())"),
	}},
	{"SET inside a string", []step{
		ask("SET timezone = 'Asia/Tokyo'; SHOW timezone; SET timezone = 'UTC'"), ask("SET LOCAL timezone = 'Asia/Tokyo'; SHOW timezone"), ask("SHOW timezone"),
	}},
	{"roles", []step{
		ask("CREATE ROLE reader"), ask("SET ROLE reader"), ask("SELECT current_user, session_user"), ask("SELECT * FROM t"), ask("RESET ROLE"),
		ask("SET SESSION AUTHORIZATION reader"), ask("SELECT current_user, session_user"), ask("RESET SESSION AUTHORIZATION"),
		ask("BEGIN"), ask("SET LOCAL ROLE reader"), ask("SELECT current_user"), ask("COMMIT"), ask("SELECT current_user"), ask("DROP ROLE reader"),
	}},
	{"DISCARD", []step{
		ask("SET timezone = 'Asia/Tokyo'"), ask("PREPARE p AS SELECT 1"), ask("CREATE TEMP TABLE tt (x int)"), ask("DISCARD ALL"),
		ask("SHOW timezone"), ask("EXECUTE p"), ask("SELECT * FROM tt"), ask("BEGIN"), ask("DISCARD ALL"), ask("ROLLBACK"), ask("DISCARD PLANS"), ask("DISCARD TEMP"),
		ask("DISCARD SEQUENCES"), ask("SELECT 1; DISCARD ALL"),
	}},
	{"temporary tables", []step{
		ask("CREATE TEMP TABLE t (x int)"), ask("INSERT INTO t VALUES (1)"), ask("SELECT * FROM t"), ask("DROP TABLE t"), ask("SELECT count(*) FROM t"),
		ask("BEGIN"), ask("CREATE TEMP TABLE u (x int) ON COMMIT DROP"), ask("INSERT INTO u VALUES (1) RETURNING *"), ask("COMMIT"), ask("SELECT * FROM u"),
	}},
	{"advisory locks", []step{
		ask("SELECT pg_advisory_lock(7)"), ask("SELECT pg_advisory_unlock(7)"), ask("SELECT pg_advisory_unlock(7)"), ask("SELECT pg_try_advisory_xact_lock(7)"),
	}},
	{"LISTEN and NOTIFY", []step{
		ask("LISTEN ch"), ask("NOTIFY ch, 'one'"), ask("BEGIN"), ask("NOTIFY ch, 'two'"), ask("SELECT 1"), ask("COMMIT"), ask("SELECT pg_notify('ch', 'three')"),
		ask("BEGIN"), ask("NOTIFY ch, 'no'"), ask("ROLLBACK"), ask("UNLISTEN ch"), ask("NOTIFY ch, 'nobody'"), ask("LISTEN a; LISTEN b; NOTIFY b, 'x'"), ask("UNLISTEN *"),
		ask("BEGIN"), ask("LISTEN ch"), ask("ROLLBACK"), ask("NOTIFY ch, 'nobody'"),
	}},
	{"DDL", []step{
		ask("CREATE TABLE n (a serial, b int DEFAULT 7)"), ask("INSERT INTO n DEFAULT VALUES RETURNING *"), ask("ALTER TABLE n ADD c text"), ask("SELECT * FROM n"),
		ask("CREATE TABLE n (a int)"), ask("DROP TABLE n"), ask("DROP TABLE n"), ask("BEGIN; CREATE TABLE n (a int); DROP TABLE n; COMMIT"),
		ask("CREATE TABLE m AS SELECT * FROM t"), ask("SELECT * INTO l FROM m"), ask("DROP TABLE m, l"), ask("TRUNCATE t"), ask("SELECT count(*) FROM t"),
	}},
	{"time functions", []step{
		ask("CREATE TABLE clock (id int, a timestamptz, b date, c time, d timestamptz DEFAULT now())"),
		ask("INSERT INTO clock VALUES (1, now(), current_date, localtime)"),
		ask("INSERT INTO clock VALUES (2, now(), current_date, localtime); INSERT INTO clock VALUES (3, now(), current_date, localtime)"),
		ask("SELECT count(DISTINCT a), bool_and(abs(extract(epoch FROM now() - a)) < 60), bool_and(d IS NOT NULL) FROM clock"),
		ask("BEGIN"), ask("UPDATE clock SET a = now() WHERE id = 1"), ask("UPDATE clock SET a = now() WHERE id = 2"), ask("COMMIT"),
		ask("SELECT count(DISTINCT a) FROM clock WHERE id < 3"), ask("UPDATE clock SET a = now(), nothing = 1"), ask("DROP TABLE clock"),
	}},
	{"EXPLAIN and SHOW", []step{ask("EXPLAIN (COSTS OFF) SELECT 1"), ask("EXPLAIN (COSTS OFF) INSERT INTO t VALUES (20, 'x')"), ask("SHOW server_version"), ask("SHOW nothing")}},
	{"large rows and many rows", []step{
		ask("SELECT repeat('x', 100000)"), ask("SELECT repeat('y', 300000) FROM generate_series(1, 3)"), ask("SELECT i, repeat('z', 100) FROM generate_series(1, 3000) AS i"),
		ask("INSERT INTO t SELECT i, repeat('w', 1000) FROM generate_series(100, 400) AS i RETURNING id, v"),
	}},
	{"row then error", []step{
		ask("SELECT 10 / (5 - i) FROM generate_series(1, 10) AS i"), ask("SELECT repeat('x', 1000), 10 / (500 - i) FROM generate_series(1, 1000) AS i"),
		ask("INSERT INTO t SELECT 100 + i, 10 / (5 - i) FROM generate_series(1, 10) AS i RETURNING id"),
		ask("INSERT INTO t SELECT 1000 + i, repeat('x', 500 / (300 - i) * 1000) FROM generate_series(1, 400) AS i RETURNING id, v"),
		ask("SELECT count(*) FROM t"),
	}},
	{"characters beyond ASCII and odd quoting", []step{
		ask("SELECT 'äöü€𝄞'"), ask("SELECT E'a\\'b', $$it's$$, $x$ $$ $x$, U&'\\0061'"), ask("SELECT ';', \"id\" FROM t WHERE id = 1"), ask("SELECT $1"),
	}},
	{"two-phase commit is refused as configured", []step{ask("BEGIN"), ask("PREPARE TRANSACTION 'x'"), ask("SELECT 1"), ask("COMMIT PREPARED 'nowhere'")}},
	{"transactions and deferred constraints", []step{
		ask("CREATE TABLE f (id int PRIMARY KEY, p int REFERENCES f DEFERRABLE INITIALLY DEFERRED)"),
		ask("INSERT INTO f VALUES (1, 2)"), ask("BEGIN"), ask("INSERT INTO f VALUES (1, 2)"), ask("COMMIT"), ask("SELECT 1"),
		ask("BEGIN"), ask("INSERT INTO f VALUES (1, 2)"), ask("INSERT INTO f VALUES (2, 1)"), ask("COMMIT"), ask("INSERT INTO f VALUES (5, 6); SELECT 1"),
		ask("INSERT INTO f VALUES (7, 8) RETURNING id"), ask("DROP TABLE f"),
	}},
}
