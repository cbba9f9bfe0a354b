package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// captureTables are what the races are about. A row of held shows that a transaction is
// committed.
const captureTables = `
CREATE TABLE t (id int PRIMARY KEY, grp int, v int NOT NULL);
CREATE TABLE param (p int);
CREATE TABLE dst (id int PRIMARY KEY, v bigint);
CREATE TABLE held (i int);
CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM t WHERE grp = 7; END';
CREATE FUNCTION raise(int) RETURNS void LANGUAGE sql AS 'UPDATE t SET v = v + 100 WHERE grp = $1';
CREATE FUNCTION bump(n int) RETURNS void LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = v + 1 WHERE id = n; END';
CREATE PROCEDURE clear(int) LANGUAGE sql AS 'DELETE FROM t WHERE grp = $1';
CREATE TABLE told (grp int);
CREATE FUNCTION pass_on() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = v + 100 WHERE grp = NEW.grp; RETURN NULL; END';
CREATE TRIGGER pass_on AFTER INSERT ON told FOR EACH ROW EXECUTE FUNCTION pass_on();
CREATE FUNCTION bumped(int) RETURNS bigint LANGUAGE sql AS 'UPDATE t SET v = v + 1 WHERE grp = $1; SELECT 1::bigint';
CREATE FUNCTION total() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT sum(v) FROM t';
CREATE FUNCTION outer_total() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN total(); END';
CREATE TABLE filled (id int PRIMARY KEY, v bigint DEFAULT total());
CREATE TABLE numbered (id int PRIMARY KEY, v bigint DEFAULT bumped(7));
CREATE TABLE summed (id int PRIMARY KEY, v bigint);
CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := (SELECT sum(v) FROM t); RETURN NEW; END';
CREATE TRIGGER sum_up BEFORE INSERT ON summed FOR EACH ROW EXECUTE FUNCTION sum_up();
CREATE TABLE late (grp int);
CREATE CONSTRAINT TRIGGER pass_on AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pass_on();
CREATE VIEW shown AS SELECT * FROM t;
CREATE VIEW acted AS SELECT * FROM t;
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = v + 100 WHERE grp = NEW.grp; RETURN NEW; END';
CREATE TRIGGER act INSTEAD OF INSERT ON acted FOR EACH ROW EXECUTE FUNCTION act();
CREATE TABLE ruled (grp int);
CREATE RULE also AS ON INSERT TO ruled DO ALSO UPDATE t SET v = v + 100 WHERE grp = NEW.grp;
`

const captureRows = `
TRUNCATE t, param, dst, held, told, filled, ruled, numbered, summed, late;
INSERT INTO filled VALUES (0, 0);
INSERT INTO t SELECT i, i % 2, i FROM generate_series(1, 10) AS i;
INSERT INTO param VALUES (1);
`

// race is two transactions, of which the second may see the first one's COMMIT on some nodes
// only. They are called S and T in the decision on row capture.
type race struct {
	name string
	s    []string // statements in a block
	t    string
	// held: S is committed everywhere but on main when T runs. Otherwise T waits on main
	// for S, which is committed then.
	held bool
	// differs: the nodes differ if each runs T for itself, and no command tag tells.
	differs bool
}

