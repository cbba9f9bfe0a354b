package protocol

import "strings"

// copyIn is COPY FROM STDIN into table t, by simple and by extended query.
const copyIn = "COPY t FROM STDIN"

// copySequences are COPY in both directions, by both protocols, with what goes wrong in
// between (protocol chapter 55.2.6).
var copySequences = []sequence{
	{"in", []step{
		until('G', query(copyIn)), push(copyData("20\tx\n"), copyData("21\ty\n")), ready(1, copyDone()), ask("SELECT id FROM t WHERE id >= 20 ORDER BY id"),
		until('G', query("COPY t (id) FROM STDIN WITH (FORMAT csv)")), ready(1, copyData("30\n31\n32"), copyDone()), ask("SELECT count(*) FROM t"),
	}},
	{"in, all in one write", []step{
		ready(1, query(copyIn), copyData("20\tx\n"), copyDone()), ready(2, query(copyIn), copyData("21\tx\n"), copyDone(), query("SELECT 1")),
		ready(1, query(copyIn), copyDone()), ask("SELECT count(*) FROM t"),
	}},
	{"in, pieces that end anywhere", []step{
		ready(1, query(copyIn), copyData("2"), copyData("0\t"), copyData(""), copyData("x\n21\t"), copyData("y"), copyDone()), ask("SELECT v FROM t WHERE id IN (20, 21) ORDER BY id"),
		ready(1, query(copyIn), copyData(strings.Repeat("\\", 1)+".\n"), copyDone()),
	}},
	{"in, much", []step{
		ready(1, query("COPY t FROM STDIN"), copyData(rows(1000, 20000)), copyDone()), ask("SELECT count(*), sum(id) FROM t"),
		ready(1, query("COPY t FROM STDIN"), rowByRow(30000, 5000), copyDone()), ask("SELECT count(*), sum(id) FROM t"),
		ready(1, query("COPY t (id, v) FROM STDIN"), copyData("50000\t"+strings.Repeat("x", 300_000)+"\n"), copyDone()), ask("SELECT length(v) FROM t WHERE id = 50000"),
	}},
	{"in, CopyFail", []step{
		until('G', query(copyIn)), ready(1, copyData("20\tx\n"), copyFail("no more")), ask("SELECT count(*) FROM t"),
		ready(1, query(copyIn), copyFail("")), ask("BEGIN"), ready(1, query(copyIn), copyFail("in a block")), ask("SELECT 1"), ask("ROLLBACK"),
	}},
	{"in, error at the first, a middle and the last row", []step{
		ready(1, query(copyIn), copyData("1\ttwice\n"), copyDone()), ready(1, query(copyIn), copyData("20\tx\n1\ttwice\n21\ty\n"), copyDone()), ready(1, query(copyIn), copyData("20\tx\n21\ty\nz\tz\n"), copyDone()),
		ask("SELECT count(*) FROM t"), ask("BEGIN"), ready(1, query(copyIn), copyData("x\n"), copyDone()), ask("SELECT 1"), ask("ROLLBACK"),
	}},
	{"in, data goes on after the error", []step{
		until('G', query(copyIn)), until('E', copyData("x\n"), rowByRow(100, 2000)), ready(1), push(copyData("30\tx\n")), push(copyData("31\tx\n"), copyDone()), ask("SELECT 1"), ask("SELECT count(*) FROM t"),
		until('G', query(copyIn)), ready(1, copyData("x\n")), ready(1, copyDone(), query("SELECT 2")),
		until('G', query(copyIn)), ready(1, copyData("x\n")), ready(1, copyFail("late"), query("SELECT 3")), push(copyData("x"), copyDone(), copyFail("y")), ask("SELECT 4"),
	}},
	{"in, refused before any data", []step{
		ready(1, query("COPY nowhere FROM STDIN")), ready(1, copyData("1\n"), copyDone(), query("SELECT 1")), ask("BEGIN READ ONLY"), ask(copyIn), ask("ROLLBACK"),
		ask("BEGIN"), ask("SELECT 1/0"), ready(1, query(copyIn)), ready(1, copyData("1\n"), copyDone(), query("SELECT 1")), ask("ROLLBACK"),
	}},
	{"in, Flush and Sync among the data", []step{
		until('G', query(copyIn)), ready(1, copyData("20\tx\n"), flush(), syncUp(), copyData("21\tx\n"), syncUp(), copyDone()), ask("SELECT count(*) FROM t"),
	}},
	{"in a block and in a string", []step{
		ask("BEGIN"), until('G', query(copyIn)), ready(1, copyData("20\tx\n"), copyDone()), ask("SELECT count(*) FROM t"), ask("ROLLBACK"), ask("SELECT count(*) FROM t"),
		ready(1, query("SELECT 1; COPY t FROM STDIN; SELECT count(*) FROM t"), copyData("20\tx\n"), copyDone()), ready(1, query("COPY t FROM STDIN; COPY t FROM STDIN"), copyData("21\tx\n"), copyDone(), copyData("22\tx\n"), copyDone()),
		ready(1, query("COPY t FROM STDIN; SELECT 1/0"), copyData("23\tx\n"), copyDone()), ready(1, query("COPY t FROM STDIN; SELECT 1"), copyData("x\n"), copyDone()), ask("SELECT count(*) FROM t"),
		ready(1, query("BEGIN; COPY t FROM STDIN; COMMIT"), copyData("24\tx\n"), copyDone()), ready(1, query("COPY t FROM STDIN; ROLLBACK"), copyData("25\tx\n"), copyDone()), ask("SELECT id FROM t WHERE id >= 20 ORDER BY id"),
	}},
	{"out", []step{
		ask("COPY t TO STDOUT"), ask("COPY (SELECT i, repeat('x', 200) FROM generate_series(1, 2000) AS i) TO STDOUT WITH (FORMAT csv, HEADER)"), ask("COPY t TO STDOUT WITH (FORMAT binary)"),
		ask("COPY (SELECT 10 / (5 - i) FROM generate_series(1, 10) AS i) TO STDOUT"), ask("COPY nowhere TO STDOUT"), ask("COPY (INSERT INTO t VALUES (20, 'x') RETURNING id) TO STDOUT"), ask("SELECT count(*) FROM t"),
		ask("SELECT 1; COPY t TO STDOUT; SELECT 2"), ask("BEGIN"), ask("INSERT INTO t VALUES (21, 'x')"), ask("COPY t TO STDOUT"), ask("ROLLBACK"), ask("COPY (SELECT repeat('y', 200000)) TO STDOUT"),
	}},
	{"in by extended query", []step{
		until('G', parse("", copyIn), bind("", ""), execute("", 0), flush()), until('C', copyData("20\tx\n"), copyDone(), flush()), ready(1, syncUp()), ask("SELECT count(*) FROM t"),
		until('G', parse("c", copyIn), describeStatement("c"), bind("", "c"), describePortal(""), execute("", 0), flush()), ready(1, copyData("21\tx\n"), copyDone(), syncUp()), ask("SELECT count(*) FROM t"),
		until('G', bind("", "c"), execute("", 0), flush()), until('C', copyData("22\tx\n"), copyDone(), flush()), until('C', run("SELECT 1"), flush()), ready(1, syncUp()),
	}},
	{"in by extended query, Sync in front of the data is ignored", []step{
		until('G', parse("c", copyIn), bind("", "c"), execute("", 0), syncUp()), ready(1, copyData("20\tx\n"), copyDone(), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, bind("", "c"), execute("", 0), syncUp(), copyData("21\tx\n"), copyDone(), syncUp()), until('G', bind("", "c"), execute("", 0), syncUp()), ready(1, copyData("22\tx\n"), copyDone(), syncUp(), query("SELECT 1")), ready(1),
	}},
	{"in by extended query, CopyFail", []step{
		until('G', parse("c", copyIn), bind("", "c"), execute("", 0), syncUp()), ready(1, copyData("20\tx\n"), copyFail("no"), syncUp()), ask("SELECT count(*) FROM t"),
		until('G', bind("", "c"), execute("", 0), flush()), until('E', copyFail("no"), flush()), ready(1, run("SELECT 1"), syncUp()),
	}},
	{"in by extended query, error", []step{
		until('G', parse("c", copyIn), bind("", "c"), execute("", 0), syncUp()), ready(1, copyData("x\n"), copyDone(), syncUp()), ready(1, bind("", "c"), execute("", 0), syncUp(), copyData("1\tx\n"), copyDone(), syncUp()),
		until('G', bind("", "c"), execute("", 0), flush()), until('E', copyData("x\n"), flush()), ready(1, copyData("20\tx\n"), copyDone(), run("SELECT 1"), syncUp()), ask("SELECT count(*) FROM t"),
		ask("BEGIN"), until('G', bind("", "c"), execute("", 0), flush()), ready(1, copyData("x\n"), copyDone(), syncUp()), ready(1, run("SELECT 1"), syncUp()), ask("ROLLBACK"),
	}},
	{"in within a pipeline", []step{
		ready(1, run("INSERT INTO t VALUES (20, 'x')"), parse("c", copyIn), bind("", "c"), execute("", 0), copyData("21\tx\n"), copyDone(), run("SELECT count(*) FROM t"), syncUp()),
		ready(1, run("INSERT INTO t VALUES (22, 'x')"), bind("", "c"), execute("", 0), copyData("1\tx\n"), copyDone(), run("SELECT count(*) FROM t"), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, bind("", "c"), execute("", 0), copyData("23\tx\n"), copyDone(), bind("", "c"), execute("", 0), copyData("24\tx\n"), copyDone(), syncUp()), ask("SELECT count(*) FROM t"),
		ready(1, run("SELECT 1/0"), bind("", "c"), execute("", 0), copyData("25\tx\n"), copyDone(), syncUp()), ask("SELECT count(*) FROM t"),
	}},
	{"out by extended query", []step{
		ready(1, run("COPY t TO STDOUT"), syncUp()), ready(1, run("SELECT 1"), run("COPY t TO STDOUT"), run("SELECT 2"), syncUp()), ready(1, run("COPY (SELECT 10 / (5 - i) FROM generate_series(1, 10) AS i) TO STDOUT"), run("SELECT 2"), syncUp()),
		ready(1, parse("", "COPY (SELECT i FROM generate_series(1, 10) AS i) TO STDOUT"), bind("", ""), execute("", 3), execute("", 3), syncUp()),
	}},
}

// rows are n lines of data for table t, the first with the number from.
func rows(from, n int) string {
	var b strings.Builder
	for _, m := range rowByRow(from, n) {
		b.Write(m.bytes[5:])
	}
	return b.String()
}

// rowByRow is rows with one CopyData for each.
func rowByRow(from, n int) []message {
	messages := make([]message, n)
	for i := range messages {
		messages[i] = copyData(itoa(from+i) + "\tv\n")
	}
	return messages
}
