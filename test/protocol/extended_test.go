package protocol

import "fmt"

// OIDs of types (pg_type).
const (
	int4OID = 23
	textOID = 25
)

// extendedSequences are extended queries (protocol chapter 55.2.3).
var extendedSequences = append([]sequence{
	{"one statement", []step{
		ready(1, run("SELECT 1"), syncUp()), ready(1, run("SELECT $1::int + 1", "41"), syncUp()), ready(1, run("SELECT v FROM t WHERE id = $1", "3"), syncUp()),
		ready(1, run("INSERT INTO t VALUES ($1, $2)", "20", "x"), syncUp()), ready(1, run("UPDATE t SET v = $1 WHERE id = $2 RETURNING *", "y", "20"), syncUp()),
		ready(1, run("SELECT $1::text", null), syncUp()), ready(1, run("DELETE FROM t WHERE id = $1", "20"), syncUp()),
	}},
	{"nothing but Sync", []step{ready(1, syncUp()), ready(3, syncUp(), syncUp(), syncUp())}},
	{"empty statement", []step{ready(1, run(""), syncUp()), ready(1, run("-- c"), syncUp()), ready(1, run(";"), syncUp()),
		ready(1, parse("e", ""), describeStatement("e"), bind("", "e"), describePortal(""), execute("", 0), execute("", 0), syncUp())}},
	{"several statements in a Parse", []step{ready(1, parse("", "SELECT 1; SELECT 2"), syncUp()), ready(1, run("SELECT 1;"), syncUp()), ready(1, parse("", "BEGIN; SELECT 1"), syncUp())}},
	{"named statements", []step{
		ready(1, parse("s", "SELECT $1::int"), syncUp()), ready(1, bind("", "s", "1"), execute("", 0), syncUp()), ready(1, bind("", "s", "2"), execute("", 0), syncUp()),
		ready(1, parse("s", "SELECT 2"), syncUp()), ready(1, bind("", "s", "3"), execute("", 0), syncUp()), ready(1, closeStatement("s"), syncUp()),
		ready(1, bind("", "s", "4"), execute("", 0), syncUp()), ready(1, parse("s", "SELECT 'new'"), bind("", "s"), execute("", 0), syncUp()),
	}},
	{"named writes", []step{
		ready(1, parse("w", "INSERT INTO t VALUES ($1, $2) RETURNING id"), describeStatement("w"), syncUp()),
		ready(1, bind("", "w", "20", "a"), execute("", 0), bind("", "w", "21", "b"), execute("", 0), syncUp()),
		ready(1, bind("", "w", "22", "a"), execute("", 0), bind("", "w", "22", "b"), execute("", 0), bind("", "w", "23", "c"), execute("", 0), syncUp()),
		ready(1, closeStatement("w"), bind("", "w", "24", "d"), syncUp()), ask("SELECT id FROM t WHERE id >= 20 ORDER BY id"),
	}},
	{"Parse of what is there already", []step{
		ready(1, parse("s", "SELECT 1"), parse("s", "SELECT 2"), parse("x", "SELECT 3"), syncUp()), ready(1, bind("", "s"), execute("", 0), syncUp()), ready(1, bind("", "x"), syncUp()),
		ready(1, closeStatement("s"), parse("s", "SELECT 4"), bind("", "s"), execute("", 0), syncUp()),
	}},
	{"two unnamed Parses in one batch", []step{
		ready(1, parse("", "CREATE TABLE two (a int)"), bind("", ""), execute("", 0), parse("", "INSERT INTO two VALUES (7) RETURNING a"), bind("", ""), execute("", 0), syncUp()),
		ready(1, run("SELECT 1"), run("SELECT 'b', 2"), run("DROP TABLE two"), syncUp()),
		ready(1, parse("", "SELECT 1"), parse("", "SELECT 2"), bind("", ""), execute("", 0), syncUp()),
		ready(1, parse("", "SELECT 1"), bind("a", ""), parse("", "SELECT 2"), bind("b", ""), execute("b", 0), execute("a", 0), syncUp()),
	}},
	{"the unnamed statement lives on until a Query", []step{
		ready(1, parse("", "SELECT 5"), syncUp()), ready(1, bind("", ""), execute("", 0), syncUp()), ask("SELECT 1"), ready(1, bind("", ""), syncUp()),
		ready(1, parse("", "SELECT 5"), syncUp()), ready(1, parse("", "SELEC"), syncUp()), ready(1, bind("", ""), syncUp()),
	}},
	{"Describe of both kinds", []step{
		ready(1, parse("s", "SELECT id, v FROM t WHERE id = $1 AND v = $2"), describeStatement("s"), syncUp()),
		ready(1, parse("n", "INSERT INTO t VALUES ($1, $2)"), describeStatement("n"), bind("p", "n", "20", "x"), describePortal("p"), syncUp()),
		ready(1, describeStatement("nowhere"), syncUp()), ready(1, describePortal("nowhere"), syncUp()), ready(1, describePortal(""), syncUp()),
		ready(1, bindFormats("", "s", []int{0}, []string{"1", "row 1"}, []int{1, 0}), describePortal(""), execute("", 0), syncUp()),
		ready(1, parse("b", "BEGIN"), describeStatement("b"), parse("c", "CREATE TABLE q (a int)"), describeStatement("c"), syncUp()),
		ready(1, parse("typed", "SELECT $1, $2", int4OID, textOID), describeStatement("typed"), syncUp()),
	}},
	{"parameters whose type is not known", []step{
		ready(1, parse("", "SELECT $1"), describeStatement(""), syncUp()), ready(1, parse("", "SELECT $2::int"), describeStatement(""), syncUp()),
		ready(1, parse("", "SELECT $1 + $2"), syncUp()), ready(1, parse("", "SELECT $0"), syncUp()), ready(1, parse("", "SELECT $1::int + $1::text"), syncUp()),
	}},
	{"portals with a row limit", []step{
		ready(1, parse("s", "SELECT id FROM t ORDER BY id"), bind("p", "s"), execute("p", 3), execute("p", 3), execute("p", 100), execute("p", 1), syncUp()),
		ready(1, bind("p", "s"), execute("p", 10), execute("p", 1), syncUp()), ready(1, execute("p", 1), syncUp()),
		ask("BEGIN"), ready(1, bind("p", "s"), execute("p", 2), syncUp()), ready(1, execute("p", 2), syncUp()), ready(1, describePortal("p"), execute("p", 2), closePortal("p"), syncUp()),
		ready(1, execute("p", 2), syncUp()), ask("ROLLBACK"),
	}},
	{"portals of writes with a row limit", []step{
		ready(1, parse("s", "INSERT INTO t SELECT i, 'x' FROM generate_series(20, 29) AS i RETURNING id"), bind("p", "s"), execute("p", 3), execute("p", 3), execute("p", 0), syncUp()),
		ready(1, parse("u", "UPDATE t SET v = 'z' WHERE id >= 20 RETURNING id"), bind("p", "u"), execute("p", 1), syncUp()), ask("SELECT count(*) FROM t WHERE v = 'z'"),
		ask("BEGIN"), ready(1, bind("p", "u"), execute("p", 2), syncUp()), ready(1, execute("p", 2), syncUp()), ask("COMMIT"), ask("DELETE FROM t WHERE id >= 20"),
	}},
	{"portals of one batch", []step{
		ready(1, parse("a", "SELECT id FROM t WHERE id < 4 ORDER BY id"), parse("b", "SELECT 'b' || id FROM t WHERE id < 4 ORDER BY id"),
			bind("pa", "a"), bind("pb", "b"), execute("pa", 1), execute("pb", 1), execute("pa", 1), execute("pb", 0), execute("pa", 0), syncUp()),
		ready(1, bind("pa", "a"), bind("pa", "b"), syncUp()), ready(1, bind("pa", "a"), closePortal("pa"), bind("pa", "b"), execute("pa", 0), syncUp()),
		ready(1, bind("", "a"), bind("", "b"), execute("", 0), syncUp()),
	}},
	{"portals end with the transaction", []step{
		ready(1, parse("a", "SELECT 1"), bind("p", "a"), syncUp()), ready(1, execute("p", 0), syncUp()), ready(1, bind("", "a"), syncUp()), ready(1, execute("", 0), syncUp()),
		ask("BEGIN"), ready(1, bind("p", "a"), syncUp()), ready(1, execute("p", 0), syncUp()), ask("COMMIT"), ready(1, execute("p", 0), syncUp()),
		ask("BEGIN"), ready(1, bind("p", "a"), syncUp()), ask("SAVEPOINT s"), ready(1, bind("q", "a"), syncUp()), ask("ROLLBACK TO s"), ready(1, execute("q", 0), syncUp()), ask("ROLLBACK"),
	}},
	{"Execute twice", []step{
		ready(1, parse("", "SELECT 1"), bind("", ""), execute("", 0), execute("", 0), syncUp()), ready(1, parse("", "INSERT INTO t VALUES (20, 'x')"), bind("", ""), execute("", 0), execute("", 0), syncUp()),
		ask("SELECT count(*) FROM t"),
	}},
	{"Close", []step{
		ready(1, closeStatement("nowhere"), closePortal("nowhere"), closeStatement(""), closePortal(""), syncUp()),
		ready(1, parse("s", "SELECT 1"), bind("p", "s"), closeStatement("s"), execute("p", 0), syncUp()), ready(1, bind("", "s"), syncUp()),
		ready(1, parse("w", "INSERT INTO t VALUES (20, 'x')"), bind("p", "w"), closeStatement("w"), execute("p", 0), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, parse("", "SELECT 1"), closeStatement(""), bind("", ""), syncUp()), ready(1, run("SELECT 1"), closeStatement(""), closePortal(""), syncUp()),
	}},
	{"Close keeps its place among the answers", []step{
		ready(1, run("SELECT id FROM t WHERE id < 3 ORDER BY id"), closePortal(""), run("SELECT 2"), closeStatement("x"), run("UPDATE t SET v = v WHERE id = 1"), closePortal("y"), syncUp()),
		ready(2, run("SELECT 1"), closeStatement("a"), syncUp(), closeStatement("b"), syncUp()), ready(1, run("SHOW pool_nodes_x"), closeStatement("a"), syncUp()),
	}},
	{"Bind errors", []step{
		ready(1, parse("s", "SELECT $1::int"), syncUp()), ready(1, bind("", "s"), syncUp()), ready(1, bind("", "s", "1", "2"), syncUp()), ready(1, bind("", "s", "x"), execute("", 0), syncUp()),
		ready(1, bindFormats("", "s", []int{0, 0}, []string{"1"}, nil), syncUp()), ready(1, bindFormats("", "s", []int{7}, []string{"1"}, nil), syncUp()),
		ready(1, bindFormats("", "s", []int{1}, []string{"abc"}, nil), syncUp()), ready(1, bindFormats("", "s", nil, []string{"1"}, []int{0, 0}), describePortal(""), execute("", 0), syncUp()),
		ready(1, bind("", "nowhere"), syncUp()), ready(1, bind("", "s", "5"), execute("", 0), syncUp()),
	}},
	{"Bind errors of writes", []step{
		ready(1, parse("s", "INSERT INTO t VALUES ($1, $2)"), syncUp()), ready(1, bind("", "s"), syncUp()), ready(1, bind("", "s", "x", "y"), execute("", 0), syncUp()),
		ready(1, bindFormats("", "s", []int{7}, []string{"1", "x"}, nil), syncUp()), ready(1, bindFormats("", "s", []int{1, 0}, []string{"\x00\x00\x00\x14", "x"}, nil), execute("", 0), syncUp()),
		ask("SELECT id, v FROM t WHERE id >= 20"),
	}},
	{"binary formats", []step{
		ready(1, parse("s", "SELECT $1::int4, $2::text, $3::bytea"), bindFormats("", "s", []int{1, 0, 1}, []string{"\x00\x00\x00\x2a", "x", "\x00\xff"}, []int{1}), describePortal(""), execute("", 0), syncUp()),
		ready(1, bindFormats("", "s", []int{0}, []string{"1", null, "\\x01"}, []int{0, 1, 1}), describePortal(""), execute("", 0), syncUp()),
		ready(1, parse("w", "INSERT INTO wide (a, b, c, d, f) VALUES ($1, $2, $3, $4, $5) RETURNING a, b, c, d, f"),
			bindFormats("", "w", []int{1}, []string{"\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x02", "c", "\x00\x01", "\x01"}, []int{1}), describePortal(""), execute("", 0), syncUp()),
	}},
	{"time functions with parameters", []step{
		ready(1, parse("s", "INSERT INTO wide (a, g) VALUES ($1, now()) RETURNING a, abs(extract(epoch FROM g - now())) < 60"), describeStatement("s"), syncUp()),
		ready(1, bind("", "s", "1"), describePortal(""), execute("", 0), syncUp()), ready(1, bindFormats("", "s", []int{1}, []string{"\x00\x00\x00\x02"}, []int{1, 0}), execute("", 0), syncUp()),
		ready(1, bindFormats("", "s", []int{0}, []string{"3"}, []int{0}), execute("", 0), syncUp()), ready(1, bind("", "s"), syncUp()), ready(1, bind("", "s", "1", "2"), syncUp()), ready(1, bind("", "s", "x"), syncUp()),
		ready(1, run("INSERT INTO wide (a, g) VALUES (4, current_timestamp)"), syncUp()), ready(1, run("INSERT INTO wide (a, g) VALUES ($1, $2)", "5", "2020-01-01"), syncUp()),
		ready(1, parse("u", "UPDATE wide SET g = now(), h = $2 WHERE a = $1"), describeStatement("u"), bind("", "u", "1", "1.5"), execute("", 0), syncUp()),
		ready(1, parse("", "UPDATE wide SET g = now(), nothing = 1"), syncUp()), ask("SELECT count(*), count(g), sum(h) FROM wide"),
	}},
	{"transaction control by extended query", []step{
		ready(1, run("BEGIN"), syncUp()), ready(1, run("INSERT INTO t VALUES (20, 'x')"), syncUp()), ready(1, run("ROLLBACK"), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, run("BEGIN"), run("INSERT INTO t VALUES (21, 'x')"), run("COMMIT"), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, run("INSERT INTO t VALUES (22, 'x')"), run("BEGIN"), run("INSERT INTO t VALUES (23, 'x')"), syncUp()), ready(1, run("ROLLBACK"), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, run("BEGIN"), run("SELECT 1/0"), run("COMMIT"), syncUp()), ready(1, run("COMMIT"), syncUp()),
		ready(1, run("INSERT INTO t VALUES (24, 'x')"), run("COMMIT"), run("INSERT INTO t VALUES (25, 'x')"), run("SELECT 1/0"), syncUp()), ask("SELECT id FROM t WHERE id >= 20 ORDER BY id"),
		ready(1, run("INSERT INTO t VALUES (26, 'x')"), run("ROLLBACK"), run("INSERT INTO t VALUES (27, 'x')"), syncUp()), ask("SELECT id FROM t WHERE id >= 20 ORDER BY id"),
		ready(1, run("COMMIT"), syncUp()), ready(1, run("ROLLBACK"), syncUp()), ready(1, run("BEGIN"), run("BEGIN"), syncUp()), ready(1, run("SAVEPOINT a"), run("RELEASE a"), run("END"), syncUp()),
		ready(1, run("SAVEPOINT a"), syncUp()), ready(1, run("INSERT INTO t VALUES (28, 'x')"), run("SAVEPOINT a"), syncUp()),
	}},
	{"failed block by extended query", []step{
		ready(1, run("BEGIN"), syncUp()), ready(1, run("SELECT 1/0"), syncUp()), ready(1, run("SELECT 1"), syncUp()), ready(1, parse("a", "SELECT 1"), syncUp()),
		ready(1, run(""), syncUp()), ready(1, parse("r", "ROLLBACK"), syncUp()), ready(1, describeStatement("r"), syncUp()), ready(1, bind("", "r"), execute("", 0), syncUp()), ready(1, run("SELECT 1"), syncUp()),
		ready(1, parse("s", "SELECT 1"), syncUp()), ask("BEGIN"), ask("SELEC"), ready(1, bind("", "s"), syncUp()), ready(1, describeStatement("s"), syncUp()), ready(1, closeStatement("s"), syncUp()), ready(1, syncUp()), ask("ROLLBACK"),
	}},
	{"savepoints by extended query", []step{
		ready(1, run("BEGIN"), run("SAVEPOINT a"), run("INSERT INTO t VALUES (20, 'x')"), run("SELECT 1/0"), syncUp()), ready(1, run("ROLLBACK TO a"), run("INSERT INTO t VALUES (21, 'x')"), syncUp()),
		ready(1, run("COMMIT"), syncUp()), ask("SELECT id FROM t WHERE id >= 20"),
	}},
	{"one implicit transaction up to Sync", []step{
		ready(1, run("INSERT INTO t VALUES (20, 'x')"), run("INSERT INTO t VALUES (20, 'y')"), run("INSERT INTO t VALUES (21, 'x')"), syncUp()), ask("SELECT count(*) FROM t"),
		ready(2, run("INSERT INTO t VALUES (20, 'x')"), syncUp(), run("INSERT INTO t VALUES (20, 'y')"), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, run("INSERT INTO t VALUES (30, 'x')"), run("SELECT count(*) FROM t"), run("SELECT 1/0"), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, run("SELECT 1"), run("INSERT INTO t VALUES (31, 'x')"), run("SELECT 2"), syncUp()),
	}},
	{"statements that refuse a block", []step{
		ready(1, run("VACUUM t"), syncUp()), ready(1, run("SELECT 1"), run("VACUUM t"), syncUp()), ready(1, run("VACUUM t"), run("SELECT 1"), syncUp()),
		ready(1, run("BEGIN"), run("VACUUM t"), syncUp()), ask("ROLLBACK"), ready(1, run("CALL committing()"), syncUp()), ask("DELETE FROM t WHERE id > 900"),
		ready(1, parse("v", "VACUUM t"), syncUp()), ready(1, bind("", "v"), execute("", 0), syncUp()), ready(1, run("DISCARD ALL"), syncUp()), ready(1, bind("", "v"), syncUp()),
	}},
	{"Flush in place of Sync", []step{
		until('n', parse("s", "INSERT INTO t VALUES ($1, 'x')"), describeStatement("s"), flush()), until('C', bind("", "s", "20"), execute("", 0), flush()), ready(1, syncUp()),
		until('T', parse("", "SELECT $1::int"), describeStatement(""), flush()), ready(1, bind("", "", "1"), execute("", 0), syncUp()),
		until('1', parse("", "SELECT 1"), flush()), until('2', bind("", ""), flush()), until('T', describePortal(""), flush()), until('C', execute("", 0), flush()), ready(1, syncUp()),
		until('E', parse("", "SELEC"), flush()), push(parse("", "SELECT 1"), flush()), ready(1, syncUp()),
		until('C', run("INSERT INTO t VALUES (21, 'x')"), flush()), until('E', run("SELECT 1/0"), flush()), ready(1, syncUp()), ask("SELECT count(*) FROM t"),
		until('s', parse("", "SELECT id FROM t ORDER BY id"), bind("", ""), execute("", 1), flush()), until('s', execute("", 1), flush()), until('C', execute("", 0), flush()), ready(1, syncUp()),
		until('3', closeStatement("s"), flush()), ready(1, flush(), syncUp()), until('I', run(""), flush()), ready(1, syncUp()),
	}},
	{"simple query inside of an extended one", []step{
		ready(1, parse("s", "SELECT 1"), query("SELECT 2")), ready(1, syncUp()), ready(1, bind("", "s"), execute("", 0), query("SELECT 3")), ready(1, syncUp()),
		ready(1, run("INSERT INTO t VALUES (20, 'x')"), query("SELECT count(*) FROM t")), ready(1, syncUp()), ready(1, parse("", "SELEC"), query("SELECT 4"), syncUp()),
		ready(1, run("INSERT INTO t VALUES (21, 'x')"), query("SELECT 1/0")), ready(1, syncUp()), ask("SELECT count(*) FROM t"), ready(1, run("BEGIN"), query("SELECT 1")), ready(1, run("SELECT 2"), query("COMMIT")), ready(1, syncUp()),
	}},
	{"SQL's PREPARE and Parse share their names", []step{
		ask("PREPARE a AS SELECT 1"), ready(1, bind("", "a"), execute("", 0), syncUp()), ready(1, parse("a", "SELECT 2"), syncUp()), ready(1, describeStatement("a"), syncUp()),
		ready(1, parse("b", "SELECT 'b'"), syncUp()), ask("EXECUTE b"), ask("DEALLOCATE b"), ready(1, bind("", "b"), syncUp()), ask("PREPARE b AS SELECT 'c'"), ready(1, bind("", "b"), execute("", 0), syncUp()),
		ready(1, closeStatement("a"), syncUp()), ask("EXECUTE a"), ready(1, parse("d", "INSERT INTO t VALUES ($1, 'd')"), syncUp()), ask("EXECUTE d(20)"), ready(1, run("EXECUTE d(21)"), syncUp()),
		ready(1, run("DEALLOCATE ALL"), syncUp()), ready(1, bind("", "d", "22"), syncUp()), ask("EXECUTE b"), ready(1, run("PREPARE e AS SELECT 'e'"), run("EXECUTE e"), run("DEALLOCATE e"), run("EXECUTE e"), syncUp()),
		ask("PREPARE w(int) AS UPDATE t SET v = 'w' WHERE id = $1"), ready(1, parse("x", "EXECUTE w(1)"), describeStatement("x"), bind("", "x"), execute("", 0), syncUp()),
		ready(1, bind("", "w", "2"), execute("", 0), syncUp()), ask("SELECT name, statement, from_sql FROM pg_prepared_statements WHERE name = 'w'"),
	}},
	{"DEALLOCATE by extended query of what one node alone has", []step{
		ready(1, parse("s", "SELECT 1"), bind("", "s"), execute("", 0), syncUp()), ready(1, run("DEALLOCATE s"), syncUp()), ready(1, bind("", "s"), syncUp()),
		ready(1, parse("s", "SELECT 2"), run("DEALLOCATE s"), syncUp()), ready(1, parse("s", "SELECT 3"), bind("", "s"), execute("", 0), syncUp()),
		ask("BEGIN"), ready(1, run("DEALLOCATE s"), syncUp()), ask("COMMIT"), ready(1, parse("s", "UPDATE t SET v = v"), syncUp()), ready(1, run("DEALLOCATE s"), run("DEALLOCATE s"), syncUp()),
	}},
	{"transaction control that is run by EXECUTE", []step{
		ready(1, parse("r", "ROLLBACK"), syncUp()), ask("BEGIN"), ask("INSERT INTO t VALUES (20, 'x')"), ask("EXECUTE r"), ask("SELECT count(*) FROM t"), ask("EXECUTE r"),
		ready(1, parse("c", "COMMIT"), syncUp()), ask("BEGIN"), ask("INSERT INTO t VALUES (20, 'x')"), ask("EXECUTE c"), ask("SELECT count(*) FROM t"),
		ready(1, parse("b", "BEGIN"), syncUp()), ask("EXECUTE b"), ask("INSERT INTO t VALUES (21, 'x')"), ask("ROLLBACK"), ask("SELECT count(*) FROM t"),
	}},
	{"Bind with parameters of a statement that has none", []step{
		ready(1, parse("c", "COMMIT"), bind("", "c", "1"), syncUp()), ready(1, parse("", "BEGIN"), bind("", "", "1", "2"), execute("", 0), syncUp()), ready(1, parse("", ""), bind("", "", "1"), syncUp()),
		ready(1, parse("", "BEGIN"), bind("", ""), execute("", 0), execute("", 0), syncUp()), ask("ROLLBACK"),
	}},
	{"which error comes first", []step{
		ready(1, parse("s", "SELECT 1"), syncUp()), ready(1, parse("s", "SELECT nothing FROM t"), syncUp()), ready(1, parse("s", "SELEC"), syncUp()), ask("BEGIN"), ask("SELECT 1/0"),
		ready(1, parse("s", "SELECT 2"), syncUp()), ready(1, execute("nowhere", 0), syncUp()), ready(1, bind("", "nowhere"), syncUp()), ready(1, describePortal("nowhere"), syncUp()), ready(1, describeStatement("nowhere"), syncUp()), ask("ROLLBACK"),
	}},
	{"statements that need a block, behind a Bind", []step{
		ready(1, parse("s", "INSERT INTO t VALUES ($1, 'x')"), bind("", "s", "20"), query("DECLARE c CURSOR FOR SELECT 1")), ready(1, syncUp()),
		ready(1, bind("", "s", "20"), run("SAVEPOINT a"), syncUp()), ready(1, bind("", "s", "20"), run("RELEASE a"), syncUp()), ready(1, bind("p", "s", "20"), run("ROLLBACK TO a"), syncUp()),
		ready(1, bind("", "s", "20"), execute("", 0), run("LOCK TABLE t"), syncUp()), ready(1, run("LOCK TABLE t"), syncUp()), ask("LOCK TABLE t"), ask("SELECT 1; LOCK TABLE t"),
	}},
	{"names that are dropped by ROLLBACK are not", []step{
		ask("BEGIN"), ready(1, parse("s", "SELECT 1"), syncUp()), ask("ROLLBACK"), ready(1, bind("", "s"), execute("", 0), syncUp()),
		ask("BEGIN"), ready(1, parse("w", "INSERT INTO t VALUES ($1, 'x')"), bind("", "w", "20"), execute("", 0), syncUp()), ask("ROLLBACK"), ready(1, bind("", "w", "21"), execute("", 0), syncUp()), ask("SELECT id FROM t WHERE id >= 20"),
		ready(1, parse("e", "SELECT 1"), run("SELECT 1/0"), syncUp()), ready(1, bind("", "e"), execute("", 0), syncUp()),
		ready(1, parse("f", "UPDATE t SET v = v"), run("INSERT INTO t VALUES (1, 'x')"), syncUp()), ready(1, bind("", "f"), execute("", 0), syncUp()),
	}},
	{"cached plan must not change result type", []step{
		ask("CREATE TABLE plan (a int)"), ready(1, parse("s", "SELECT * FROM plan"), bind("", "s"), execute("", 0), syncUp()), ask("ALTER TABLE plan ADD b int"),
		ready(1, bind("", "s"), syncUp()), ready(1, closeStatement("s"), parse("s", "SELECT * FROM plan"), bind("", "s"), execute("", 0), syncUp()), ask("DROP TABLE plan"), ready(1, bind("", "s"), execute("", 0), syncUp()),
	}},
	{"SQL cursors as portals", []step{
		ask("BEGIN"), ask("DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id"), ready(1, describePortal("c"), execute("c", 2), syncUp()), ask("FETCH 1 FROM c"), ready(1, closePortal("c"), syncUp()), ask("FETCH 1 FROM c"), ask("ROLLBACK"),
		ask("BEGIN"), ready(1, parse("s", "SELECT id FROM t ORDER BY id"), bind("p", "s"), syncUp()), ask("FETCH 2 FROM p"), ready(1, execute("p", 1), syncUp()), ask("CLOSE p"), ready(1, execute("p", 1), syncUp()), ask("ROLLBACK"),
	}},
	{"SET by extended query", []step{
		ready(1, run("SET timezone = 'Asia/Tokyo'"), syncUp()), ready(1, run("SHOW timezone"), syncUp()), ready(1, run("BEGIN"), run("SET timezone = 'UTC'"), syncUp()), ready(1, run("ROLLBACK"), syncUp()), ready(1, run("SHOW timezone"), syncUp()),
		ready(1, run("SET timezone = 'Europe/Paris'"), run("SELECT 1/0"), syncUp()), ask("SHOW timezone"), ready(1, run("SELECT set_config('timezone', $1, true)", "UTC"), run("SHOW timezone"), syncUp()), ask("SHOW timezone"),
		ready(1, run("SET LOCAL timezone = 'UTC'"), run("SHOW timezone"), syncUp()), ask("SHOW timezone"),
	}},
	{"notices and notifications by extended query", []step{
		ask("LISTEN ch"), ready(1, run("SELECT loud('a')"), run("NOTIFY ch, 'x'"), run("INSERT INTO t VALUES (20, loud('b'))"), syncUp()), ready(1, run("SELECT pg_notify('ch', $1)", "y"), syncUp()), ask("UNLISTEN *"),
	}},
	{"function call message", []step{
		ready(1, call(1257, "abc")), ready(1, call(871, "abc")), ready(1, call(99999999, "x")), ready(1, call(871)),
		ask("BEGIN"), ready(1, call(871, "def")), ready(1, call(99999999)), ready(1, call(871, "def")), ask("ROLLBACK"),
		ready(1, parse("", "SELEC"), call(871, "x"), syncUp()), ready(2, run("SELECT 1"), call(871, "ghi"), syncUp()),
	}},
	{"deferred constraints at Sync", []step{
		ask("CREATE TABLE f (id int PRIMARY KEY, p int REFERENCES f DEFERRABLE INITIALLY DEFERRED)"),
		ready(1, run("INSERT INTO f VALUES (1, 2)"), syncUp()), ready(1, run("INSERT INTO f VALUES (1, 2)"), run("INSERT INTO f VALUES (2, 1)"), syncUp()),
		ready(1, run("INSERT INTO f VALUES (3, 4) RETURNING id"), syncUp()), ready(1, run("BEGIN"), run("INSERT INTO f VALUES (3, 4)"), run("COMMIT"), syncUp()),
		ready(1, run("BEGIN"), run("INSERT INTO f VALUES (3, 4)"), run("COMMIT"), run("SELECT 1"), syncUp()), ready(2, run("INSERT INTO f VALUES (5, 6)"), syncUp(), run("SELECT count(*) FROM f"), syncUp()), ask("DROP TABLE f"),
	}},
	{"long statements and long parameters", []step{
		ready(1, run("SELECT length($1)", fmt.Sprintf("%0200000d", 1)), syncUp()), ready(1, run("INSERT INTO t VALUES ($1, $2)", "20", fmt.Sprintf("%0200000d", 1)), syncUp()),
		ready(1, run("SELECT v FROM t WHERE id = $1", "20"), syncUp()), ask("SELECT '" + fmt.Sprintf("%0100000d", 1) + "'"),
	}},
	{"malformed messages", []step{
		ready(1, encode('P', "Parse without an end", []byte("x")), syncUp()), ready(1, encode('B', "Bind cut short", []byte("\x00\x00\x00")), syncUp()), ready(1, encode('E', "Execute cut short", []byte("\x00\x00")), syncUp()),
		ready(1, encode('D', "Describe X", []byte("Xname\x00")), syncUp()), ready(1, encode('C', "Close X", []byte("Xname\x00")), syncUp()), ready(1, encode('D', "Describe of nothing", nil), syncUp()),
		ready(1, encode('P', "Parse with too many types", []byte("\x00SELECT 1\x00\xff\xff")), syncUp()), ready(1, encode('S', "Sync with a body", []byte("x"))), ready(1, syncUp()),
	}},
}, pipelines()...)

