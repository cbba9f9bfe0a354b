package scenario

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// What is deferred to COMMIT is done in front of it, on main first, so that it is compared and
// can be cancelled.

func TestDeferredErrorIsTheTransactionsOwn(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
	s.exec(conn, "CREATE TABLE early (id int REFERENCES parent DEFERRABLE)")
	for _, sql := range []string{
		"INSERT INTO child VALUES (1)",
		"BEGIN; INSERT INTO child VALUES (1); COMMIT",
		"BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO early VALUES (1); COMMIT",
		"INSERT INTO early VALUES (1)",
		"INSERT INTO parent VALUES (5); INSERT INTO child VALUES (5); DELETE FROM parent WHERE id = 5",
		"DO 'BEGIN INSERT INTO child VALUES (1); END'",
		"BEGIN; CREATE TABLE late (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1); COMMIT",
	} {
		s.wantCode(conn, sql, "23503")
		if status := conn.PgConn().TxStatus(); status != 'I' {
			t.Fatalf("%s: the transaction goes on, status %c", sql, status)
		}
	}
	if _, err := conn.Exec(bounded(t), "INSERT INTO child VALUES ($1)", 1); codeOf(err) != "23503" {
		t.Errorf("extended query: %v", err)
	}
	s.exec(conn, "BEGIN; INSERT INTO child VALUES (1); INSERT INTO parent VALUES (1); COMMIT")
	if _, err := conn.Exec(bounded(t), "INSERT INTO child VALUES ($1)", 1); err != nil {
		t.Error(err)
	}
	s.want(conn, "SELECT count(*) FROM child", "2")
	s.wantAllUp()
	s.wantSameSlots(s.nodes...)
	s.wantEqual()
}

// TestDeferredKeysHaveOneSurvivor: two sessions insert the same deferrable key, which nothing
// keeps from doing so at once. Whoever is first on main is so everywhere.
func TestDeferredKeysHaveOneSurvivor(t *testing.T) {
	s := newStage(t)
	first, second := s.connect(), s.connect()
	s.exec(first, "CREATE TABLE k (k int UNIQUE DEFERRABLE INITIALLY DEFERRED, who text)")
	s.exec(first, "BEGIN; INSERT INTO k VALUES (1, 'first')")
	refused := startQuery(second, "BEGIN; INSERT INTO k VALUES (1, 'second'); COMMIT")
	awaitWaiter(t, s.nodes[0]) // the table is locked, since the key is not when a row is inserted
	s.exec(first, "COMMIT")
	if _, err := refused.wait(t); codeOf(err) != "23505" {
		t.Errorf("the second commit: %v, want SQLSTATE 23505", err)
	}
	s.want(s.connect(), "SELECT who FROM k", "first")
	s.wantAllUp()
	s.wantEqual()
}

// TestCommitThatWaitsInADeferredTriggerIsCancelled by its frontend, like any statement.
func TestCommitThatWaitsInADeferredTriggerIsCancelled(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, itemTable+deferredGate)
	for _, held := range [][]*pgtest.Node{s.nodes, s.nodes[1:]} {
		for _, sql := range []string{"BEGIN; UPDATE item SET text = 'never' WHERE id = 1; COMMIT", "UPDATE item SET text = 'never' WHERE id = 1"} {
			g := hold(t, "LOCK TABLE gate IN EXCLUSIVE MODE", held...)
			statement := startQuery(conn, sql)
			awaitWaiter(t, held[0])
			cancelUntil(t, conn, statement)
			if _, err := statement.wait(t); codeOf(err) != "57014" {
				t.Errorf("%s: %v, want SQLSTATE 57014", sql, err)
			}
			g.open()
			s.want(conn, "SELECT count(*) FROM item WHERE text = 'never'", "0")
		}
	}
	s.exec(conn, "UPDATE item SET text = 'new' WHERE id = 1")
	s.wantAllUp()
	s.wantEqual()
}

// logged is how often the nodes have been sent a statement.
func (s *stage) logged(sql string) (n int) {
	const lines = 10_000
	for _, node := range s.nodes {
		n += strings.Count(node.LogTail(lines), "statement: "+sql)
	}
	return n
}

// TestPlainTransactionsCheckNothing: without anything deferred COMMIT has nothing in front.
func TestPlainTransactionsCheckNothing(t *testing.T) {
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"log_statement": "all"}))
	s := &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes)}
	s.proxy.Exec("CREATE DATABASE " + database)
	const checks = "SET CONSTRAINTS ALL IMMEDIATE"
	conn := s.connect()
	s.exec(conn, itemTable)
	s.exec(conn, "CREATE TABLE child (id int REFERENCES item DEFERRABLE INITIALLY DEFERRED); CREATE TABLE aside (i int)")
	before := s.logged(checks) // DDL may have made anything
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement} {
		if _, err := conn.Exec(bounded(t), "INSERT INTO aside VALUES (1)", mode); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.logged(checks) - before; n != 0 {
		t.Errorf("%d checks for tables that have nothing deferred", n)
	}
	s.exec(conn, "INSERT INTO child VALUES (1)")
	if n := s.logged(checks) - before; n != 3 {
		t.Errorf("%d checks, want one for each node", n)
	}
}
