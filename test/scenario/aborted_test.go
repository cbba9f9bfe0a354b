package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
)

// What an aborted block has undone on main is undone on the other nodes, too: whoever gets
// a lock on main that it has let go of, gets it everywhere.
func TestAbortedBlockHoldsNoLockOnAnyNode(t *testing.T) {
	simple := func(s *stage, conn *pgx.Conn, sql string) error {
		_, err := rowsOf(conn, sql)
		return err
	}
	extended := func(s *stage, conn *pgx.Conn, sql string) error {
		_, err := conn.Exec(bounded(s.t), sql)
		return err
	}
	tests := []struct {
		name string
		run  func(*stage, *pgx.Conn, string) error
		fail string // fails with code
		code string
	}{
		{"read fails", simple, "SELECT 1 / 0", "22012"},
		{"write fails", simple, "UPDATE item SET id = 1 WHERE id = 3", "23505"},
		{"refused by pgchorus", simple, "EXECUTE nobody", "26000"},
		{"write fails in an extended query", extended, "UPDATE item SET id = 1 WHERE id = 3", "23505"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			aborted, other := s.connect(), s.connect()
			s.exec(other, itemTable)

			s.exec(aborted, "BEGIN")
			s.exec(aborted, "UPDATE item SET text = 'never' WHERE id = 1")
			if err := tt.run(s, aborted, tt.fail); codeOf(err) != tt.code {
				t.Fatalf("%s: %v, want SQLSTATE %s", tt.fail, err, tt.code)
			}
			s.exec(other, "UPDATE item SET text = 'other' WHERE id = 1")
			s.wantCode(aborted, "SELECT 1", "25P02")
			s.exec(aborted, "COMMIT")
			s.want(aborted, "SELECT text FROM item WHERE id = 1", "other")

			s.exec(aborted, `BEGIN; UPDATE item SET text = 'kept' WHERE id = 1; SAVEPOINT "a ""b"""`)
			s.exec(aborted, "UPDATE item SET text = 'never' WHERE id = 2")
			if err := tt.run(s, aborted, tt.fail); codeOf(err) != tt.code {
				t.Fatalf("%s: %v, want SQLSTATE %s", tt.fail, err, tt.code)
			}
			s.exec(other, "UPDATE item SET text = 'other' WHERE id = 2")
			s.wantCode(other, "SELECT id FROM item WHERE id = 1 FOR UPDATE NOWAIT", "55P03")
			s.exec(aborted, `ROLLBACK TO "a ""b"""; UPDATE item SET text = 'too' WHERE id = 3; COMMIT`)
			s.want(other, "SELECT text FROM item WHERE id < 4 ORDER BY id", "kept", "other", "too")
			s.wantAllUp()
			s.wantEqual()
		})
	}
}

// A SERIALIZABLE READ ONLY DEFERRABLE transaction waits for those that write; their COMMIT
// must not wait for it.
func TestSnapshotThatWaitsForWritersLetsThemCommit(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{
		"BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
		"BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
	} {
		s := newStage(t)
		writer, reader := s.connect(), s.connect()
		s.exec(writer, itemTable)
		s.exec(writer, "BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE item SET text = 'new' WHERE id = 1")
		s.exec(reader, begin)
		read := startQuery(reader, "SELECT text FROM item WHERE id = 1")
		await(t, "the reader waits for a safe snapshot", func() bool {
			return len(direct(s.nodes[0], "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SafeSnapshot'")) == 1
		})
		s.exec(writer, "COMMIT")
		if rows := read.must(t); len(rows) != 1 {
			t.Errorf("%s: read %q, want one row", begin, rows)
		}
		s.exec(reader, "COMMIT")
		s.want(reader, "SELECT text FROM item WHERE id = 1", "new")
		s.wantEqual()
	}
}