var races = []race{
	{"a predicate that is read", []string{"UPDATE t SET v = v + 100"}, "INSERT INTO dst SELECT 1, sum(v) FROM t", true, true},
	{"a row that matches only now", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "DELETE FROM t WHERE grp = 7", true, false},
	{"a sub-select in a statement that waits", []string{"UPDATE t SET v = v + 1 WHERE id = 1", "UPDATE param SET p = 2"},
		"UPDATE t SET v = (SELECT p FROM param) WHERE id = 1", false, true},
	{"a row that was not there", []string{"UPDATE t SET v = v + 1 WHERE id = 1", "INSERT INTO t VALUES (11, 1, 11)"},
		"UPDATE t SET v = v + 100 WHERE grp = 1", false, false},
	{"a key that is deleted and inserted again", []string{"DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 1, 50)"},
		"UPDATE t SET v = v + 1 WHERE id = 1", false, false},
	{"a key that was not there", []string{"INSERT INTO t VALUES (12, 0, 5)"}, "UPDATE t SET v = v + 1 WHERE id = 12", true, false},
	{"a table made of another", []string{"UPDATE t SET v = v + 100"}, "CREATE TABLE made AS SELECT sum(v) AS sum FROM t", true, true},
	{"two targets", []string{"UPDATE t SET v = v + 100"},
		"WITH gone AS (DELETE FROM t WHERE id = 10 RETURNING v) INSERT INTO dst SELECT 2, (SELECT sum(v) FROM t)", true, true},
	{"an upsert of what is read", []string{"UPDATE t SET v = v + 100"},
		"INSERT INTO dst SELECT id, v FROM t ON CONFLICT (id) DO UPDATE SET v = excluded.v", true, true},
	{"a join that is merged", []string{"UPDATE t SET v = v + 100"},
		"MERGE INTO dst USING t ON dst.id = t.id WHEN NOT MATCHED THEN INSERT VALUES (t.id, t.v)", true, true},
	{"a function that deletes what matches only now", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "SELECT tidy()", true, true},
	{"a function that meets a row that was not there", []string{"UPDATE t SET v = v + 1 WHERE id = 1", "INSERT INTO t VALUES (11, 1, 11)"}, "SELECT raise(1)", false, true},
	{"a function that meets a key that was not there", []string{"INSERT INTO t VALUES (12, 0, 5)"}, "SELECT bump(12)", true, true},
	{"a procedure that deletes what matches only now", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "CALL clear(7)", true, true},
	{"a block that deletes what matches only now", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "DO 'BEGIN DELETE FROM t WHERE grp = 7; END'", true, true},
	{"a trigger that changes what matches only now", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "INSERT INTO told VALUES (7)", true, true},
	{"a view of what matches only now", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "DELETE FROM shown WHERE grp = 7", true, false},
	{"a view that is given what was read", []string{"UPDATE t SET v = v + 1 WHERE id = 1", "UPDATE param SET p = 2"}, "UPDATE shown SET v = (SELECT p FROM param) WHERE id = 1", false, true},
	{"a trigger of a view", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "INSERT INTO acted VALUES (20, 7, 1)", true, true},
	{"a rule", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "INSERT INTO ruled VALUES (7)", true, true},
	{"a function that reads, in a value", []string{"UPDATE t SET v = v + 100"}, "INSERT INTO dst VALUES (1, total())", true, true},
	{"a function that reads behind another, in a value", []string{"UPDATE t SET v = v + 100"}, "INSERT INTO dst VALUES (1, outer_total())", true, false},
	{"a function that reads, in a default", []string{"UPDATE t SET v = v + 100"}, "INSERT INTO filled (id) VALUES (1)", true, true},
	{"a function that reads, as a default that is set", []string{"UPDATE t SET v = v + 100"}, "WITH made AS (INSERT INTO filled VALUES (2, 2)) UPDATE filled SET v = DEFAULT WHERE id = 0", true, true},
	{"a function in a value", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "INSERT INTO dst VALUES (4, bumped(7))", true, true},
	{"a function in a default", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "INSERT INTO numbered (id) VALUES (1)", true, true},
	{"a trigger that reads for its row", []string{"UPDATE t SET v = v + 100"}, "INSERT INTO summed VALUES (1)", true, true},
	{"a trigger that COPY fires", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "COPY told FROM STDIN", true, false},
	{"a default that COPY reads", []string{"UPDATE t SET v = v + 100"}, "COPY filled (id) FROM STDIN", true, false},
	{"a trigger that COPY fires and reads for its row", []string{"UPDATE t SET v = v + 100"}, "COPY summed (id) FROM STDIN", true, false},
	{"a deferred trigger", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "INSERT INTO late VALUES (7)", true, false},
	{"a function that is explained", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "EXPLAIN ANALYZE SELECT tidy()", true, true},
	{"a function in a table that is made", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "CREATE TABLE made AS SELECT bumped(7) AS sum", true, true},
	{"a function in a condition", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "SELECT 1 WHERE bumped(7) > 0", true, true},
	{"a function in RETURNING", []string{"UPDATE t SET grp = 7 WHERE id = 1"}, "INSERT INTO dst VALUES (3, 3) RETURNING bumped(7)", true, true},
}

