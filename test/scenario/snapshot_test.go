package scenario

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// TestWhatIsWrittenFromWhatIsReadIsTheSameEverywhere is what snapshot_isolation is for.
func TestWhatIsWrittenFromWhatIsReadIsTheSameEverywhere(t *testing.T) {
	s := newStageIn(t, config.SnapshotIsolation)
	b := s.openBank()
	b.awaitWork(300)
	b.finish()
	b.wantNoErrors()
	b.wantRight(t)
	s.wantAllUp()
	s.wantEqual()
}

// TestSnapshotsAndCommitsTakeTurns: whoever comes in masses, the others get on.
func TestSnapshotsAndCommitsTakeTurns(t *testing.T) {
	s := newStageIn(t, config.SnapshotIsolation)
	s.exec(s.connect(), "CREATE TABLE t (client int, i int)")
	var committed, looked atomic.Int64
	var stop atomic.Bool
	var running sync.WaitGroup
	defer running.Wait()
	defer stop.Store(true)
	repeat := func(counter *atomic.Int64, sql string) {
		conn := s.connect()
		running.Go(func() {
			for !stop.Load() {
				if _, err := rowsOf(conn, sql); err != nil {
					t.Errorf("%s: %v", sql, err)
					return
				}
				counter.Add(1)
			}
		})
	}
	progress := func(what string) {
		t.Helper()
		commits, snapshots := committed.Load()+50, looked.Load()+50
		await(t, what, func() bool { return committed.Load() >= commits && looked.Load() >= snapshots })
	}
	const few, many = 1, 12
	for i := range many {
		repeat(&committed, fmt.Sprintf("INSERT INTO t VALUES (%d, 1)", i))
	}
	for range few {
		repeat(&looked, "BEGIN; SELECT count(*) FROM t; ROLLBACK")
	}
	progress("a few snapshots among many commits")
	for range many {
		repeat(&looked, "BEGIN; SELECT count(*) FROM t; ROLLBACK")
	}
	progress("commits among many snapshots")
}

// TestATransactionSeesOneStateOnAllNodes reads on the load balance node, on main and on all.
func TestATransactionSeesOneStateOnAllNodes(t *testing.T) {
	s := newStageIn(t, config.SnapshotIsolation)
	b := s.openBank()
	b.awaitWork(10)
	for _, begin := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN", "BEGIN READ ONLY", "BEGIN ISOLATION LEVEL SERIALIZABLE"} {
		t.Run(begin, func(t *testing.T) {
			s := s.in(t)
			conn := s.connect()
			moved := map[string]bool{}
			for range 60 {
				moved[s.stateSeen(conn, begin)] = true
			}
			if len(moved) < 10 {
				t.Errorf("only %d different states were seen: nothing is shown", len(moved))
			}
		})
	}
	b.finish()
	b.wantNoErrors()
	b.wantRight(t)
}

// stateSeen is what a transaction sees of the bank, on whichever node.
func (s *stage) stateSeen(conn *pgx.Conn, begin string) string {
	s.t.Helper()
	const look = "SELECT string_agg(id || '=' || v, ',' ORDER BY id) || ' ' || (SELECT count(*) FROM log) FROM account"
	s.exec(conn, begin)
	var first string
	for _, hint := range []string{"", "/*NO LOAD BALANCE*/ ", "/*REPLICATION*/ ", ""} {
		rows, err := rowsOf(conn, hint+look)
		switch {
		case err != nil:
			s.t.Fatalf("%s%s: %v", hint, look, err)
		case first == "":
			first = rows[0]
		case rows[0] != first:
			s.t.Fatalf("a transaction saw two states:\n%s\n%s%s", first, hint, rows[0])
		}
	}
	s.exec(conn, "COMMIT")
	return first
}