// PREPARE TRANSACTION ends the block whatever becomes of it.
func TestPrepareTransactionThatFailsEndsTheBlock(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first, conn := s.connect(), s.connect()
	s.exec(first, itemTable)
	s.exec(first, "BEGIN; UPDATE item SET text = 'prepared' WHERE id = 1; PREPARE TRANSACTION 'taken'")
	run := map[string]func(sql string) error{
		"simple": func(sql string) error {
			_, err := rowsOf(conn, sql)
			return err
		},
		"extended": func(sql string) error {
			_, err := conn.Exec(bounded(t), sql, pgx.QueryExecModeExec)
			return err
		},
	}
	for name, run := range run {
		s.exec(conn, "BEGIN; UPDATE item SET text = 'never' WHERE id = 2")
		if err := run("PREPARE TRANSACTION 'taken'"); codeOf(err) != "42710" {
			t.Errorf("%s: PREPARE TRANSACTION: %v, want SQLSTATE 42710", name, err)
		}
		if status := conn.PgConn().TxStatus(); status != 'I' {
			t.Errorf("%s: status %q, want I", name, status)
		}
		s.exec(conn, "BEGIN; UPDATE item SET text = 'never' WHERE id = 2")
		s.wantCode(conn, "SELECT 1 / 0", "22012")
		if err := run("PREPARE TRANSACTION 'other'"); err != nil {
			t.Errorf("%s: PREPARE TRANSACTION of an aborted block: %v, want ROLLBACK", name, err)
		}
		if status := conn.PgConn().TxStatus(); status != 'I' {
			t.Errorf("%s: status %q after an aborted block, want I", name, status)
		}
		s.exec(conn, "UPDATE item SET text = 'after' WHERE id = 2")
	}
	s.exec(conn, "COMMIT PREPARED 'taken'")
	for _, node := range s.nodes {
		if rows := direct(node, "SELECT gid FROM pg_prepared_xacts"); len(rows) != 0 {
			t.Errorf("node %d has prepared transactions %q", node.ID, rows)
		}
	}
	s.wantAllUp()
	s.wantEqual()
}

// What a cursor's query calls is called when rows are fetched, as in PostgreSQL, and not by
// DECLARE.
func TestCursorCallsItsFunctionsWhenRowsAreFetched(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable+`; CREATE FUNCTION fail(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1 / $1; END'`)
	s.exec(conn, "BEGIN")
	s.exec(conn, "DECLARE good CURSOR FOR SELECT id FROM item ORDER BY id")
	s.exec(conn, "DECLARE bad CURSOR FOR SELECT fail(0)")
	s.want(conn, "FETCH good", "1")
	s.exec(conn, "SAVEPOINT s")
	s.wantCode(conn, "FETCH bad", "22012")
	s.exec(conn, "ROLLBACK TO s")
	s.want(conn, "FETCH good", "2")
	s.exec(conn, "UPDATE item SET text = 'fetched' WHERE CURRENT OF good")
	s.exec(conn, "COMMIT")
	s.want(conn, "SELECT id FROM item WHERE text = 'fetched'", "2")
	s.wantEqual()
}

// A node that was asked something else before may refuse to prepare what others have
// prepared: none of them keeps it.
func TestPrepareTransactionThatOneNodeRefusesIsTakenBack(t *testing.T) {
	t.Parallel()
	s := newStageIn(t, config.NativeReplication) // reads go to node 1
	conn := s.connect()
	s.exec(conn, itemTable+"; SET search_path = pg_temp")
	s.exec(conn, "BEGIN")
	s.want(conn, "SELECT current_schema() ~ 'pg_temp'", "t") // makes the schema where it is asked
	if _, err := rowsOf(conn, "PREPARE TRANSACTION 'never'"); codeOf(err) != "0A000" {
		t.Errorf("a transaction that has used temporary objects on one node: %v, want SQLSTATE 0A000", err)
	}
	if status := conn.PgConn().TxStatus(); status != 'I' {
		t.Errorf("status %q, want I", status)
	}
	s.exec(conn, "UPDATE public.item SET text = 'after' WHERE id = 1")
	for _, node := range s.nodes {
		if rows := direct(node, "SELECT gid FROM pg_prepared_xacts"); len(rows) != 0 {
			t.Errorf("node %d has prepared transactions %q", node.ID, rows)
		}
	}
	s.wantAllUp()
	s.wantEqual()
}
