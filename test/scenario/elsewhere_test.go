package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// elsewhereSchema has code that computes values of its own: in front of rows, behind them, in
// functions and rules, with keys and without.
const elsewhereSchema = `
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 9);
CREATE TABLE item (id int PRIMARY KEY, parent int REFERENCES parent, v int, n bigint GENERATED ALWAYS AS IDENTITY,
	twice int GENERATED ALWAYS AS (v * 2) STORED, updated_at timestamptz, tag text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := clock_timestamp(); NEW.tag := random()::text; RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE thing (id int PRIMARY KEY, v int, at timestamptz DEFAULT now());
CREATE TABLE audit (id bigserial PRIMARY KEY, op text, row jsonb, at timestamptz);
CREATE TABLE log (what text, at timestamptz, r float);
CREATE TABLE stock (id int PRIMARY KEY, n int, touched timestamptz); INSERT INTO stock SELECT i, 0 FROM generate_series(0, 9) AS i;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	INSERT INTO audit (op, row, at) VALUES (TG_OP, CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END, clock_timestamp());
	INSERT INTO log VALUES (TG_OP, now(), random());
	RETURN NULL; END$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON thing FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION place(int, int) RETURNS int LANGUAGE plpgsql AS $$DECLARE left_over int; BEGIN
	UPDATE stock SET n = n + $2, touched = clock_timestamp() WHERE id = $1 RETURNING n INTO left_over;
	INSERT INTO log VALUES ('place ' || left_over, clock_timestamp(), random());
	RETURN left_over; END$$;
CREATE FUNCTION careful(int) RETURNS void LANGUAGE plpgsql AS $$BEGIN
	BEGIN INSERT INTO stock VALUES ($1, 0, clock_timestamp()); EXCEPTION WHEN unique_violation THEN UPDATE stock SET n = n + 1, touched = clock_timestamp() WHERE id = $1; END;
	END$$;
CREATE FUNCTION copies() RETURNS void LANGUAGE plpgsql AS $$BEGIN INSERT INTO log SELECT 'sum ' || sum(n), NULL, NULL FROM stock; END$$;
CREATE TABLE ruled (id int PRIMARY KEY);
CREATE RULE r AS ON INSERT TO ruled DO ALSO INSERT INTO log VALUES ('rule', clock_timestamp(), random());
CREATE TABLE marked (id int PRIMARY KEY, v int, n bigint GENERATED ALWAYS AS IDENTITY, r float, "it's" text);
CREATE RULE m AS ON UPDATE TO marked DO ALSO INSERT INTO log VALUES ('mark', clock_timestamp(), NEW.r);
CREATE FUNCTION mark(int) RETURNS void LANGUAGE sql AS $$INSERT INTO marked (id, v, r, "it's") VALUES ($1 + 200000, 1, random(), E'a\\b'), ($1 + 300000, NULL, random(), '''');
	UPDATE marked SET v = v + 1 WHERE id % 3 = $1 % 3$$;
`

// elsewhereStatements go one after the other; %d is another number each time.
var elsewhereStatements = []string{
	"INSERT INTO item (id, parent, v) VALUES (%[1]d, %[1]d %% 10, 1), (%[1]d + 100000, NULL, 2)",
	"UPDATE item SET v = v + 1 WHERE id = %[1]d",
	"INSERT INTO item (id, v) VALUES (%[1]d, 5) ON CONFLICT (id) DO UPDATE SET v = excluded.v + 1",
	"UPDATE item SET v = v + 1 WHERE id %% 7 = %[1]d %% 7 RETURNING id, tag, updated_at",
	"DELETE FROM item WHERE id = %[1]d + 100000",
	"INSERT INTO thing (id, v) VALUES (%[1]d, 1), (%[1]d + 100000, 2)",
	"UPDATE thing SET v = v + 1 WHERE id = %[1]d RETURNING v",
	"INSERT INTO thing VALUES (%[1]d, 7) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
	"DELETE FROM thing WHERE id = %[1]d + 100000",
	"SELECT place(%[1]d %% 10, 2)",
	"SELECT careful(%[1]d %% 20)",
	"SELECT copies()",
	"DO 'BEGIN INSERT INTO log VALUES (''do'', clock_timestamp(), random()); PERFORM place(3, 1); END'",
	"INSERT INTO ruled VALUES (%[1]d)",
	"INSERT INTO marked (id, v, r) VALUES (%[1]d, 1, random()), (%[1]d + 100000, 2, 0)",
	"UPDATE marked SET v = v + 1, r = random() WHERE id = %[1]d",
	"UPDATE marked SET r = random() WHERE v > 0",
	"SELECT mark(%[1]d)",
	"DELETE FROM marked WHERE id = %[1]d + 100000",
}

