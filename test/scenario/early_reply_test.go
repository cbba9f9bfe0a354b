package scenario

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const earlyUpdate = "UPDATE item SET text = 'new' WHERE id = 1"

// TestStatementInABlockIsAnsweredWhenMainHasDoneIt: another node still waits for a lock
// then. COMMIT waits for it, and a cancel that comes between the two hits nothing.
func TestStatementInABlockIsAnsweredWhenMainHasDoneIt(t *testing.T) {
	for name, mode := range protocols {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.exec(s.connect(), itemTable)
			conn := s.connectBy(mode)
			g := hold(t, earlyUpdate, s.nodes[2])
			for _, sql := range []string{"BEGIN", earlyUpdate} {
				if _, err := conn.Exec(bounded(t), sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			awaitWaiter(t, s.nodes[2])
			cancel(t, conn)
			commit := start(func() ([]string, error) {
				_, err := conn.Exec(bounded(t), "COMMIT")
				return nil, err
			})
			s.want(s.connect(), "SELECT text FROM item WHERE id = 1", "old")
			if waiters(s.nodes[2]) == 0 {
				t.Error("the cancel hit a statement that had been answered")
			}
			g.open()
			commit.must(t)
			s.want(s.connect(), "SELECT text FROM item WHERE id = 1", "new")
			s.wantAllUp()
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

// TestWhatBecomesKnownAfterTheAnswer: a node lacks the row that main has changed. Whatever
// comes next is told so, once, and nothing is committed.
func TestWhatBecomesKnownAfterTheAnswer(t *testing.T) {
	s := newStage(t)
	s.exec(s.connect(), itemTable)
	s.on(2, "DELETE FROM item WHERE id = 1")
	for name, mode := range protocols {
		s := s.in(t)
		conn := s.connectBy(mode)
		code := func(sql string) string {
			_, err := conn.Exec(bounded(t), sql)
			if err != nil && codeOf(err) == "" {
				t.Fatalf("%s: %s: %v", name, sql, err)
			}
			return codeOf(err)
		}
		for _, script := range [][]struct{ sql, code string }{
			{{"SELECT 1", "40001"}, {"SELECT 1", "25P02"}, {"ROLLBACK", ""}},
			{{"UPDATE item SET text = 'more' WHERE id = 2", "40001"}, {"COMMIT", ""}},
			{{"COMMIT", "40001"}},
			{{"PREPARE TRANSACTION 'x'", "40001"}},
			{{"ROLLBACK", ""}},
			{{"SAVEPOINT b", "40001"}, {"ROLLBACK TO a", ""}, {"UPDATE item SET text = 'old' WHERE id = 2", ""}, {"COMMIT", ""}},
			{{"ROLLBACK TO a", ""}, {"UPDATE item SET text = 'old' WHERE id = 2", ""}, {"COMMIT", ""}},
		} {
			for _, sql := range []string{"BEGIN", "SAVEPOINT a", earlyUpdate} {
				if got := code(sql); got != "" {
					t.Errorf("%s: %s: SQLSTATE %s", name, sql, got)
				}
			}
			for _, line := range script {
				if got := code(line.sql); got != line.code {
					t.Errorf("%s: %s: SQLSTATE %q, want %q", name, line.sql, got, line.code)
				}
			}
			if status := conn.PgConn().TxStatus(); status != 'I' {
				t.Errorf("%s: status %c after %v", name, status, script)
			}
			s.want(s.connect(), "SELECT string_agg(DISTINCT text, ' ') FROM item", "old")
		}
	}
	s.wantAllUp()
}

// TestEarlyReplyOff: the statement itself is told.
func TestEarlyReplyOff(t *testing.T) {
	s := newStage(t, proxy.WithConfig("early_reply = off"))
	s.exec(s.connect(), itemTable)
	s.on(2, "DELETE FROM item WHERE id = 1")
	for _, mode := range protocols {
		conn := s.connectBy(mode)
		if _, err := conn.Exec(bounded(t), "BEGIN"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(bounded(t), earlyUpdate); codeOf(err) != "40001" {
			t.Errorf("%v, want SQLSTATE 40001", err)
		}
	}
}

// TestMainLostAfterAnEarlyReply: the others have the statement, so nothing is lost.
func TestMainLostAfterAnEarlyReply(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable)
	g := hold(t, earlyUpdate, s.nodes[2])
	s.exec(conn, "BEGIN")
	s.exec(conn, earlyUpdate)
	awaitWaiter(t, s.nodes[2])
	s.nodes[0].Kill()
	next := startQuery(conn, "SELECT text FROM item WHERE id = 1")
	g.open()
	if rows := next.must(t); len(rows) != 1 || rows[0] != "new" {
		t.Errorf("read %q in the transaction, want its own write", rows)
	}
	s.exec(conn, "COMMIT")
	pgtest.WantEqual(t, s.nodes[1:]...)
}