// TestIsolationLevelsOfSnapshotIsolation: no transaction gets less than REPEATABLE READ.
func TestIsolationLevelsOfSnapshotIsolation(t *testing.T) {
	s := newStageIn(t, config.SnapshotIsolation)
	conn, other := s.connect(), s.connect()
	s.exec(conn, itemTable)
	begins := []struct{ begin, level, readOnly string }{
		{"BEGIN", "repeatable read", "off"},
		{"BEGIN ISOLATION LEVEL READ COMMITTED", "repeatable read", "off"},
		{"START TRANSACTION ISOLATION LEVEL READ UNCOMMITTED, READ ONLY", "repeatable read", "on"},
		{"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "repeatable read", "on"},
		{"BEGIN; SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "repeatable read", "off"},
		{"BEGIN; SET TRANSACTION READ ONLY", "repeatable read", "on"},
		{"BEGIN ISOLATION LEVEL SERIALIZABLE", "serializable", "off"},
		{"BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE", "serializable", "on"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE\nBEGIN", "serializable", "off"},
		{"SET default_transaction_isolation = 'read committed'\nBEGIN", "repeatable read", "off"},
		{"SET default_transaction_read_only = on\nBEGIN", "repeatable read", "on"},
	}
	for _, tt := range begins {
		t.Run(tt.begin, func(t *testing.T) {
			s := s.in(t)
			s.exec(other, "UPDATE item SET text = 'old'")
			for sql := range strings.Lines(tt.begin) {
				s.exec(conn, sql)
			}
			s.want(conn, "SELECT count(*) FROM item WHERE text = 'old'", "10")
			s.exec(other, "UPDATE item SET text = 'new' WHERE id < 5")
			s.want(conn, "SELECT count(*) FROM item WHERE text = 'old'", "10")
			s.want(conn, "/*NO LOAD BALANCE*/ SELECT count(*) FROM item WHERE text = 'old'", "10")
			s.want(conn, "SHOW transaction_isolation", tt.level)
			s.want(conn, "SHOW transaction_read_only", tt.readOnly)
			if tt.readOnly == "on" {
				s.wantCode(conn, "UPDATE item SET text = 'newer' WHERE id = 1", "25006")
			} else {
				s.wantCode(conn, "UPDATE item SET text = 'newer' WHERE id = 1", "40001") // the first updater wins
			}
			s.exec(conn, "ROLLBACK; RESET default_transaction_isolation; RESET default_transaction_read_only")
			s.want(conn, "SELECT count(*) FROM item WHERE text = 'new'", "4")
		})
	}
	s.wantAllUp()
	s.wantEqual()
}

// TestNoTransactionIsLeftOpen: a read of ours in a block of ours leaves nothing behind,
// neither for what cannot run in a block nor for the servers.
func TestNoTransactionIsLeftOpen(t *testing.T) {
	s := newStageIn(t, config.SnapshotIsolation)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
		conn := s.connect()
		exec := func(sql string) {
			t.Helper()
			if _, err := conn.Exec(bounded(t), sql, mode); err != nil {
				t.Errorf("%v: %s: %v", mode, sql, err)
			}
		}
		exec("DROP TABLE IF EXISTS item")
		exec("CREATE TABLE item (id int PRIMARY KEY, text text)")
		for _, sql := range []string{"VACUUM item", "CREATE INDEX CONCURRENTLY i ON item (text)", "DROP INDEX CONCURRENTLY i", "VACUUM", "CREATE DATABASE other", "DROP DATABASE other"} {
			exec("SELECT * FROM item")
			exec(sql)
			exec("INSERT INTO item VALUES (1, 'x') ON CONFLICT DO NOTHING")
			exec("SELECT count(*) FROM item")
		}
		for _, node := range s.nodes {
			node.WaitRows("SELECT count(*) FROM pg_stat_activity WHERE datname = '"+database+"' AND (backend_xmin IS NOT NULL OR state LIKE 'idle in%')", "0")
		}
	}
	s.wantAllUp()
	s.wantEqual()
}

// wantServed ends a scenario: others take snapshots and commit as ever.
func (s *stage) wantServed() {
	s.t.Helper()
	for i := range 3 {
		conn := s.connect()
		s.exec(conn, fmt.Sprintf("BEGIN; SELECT count(*) FROM item; INSERT INTO item VALUES (%d, 'served'); COMMIT", 100+i))
		s.exec(conn, fmt.Sprintf("DELETE FROM item WHERE id = %d", 100+i))
	}
}

// windowHeld is a commit that waits inside the window, and a session behind it that
// waits to take its snapshot.
func windowHeld(t *testing.T) (s *stage, g *gate, commit *background, waiting *pgx.Conn, snapshot *background) {
	s = newStageIn(t, config.SnapshotIsolation)
	committing, waiting := s.connect(), s.connect()
	s.exec(committing, itemTable)
	s.exec(waiting, "BEGIN")
	g = hold(t, slotLock, s.nodes...)
	commit = startQuery(committing, "UPDATE item SET text = 'new' WHERE id = 1")
	awaitWaiter(t, s.nodes...)
	snapshot = startQuery(waiting, "SELECT count(*) FROM item")
	return s, g, commit, waiting, snapshot
}

func TestSnapshotWaitsForCommit(t *testing.T) {
	s, g, commit, waiting, snapshot := windowHeld(t)
	g.open()
	commit.must(t)
	snapshot.must(t)
	s.want(waiting, "SELECT text FROM item WHERE id = 1", "new")
	s.exec(waiting, "COMMIT")
	s.wantServed()
	s.wantEqual()
}

func TestCancelOfWhoWaitsForASnapshot(t *testing.T) {
	s, g, commit, waiting, snapshot := windowHeld(t)
	cancelUntil(t, waiting, snapshot)
	if _, err := snapshot.wait(t); codeOf(err) != "57014" {
		t.Errorf("a cancelled wait for a snapshot: %v", err)
	}
	s.exec(waiting, "ROLLBACK")
	g.open()
	commit.must(t)
	s.want(waiting, "SELECT text FROM item WHERE id = 1", "new")
	s.wantServed()
	s.wantEqual()
}

// cancelUntil sends cancels until the statement has ended: the first may come before it.
func cancelUntil(t testing.TB, conn *pgx.Conn, statement *background) {
	t.Helper()
	await(t, "the statement is cancelled", func() bool {
		cancel(t, conn)
		select {
		case <-statement.done:
			return true
		default:
			return false
		}
	})
}

// TestFrontendThatDiesIsNotWaitedFor has it die while it waits for a snapshot, and in its
// COMMIT.
func TestFrontendThatDiesIsNotWaitedFor(t *testing.T) {
	t.Run("waiting for a snapshot", func(t *testing.T) {
		s, g, commit, waiting, snapshot := windowHeld(t)
		waiting.PgConn().Conn().Close()
		_, _ = snapshot.wait(t)
		g.open()
		commit.must(t)
		s.wantServed()
		s.wantEqual()
	})
	t.Run("in COMMIT", func(t *testing.T) {
		s := newStageIn(t, config.SnapshotIsolation)
		dying, waiting := s.connect(), s.connect()
		s.exec(dying, itemTable)
		g := hold(t, slotLock, s.nodes...)
		commit := startQuery(dying, "UPDATE item SET text = 'new' WHERE id = 1")
		awaitWaiter(t, s.nodes...)
		snapshot := startQuery(waiting, "SELECT count(*) FROM item")
		dying.PgConn().Conn().Close()
		_, _ = commit.wait(t)
		g.open()
		snapshot.must(t)
		s.wantServed()
		s.wantAllUp()
		s.wantEqual()
	})
}

func TestNodeLostInTheWindow(t *testing.T) {
	for _, id := range []int{0, 1, 2} {
		t.Run(fmt.Sprintf("node %d is killed in COMMIT", id), func(t *testing.T) {
			s, g, commit, waiting, snapshot := windowHeld(t)
			s.nodes[id].Kill()
			g.open()
			commit.must(t)
			snapshot.must(t)
			s.want(waiting, "SELECT text FROM item WHERE id = 1", "new")
			s.exec(waiting, "COMMIT")
			s.wantServed()
			pgtest.WantEqual(t, without(s.nodes, id)...)
		})
	}
}

// TestBankGoesOn has faults hit a bank at any moment.
func TestBankGoesOn(t *testing.T) {
	for _, fault := range faults {
		for _, id := range []int{0, 2} {
			t.Run(fmt.Sprintf("node %d is %s", id, fault.name), func(t *testing.T) {
				t.Parallel() // it waits for checks
				s := newStageIn(t, config.SnapshotIsolation)
				b := s.openBank()
				b.awaitWork(20)
				fault.cause(s.nodes[id])
				s.proxy.WaitLog("node detached")
				b.awaitWork(50)
				b.finish()
				b.wantNoErrors()
				rest := without(s.nodes, id)
				s.nodes = rest
				b.wantRight(t)
				pgtest.WantEqual(t, rest...)
			})
		}
	}
	t.Run("frontends are killed and cancelled", func(t *testing.T) {
		t.Parallel()
		s := newStageIn(t, config.SnapshotIsolation)
		b := s.openBank()
		victims := []string{"UPDATE account SET v = v WHERE id = 1", "SELECT sum(v) FROM account", "BEGIN; SELECT sum(v) FROM account; INSERT INTO log VALUES (%d, 1000, 10, 0); COMMIT"}
		for i := range 60 {
			conn := s.connect()
			sql := victims[i%3]
			if strings.Contains(sql, "%d") {
				sql = fmt.Sprintf(sql, -i)
			}
			statement := startQuery(conn, sql)
			if i%2 == 0 {
				cancel(t, conn)
				_, _ = statement.wait(t)
				hangUp(conn)
			} else {
				conn.PgConn().Conn().Close()
			}
		}
		b.awaitWork(50)
		b.finish()
		b.wantNoErrors()
		b.wantRight(t)
		s.wantAllUp()
		s.wantEqual()
	})
}

// TestValuesAreFoundBehindSetAndSavepoint: a block that keeps one snapshot has begun on the nodes
// without it. The next statement writes to a table that nobody knows yet, whose defaults each node
// would compute for itself.
func TestValuesAreFoundBehindSetAndSavepoint(t *testing.T) {
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newStageIn(t, mode)
			conn := s.connect()
			n := 0
			for _, begin := range []string{"BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE"} {
				for _, first := range []string{"SAVEPOINT s", "SET LOCAL work_mem = '4MB'"} {
					for _, protocol := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
						n++
						table := fmt.Sprintf("t%d", n)
						s.exec(conn, "CREATE TABLE "+table+" (id int PRIMARY KEY, u uuid DEFAULT gen_random_uuid(), at timestamptz DEFAULT clock_timestamp())")
						s.exec(conn, begin)
						s.exec(conn, first)
						if _, err := conn.Exec(bounded(t), "INSERT INTO "+table+" VALUES (1)", protocol); err != nil {
							t.Fatalf("%s; %s: %v", begin, first, err)
						}
						s.exec(conn, "COMMIT")
					}
				}
			}
			s.wantAllUp()
			s.wantEqual()
		})
	}
}