// wantGiven fails the test if the log says that main's rows were not given to the others.
func (s *stage) wantGiven() {
	s.t.Helper()
	for line := range strings.Lines(s.proxy.Log()) {
		if strings.Contains(line, "cannot be given") || strings.Contains(line, "nodes may compute a value differently") || strings.Contains(line, "not read") {
			s.t.Errorf("told: %s", line)
		}
	}
}

// TestWhatCodeComputesIsMains: triggers, functions and rules that ask for the time and for
// chance leave the same on all nodes, alone and in transactions.
func TestWhatCodeComputesIsMains(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(elsewhereSchema)
	number := 0
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		for _, block := range []bool{false, true} {
			number++
			if block {
				s.exec(conn, "BEGIN")
			}
			for i, sql := range elsewhereStatements {
				if block && i%3 == 1 {
					s.exec(conn, "SAVEPOINT s")
				}
				if err := runBy(t, conn, mode, withNumber(sql, number)); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
				if block && i%6 == 1 {
					s.exec(conn, "ROLLBACK TO s")
				}
			}
			if block {
				s.exec(conn, "COMMIT")
			}
			s.wantEqual()
		}
		s.wantGiven()
		s.want(conn, "SELECT count(*) > 0 FROM audit WHERE op = 'DELETE'", "t")
	})
}

// TestRuleThatAlwaysFires: it would fire again where main's rows are given, so that each node runs the statement, and the
// log tells.
func TestRuleThatAlwaysFires(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(`CREATE TABLE a (id int PRIMARY KEY, r float); CREATE TABLE seen (id int); CREATE RULE r AS ON INSERT TO a DO ALSO INSERT INTO seen VALUES (NEW.id);
ALTER TABLE a ENABLE ALWAYS RULE r; CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'INSERT INTO a VALUES (1, random())'`)
	s.exec(s.connect(), "SELECT f()")
	for _, node := range s.nodes {
		s.want(node.ConnectTo(database), "SELECT count(*) FROM seen", "1")
	}
	if !strings.Contains(s.proxy.Log(), "no table without triggers or rules that always fire") {
		t.Error("the log does not tell of it")
	}
}

func withNumber(sql string, number int) string {
	if !strings.Contains(sql, "%[1]d") {
		return sql
	}
	return fmt.Sprintf(sql, number)
}

// TestWhatCodeComputesIsMainsUnderConcurrency: the same by several sessions at once, which
// are in each other's way.
func TestWhatCodeComputesIsMainsUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(elsewhereSchema)
	const sessions, rounds = 4, 25
	var work sync.WaitGroup
	for i := range sessions {
		conn := s.connect()
		work.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range rounds {
				elsewhereTransaction(t, conn, random)
			}
		})
	}
	work.Wait()
	s.wantEqual()
}

// elsewhereTransaction runs some statements, in a block or without. They may fail by conflict.
func elsewhereTransaction(t *testing.T, conn *pgx.Conn, random *rand.Rand) {
	modes := []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec}
	mode, block := modes[random.IntN(2)], random.IntN(2) == 0
	run := func(sql string) error { return runBy(t, conn, mode, sql) }
	if block {
		if err := run("BEGIN"); err != nil {
			t.Error(err)
			return
		}
	}
	for range 1 + random.IntN(3) {
		sql := withNumber(elsewhereStatements[random.IntN(len(elsewhereStatements))], random.IntN(40))
		switch code := codeOf(run(sql)); code {
		case "", "40001", "40P01", "23505", "25P02":
		default:
			t.Errorf("%s: %s", sql, code)
		}
	}
	if block {
		if err := run("COMMIT"); err != nil && codeOf(err) != "40001" {
			t.Error(err)
		}
	}
}