// pipelines are pipelines of ten statements with an error at each place, ended by one,
// two and three Syncs.
func pipelines() []sequence {
	const length = 10
	var sequences []sequence
	for _, what := range []struct{ name, good, bad string }{
		{"reads", "SELECT $1::int", "SELECT 1 / ($1::int - $1::int)"},
		{"writes", "INSERT INTO t VALUES (100 + $1::int, 'p')", "INSERT INTO t VALUES ($1::int - $1::int + 1, 'p')"},
		{"Parse errors", "SELECT v FROM t WHERE id = $1", "SELEC $1"},
	} {
		for syncs := 1; syncs <= 3; syncs++ {
			for bad := range length {
				sequences = append(sequences, pipeline(what.name, what.good, what.bad, length, bad, syncs))
			}
		}
	}
	return sequences
}

func pipeline(name, good, bad string, length, at, syncs int) sequence {
	var messages []message
	for i := range length {
		sql := good
		if i == at {
			sql = bad
		}
		messages = append(messages, run(sql, fmt.Sprint(i+1))...)
		if (i+1)*syncs%length < syncs {
			messages = append(messages, syncUp())
		}
	}
	return sequence{
		name:  fmt.Sprintf("pipeline of %s with an error at %d and %d Syncs", name, at, syncs),
		steps: []step{ready(syncs, messages), ready(1, run("SELECT count(*) FROM t"), syncUp())},
	}
}