// run plays a race and returns T's error. T is run in the given mode.
func (r race) run(s *stage, mode pgx.QueryExecMode) error {
	s.t.Helper()
	one, other := s.connect(), s.connect()
	s.exec(one, "DROP TABLE IF EXISTS made")
	s.exec(one, captureRows)
	release := func() {}
	s.exec(one, "BEGIN")
	for _, sql := range r.s {
		s.exec(one, sql)
	}
	var first *background
	if r.held {
		s.exec(one, "INSERT INTO held VALUES (1)")
		release = s.stopOnMain(one)
		first = start(func() ([]string, error) { return rowsOf(one, "COMMIT") })
		for _, node := range s.nodes[1:] {
			await(s.t, "the COMMIT on a node", func() bool { return slices.Equal(direct(node, "SELECT count(*) FROM held"), []string{"1"}) })
		}
	}
	second := start(func() ([]string, error) {
		if data, isCopy := strings.CutPrefix(r.t, "COPY "); isCopy {
			_, err := other.PgConn().CopyFrom(bounded(s.t), strings.NewReader("7\n"), "COPY "+data)
			return nil, err
		}
		_, err := other.Exec(bounded(s.t), r.t, mode)
		return nil, err
	})
	await(s.t, "the second transaction", func() bool {
		return second.hasEnded() || waiters(s.nodes[0]) > 0 || r.held && s.hasRunOnMain()
	})
	release()
	if first == nil {
		s.exec(one, "COMMIT")
	} else {
		first.must(s.t)
	}
	<-second.done
	return second.err
}

// hasRunOnMain reports whether main has run a statement of a transaction that is open,
// beside the one whose process is stopped.
func (s *stage) hasRunOnMain() bool {
	return len(direct(s.nodes[0], "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'")) > 1
}

// stopOnMain stops the session's process on main until it is released: what it is sent is
// done on the other nodes only.
func (s *stage) stopOnMain(conn *pgx.Conn) (release func()) {
	s.t.Helper()
	rows, err := rowsOf(conn, "SELECT pg_backend_pid()")
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(rows[0])
	if err != nil {
		s.t.Fatal(err)
	}
	release = func() { _ = syscall.Kill(pid, syscall.SIGCONT) } // it may have ended
	s.t.Cleanup(release)
	signal(s.t, pid, syscall.SIGSTOP)
	return release
}

// differ reports whether the nodes hold different rows in the races' tables.
func (s *stage) differ() bool {
	for _, look := range []string{"SELECT id, v FROM t ORDER BY id", "SELECT id, v FROM dst ORDER BY id", "SELECT id, v FROM filled ORDER BY id", "SELECT v FROM summed", "SELECT * FROM made"} {
		main := direct(s.nodes[0], look)
		for _, node := range s.nodes[1:] {
			if !slices.Equal(direct(node, look), main) {
				return true
			}
		}
	}
	return false
}

// TestRacesLeaveTheNodesEqual plays each race in both protocols and in each way to keep
// nodes the same. A statement outside of a block does not fail for it.
func TestRacesLeaveTheNodesEqual(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"auto", "lock"} {
		t.Run(strategy, func(t *testing.T) {
			s := newStage(t, proxy.WithConfig("set_write_strategy = "+strategy))
			s.exec(s.connect(), captureTables)
			for _, r := range races {
				for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
					t.Run(fmt.Sprintf("%s/%v", strings.ReplaceAll(r.name, " ", "_"), mode), func(t *testing.T) {
						s := s.in(t)
						if err := r.run(s, mode); err != nil {
							t.Errorf("%s: %v", r.t, err)
						}
						s.wantEqual()
					})
				}
			}
		})
	}
}

// TestRacesMakeNodesDifferIfEachDecidesForItself shows that the races above are some.
func TestRacesMakeNodesDifferIfEachDecidesForItself(t *testing.T) {
	t.Parallel()
	s := newStage(t, proxy.WithConfig("replication_safety = compat"))
	s.exec(s.connect(), captureTables)
	for _, r := range races {
		if !r.differs {
			continue
		}
		t.Run(strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) {
			s := s.in(t)
			if err := r.run(s, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Errorf("%s: %v", r.t, err)
			}
			if !s.differ() {
				t.Error("the nodes are equal: the race shows nothing")
			}
			s.makeEqual()
		})
	}
}

// makeEqual empties the races' tables on all nodes.
func (s *stage) makeEqual() {
	s.t.Helper()
	s.exec(s.connect(), "TRUNCATE t, param, dst, held, told, filled, ruled, numbered, summed, late; DROP TABLE IF EXISTS made")
	pgtest.WantEqual(s.t, s.nodes...)
}

// hasEnded reports whether the statement is done.
func (b *background) hasEnded() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}
