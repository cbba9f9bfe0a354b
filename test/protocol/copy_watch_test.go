package protocol

// watchedSequences are COPY into columns with dates, whose data is looked through on its way.
var watchedSequences = []sequence{
	{"dates, pieces that end anywhere", []step{
		ask("DROP TABLE IF EXISTS d; CREATE TABLE d (id int, v text, at date)"), until('G', query("COPY d FROM STDIN")),
		ready(1, copyData("20\tnow\tNo"), copyData("v 1 2026\n21\t"), copyData(""), copyData("n"), copyData("ow\tn"), copyData("o"), copyData("w\n22\tx\tinfin"), copyData("ity"), copyDone()),
		ask("SELECT id, v, at, at = current_date FROM d WHERE id <> 21 ORDER BY id"), ask("SELECT v, at = current_date FROM d WHERE id = 21"),
	}},
	{"dates, all in one write", []step{
		ask("DROP TABLE IF EXISTS d; CREATE TABLE d (id int, v text, at date)"),
		ready(2, query("COPY d FROM STDIN CSV HEADER"), copyData("id,v,now\n20,x,\"today\"\n"), copyData("21,\"\"\"\n\",Now"), copyDone(), query("SELECT id, v, at = current_date FROM d ORDER BY id")),
		ready(1, query("COPY d (at) FROM STDIN"), copyDone()), ask("SELECT count(*) FROM d"),
	}},
	{"dates, much", []step{
		ask("DROP TABLE IF EXISTS d; CREATE TABLE d (id int, v text, at date DEFAULT '2026-01-01')"), ready(1, query("COPY d FROM STDIN"), copyData(datedRows(1, 20000)), copyDone()),
		ask("SELECT count(*), sum(id), count(at), count(DISTINCT at) FROM d"), ready(1, query("COPY d (at, v, id) FROM STDIN"), copyData("now\tx\t30000\ntoday\ty\t30001"), copyDone()),
		ready(1, query("COPY d (v) FROM STDIN"), rowByRow(1, 3000), copyDone()), ready(1, query("COPY d (id, v) FROM STDIN"), rowByRow(1, 3000), copyDone()), ask("SELECT count(*), count(v), count(DISTINCT at) FROM d"),
	}},
	{"dates, CopyFail and errors", []step{
		ask("DROP TABLE IF EXISTS d; CREATE TABLE d (id int, v text, at date)"), until('G', query("COPY d FROM STDIN")), ready(1, copyData("20\tx\tno"), copyFail("no more")), ask("SELECT count(*) FROM d"),
		ready(1, query("COPY d FROM STDIN"), copyData("20\tx\tnowhere\n"), copyDone()), ready(1, query("COPY d FROM STDIN"), copyData("20\tx\tnow\n\\now\n"), copyDone()),
		until('G', query("COPY d FROM STDIN")), until('E', copyData("x\tno"), rowByRow(100, 2000)), ready(1), push(copyData("30\tno")), push(copyData("w\n"), copyDone()), ask("SELECT count(*) FROM d"),
		ready(1, query("COPY d (at, nothing) FROM STDIN")), ready(1, query("COPY d (at) FROM STDIN DELIMITER 'ab'")), ready(1, query("COPY d (at, at) FROM STDIN")),
	}},
	{"dates by extended query", []step{
		ask("DROP TABLE IF EXISTS d; CREATE TABLE d (id int, v text, at date)"),
		until('G', parse("", "COPY d FROM STDIN"), bind("", ""), execute("", 0), flush()), until('C', copyData("20\tx\tn"), copyData("ow"), copyDone(), flush()), ready(1, syncUp()),
		ready(1, run("SET TimeZone = 'Asia/Tokyo'"), parse("c", "COPY d (at, id) FROM STDIN"), bind("", "c"), execute("", 0), copyData("today\t21\n"), copyDone(), run("SELECT id, at = current_date FROM d ORDER BY id"), syncUp()),
		until('G', bind("", "c"), execute("", 0), flush()), until('E', copyData("nowhere\t22\n"), copyDone(), flush()), ready(1, run("SELECT 1"), syncUp()),
		ready(1, run("BEGIN"), bind("", "c"), execute("", 0), copyData("now\t23\n"), copyDone(), bind("", "c"), execute("", 0), copyData("now\t24\n"), copyFail("no"), syncUp()), ask("ROLLBACK"), ask("SELECT count(*) FROM d"),
	}},
}

// datedRows are lines for table d.
func datedRows(from, n int) string {
	var text []byte
	for i := range n {
		text = append(text, itoa(from+i)+"\tsome words: now, today\t2026-0"+itoa(1+i%9)+"-01\n"...)
	}
	return string(text)
}