// TestRightsToKeepTriggersQuiet: who may not set session_replication_role is told of in the
// log; who was granted that needs no more.
func TestRightsToKeepTriggersQuiet(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("relcache_expire = 1"))
	s.onNodes(elsewhereSchema + "CREATE ROLE plain LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO plain; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO plain")
	conn := s.connect()
	s.exec(conn, "SET ROLE plain")
	s.exec(conn, "INSERT INTO item (id, v) VALUES (1, 1)")
	s.exec(conn, "INSERT INTO thing (id, v) VALUES (1, 1)")
	s.proxy.WaitLog("the role may not set session_replication_role")
	s.exec(conn, "RESET ROLE")
	s.exec(conn, "TRUNCATE item, thing, audit, log")
	s.wantEqual()
	s.exec(conn, "GRANT SET ON PARAMETER session_replication_role TO plain")
	s.exec(conn, "SET ROLE plain")
	told := len(s.proxy.Log())
	s.exec(conn, "INSERT INTO item (id, v) VALUES (1, 1)")
	s.exec(conn, "INSERT INTO thing (id, v) VALUES (1, 1)")
	s.wantEqual()
	if log := s.proxy.Log()[told:]; strings.Contains(log, "may not set") {
		t.Errorf("told: %s", log)
	}
}

// TestStrictRefusesWhatCannotBeGiven: where main's rows cannot be given to the others, nothing
// is run.
func TestStrictRefusesWhatCannotBeGiven(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("replication_safety = strict"))
	s.onNodes(elsewhereSchema + "CREATE ROLE plain LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO plain")
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		if err := runBy(t, conn, mode, "INSERT INTO item (id, v) VALUES (1, 1)"); err != nil {
			t.Error(err)
		}
		s.exec(conn, "DELETE FROM item")
		s.exec(conn, "SET ROLE plain")
		for range 2 {
			if err := runBy(t, conn, mode, "INSERT INTO item (id, v, n) OVERRIDING SYSTEM VALUE VALUES (1, 1, 1)"); codeOf(err) != "0A000" {
				t.Errorf("%v, want 0A000", err)
			}
		}
		s.exec(conn, "RESET ROLE")
		s.wantEqual()
	})
}

// TestOneStatementOfWhichRowsCannotBeGiven: of too many rows the log is told, and the next statement
// on the table is given to the others again.
func TestOneStatementOfWhichRowsCannotBeGiven(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("capture_rows_hint = 5"))
	s.onNodes(elsewhereSchema)
	conn := s.connect()
	s.exec(conn, "INSERT INTO thing SELECT i, 0, NULL FROM generate_series(1, 60) AS i")
	s.proxy.WaitLog("there are more rows than are captured")
	s.exec(conn, "TRUNCATE audit, log; DELETE FROM thing WHERE id > 2; TRUNCATE audit, log")
	s.wantEqual()
	s.exec(conn, "UPDATE thing SET v = 1 WHERE id = 1")
	s.want(conn, "SELECT op, at IS NOT NULL FROM audit", "UPDATE|t")
	s.wantEqual()
}

// TestCodeWhoseRowsCannotBeGivenRunsUnderLocks: a function that deletes rows without a key, or more than are
// captured, waits for a transaction that may add to them, from the first time on.
func TestCodeWhoseRowsCannotBeGivenRunsUnderLocks(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("capture_rows_hint = 5"))
	s.onNodes("CREATE TABLE plain (what text); CREATE TABLE long (id int PRIMARY KEY, what text)")
	number := 0
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		for _, tt := range []struct{ table, rows, more string }{
			{"plain", "INSERT INTO plain VALUES ('old'), ('new')", "INSERT INTO plain VALUES ('old')"},
			{"long", "INSERT INTO long SELECT i, 'old' FROM generate_series(1, 60) AS i", "INSERT INTO long VALUES (61, 'old')"},
		} {
			conn, other := s.connect(), s.connect()
			number++
			s.exec(conn, fmt.Sprintf("CREATE FUNCTION tidy%d() RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM %s WHERE what = ''old''; END'", number, tt.table))
			s.exec(other, tt.rows)
			s.exec(other, "BEGIN; "+tt.more)
			tidy := startWrite(t, conn, mode, fmt.Sprintf("SELECT tidy%d()", number))
			awaitWaiter(t, s.nodes[0])
			s.exec(other, "COMMIT")
			tidy.must(t)
			s.want(conn, "SELECT count(*) FROM "+tt.table+" WHERE what = 'old'", "0")
			s.wantEqual()
			s.wantGiven()
		}
	})
}

// TestCodeThatIsRunAgain: a node refuses the rows that it was given, so that all is taken back and run again. What
// main is asked about the second time is the second time's.
func TestCodeThatIsRunAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(elsewhereSchema)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		s.exec(conn, "TRUNCATE thing, audit, log")
		around, locker := s.nodes[2].ConnectTo(database), s.nodes[0].ConnectTo(database)
		s.exec(around, "SET session_replication_role = replica; BEGIN; INSERT INTO thing VALUES (1)")
		write := startWrite(t, conn, mode, "INSERT INTO thing (id, v) VALUES (1, 1)")
		awaitWaiter(t, s.nodes[2])
		s.exec(locker, "BEGIN")
		lock := startQuery(locker, "LOCK TABLE thing IN SHARE ROW EXCLUSIVE MODE")
		awaitWaiter(t, s.nodes[0])
		s.exec(around, "COMMIT")
		lock.must(t)
		awaitWaiter(t, s.nodes[0]) // the second time
		s.exec(around, "DELETE FROM thing")
		s.exec(locker, "COMMIT")
		write.must(t)
		s.want(conn, "SELECT (SELECT count(*) FROM thing), (SELECT count(*) FROM audit), (SELECT count(*) FROM log)", "1|1|1")
		s.wantEqual()
		s.wantGiven()
	})
}

// TestDeferredTriggerFiresOnAllNodes: what fires at COMMIT would not fire on nodes that are given rows
// instead of the statement. So each node runs it, and the log is told that the time may differ.
func TestDeferredTriggerFiresOnAllNodes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.onNodes(`CREATE TABLE item (id int PRIMARY KEY); CREATE TABLE log (id int, at timestamptz);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (NEW.id, clock_timestamp()); RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER note AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()`)
	s.exec(s.connect(), "INSERT INTO item VALUES (1)")
	s.proxy.WaitLog("statement may have another effect on each node")
	for _, node := range s.nodes {
		if got := direct(node, "SELECT id FROM log"); !slices.Equal(got, []string{"1"}) {
			t.Errorf("node %d has %v", node.ID, got)
		}
	}
}

// TestRowsElsewhereAreFoundWhereverTheyLie: a log keeps no order. While a block is open, VACUUM
// makes room in front of its end, so that the row of a later statement lies before that of an
// earlier one.
func TestRowsElsewhereAreFoundWhereverTheyLie(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn, other := s.connect(), s.connect()
	// A page of the log holds one row of the old ones, of which 600 are more than are looked
	// through as a whole.
	s.exec(other, itemTable+`CREATE TABLE log (what text, at timestamptz); ALTER TABLE log ALTER what SET STORAGE PLAIN;
		ALTER TABLE log SET (autovacuum_enabled = off);
		CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log VALUES (NEW.text, clock_timestamp()); RETURN NULL; END$$;
		CREATE TRIGGER note AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION note();
		INSERT INTO log SELECT repeat('x', 7000), NULL FROM generate_series(1, 600)`)
	s.exec(other, "DELETE FROM log WHERE ctid < '(100,0)'::tid")
	s.exec(conn, "BEGIN")
	s.exec(conn, "UPDATE item SET text = repeat('a', 3000) WHERE id = 1")
	s.exec(other, "VACUUM log")
	s.exec(conn, "UPDATE item SET text = repeat('b', 6000) WHERE id = 2")
	s.exec(conn, "UPDATE item SET text = repeat('c', 100) WHERE id = 3; COMMIT")
	s.want(conn, "SELECT left(what, 1), count(*), count(DISTINCT at) FROM log WHERE at IS NOT NULL GROUP BY 1 ORDER BY 1", "a|1|1", "b|1|1", "c|1|1")
	place := func(what string) string {
		return direct(s.nodes[0], "SELECT (ctid::text::point)[0] > 500 FROM log WHERE what LIKE '"+what+"%'")[0]
	}
	if a, b := place("a"), place("b"); a != "t" || b != "f" {
		t.Fatalf("near the end: a %s, b %s: this does not try what it is for", a, b)
	}
	s.wantAllUp()
	s.wantEqual()
}
