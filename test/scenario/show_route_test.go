package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
)

// routed are statements with what they need in front of them. What is in a block is
// rolled back.
var routed = []struct{ before, sql string }{
	{"", "SELECT count(*) FROM item"},
	{"", "SELECT now(), random()"},
	{"", "SELECT nextval('counter')"},
	{"", "SELECT set_config('my.own', 'x', false)"},
	{"", "SELECT * FROM item WHERE id = 1 FOR UPDATE"},
	{"", "SELECT * FROM reading"},
	{"", "SELECT * FROM drawing"},
	{"", "SELECT count(*) FROM pg_class"},
	{"", "SELECT drawn(1)"},
	{"", "SELECT computed(1)"},
	{"", "SELECT nobody_knows(1)"},
	{"", "VALUES (1), (2)"},
	{"", "TABLE item"},
	{"", "EXPLAIN SELECT * FROM item"},
	{"", "EXPLAIN ANALYZE UPDATE item SET text = text"},
	{"", "WITH w AS (DELETE FROM item WHERE id < 0 RETURNING id) SELECT * FROM w"},
	{"", "INSERT INTO item VALUES (1000, 'x') ON CONFLICT DO NOTHING"},
	{"", "UPDATE item SET text = 'x' WHERE id = 1"},
	{"", "CREATE TABLE IF NOT EXISTS item (id int)"},
	{"", "SET work_mem = '3MB'"},
	{"", "SHOW work_mem"},
	{"BEGIN", "LOCK TABLE item"},
	{"", "/*NO LOAD BALANCE*/ SELECT count(*) FROM item"},
	{"", "/*REPLICATION*/ SELECT count(*) FROM item"},
	{"", "/* any */ SELECT count(*) FROM item"},
	{"BEGIN", "SELECT count(*) FROM item"},
	{"BEGIN; UPDATE item SET text = 'x' WHERE id = 1", "SELECT count(*) FROM item"},
	{"BEGIN; SET LOCAL work_mem = '3MB'", "SELECT count(*) FROM item"},
	{"BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT count(*) FROM item"},
	{"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM item"},
	{"BEGIN READ ONLY", "SELECT count(*) FROM item"},
	{"CREATE TEMP TABLE IF NOT EXISTS item (id int, text text)", "SELECT count(*) FROM item"},
}

// routeSchema has a view and a function of each kind.
const routeSchema = itemTable + `
CREATE SEQUENCE counter;
CREATE FUNCTION drawn(int) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT nextval(''counter'')';
CREATE FUNCTION computed(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE VIEW reading AS SELECT count(*) FROM item;
CREATE VIEW drawing AS SELECT drawn(1);`

// TestShowRouteSaysWhatHappens compares what PGPOOL SHOW ROUTE FOR says of a statement
// with the logs of the nodes after it.
func TestShowRouteSaysWhatHappens(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication, config.Raw} {
		t.Run(string(mode), func(t *testing.T) {
			s := newStageIn(t, mode)
			for _, node := range s.nodes {
				node.Exec("ALTER SYSTEM SET log_statement = 'all'")
				node.Exec("SELECT pg_reload_conf()")
				node.WaitRows("SHOW log_statement", "all")
			}
			s.exec(s.connect(), routeSchema)
			s.settle()
			for i, tt := range routed {
				for j, protocol := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
					t.Run(fmt.Sprintf("%s %s, %v", tt.before, tt.sql, protocol), func(t *testing.T) {
						s.in(t).wantRouteShown(tt.before, tt.sql, fmt.Sprintf("/* %s %d.%d */", mode, i, j), protocol)
					})
				}
			}
		})
	}
}

// settle waits until standbys have what was written.
func (s *stage) settle() {
	s.t.Helper()
	if s.mode == config.StreamingReplication {
		for _, standby := range s.nodes[1:] {
			standby.WaitCaughtUp(s.nodes[0])
		}
	}
}

func (s *stage) wantRouteShown(before, sql, mark string, protocol pgx.QueryExecMode) {
	s.t.Helper()
	conn := s.connect()
	defer hangUp(conn)
	if before != "" {
		s.exec(conn, before)
	}
	said := s.routeOf(conn, sql, protocol)
	_, err := conn.Exec(bounded(s.t), sql+" "+mark, protocol)
	var ran []string
	for _, node := range s.nodes {
		if strings.Contains(node.LogTail(200), mark) {
			ran = append(ran, fmt.Sprintf("node %d", node.ID))
		}
	}
	if !slices.Equal(ran, s.expand(said)) {
		s.t.Errorf("%s: said to go to %q, but ran on %q (%v)", sql, said, ran, err)
	}
}

// expand is the nodes that the words of a route mean.
func (s *stage) expand(where string) []string {
	switch {
	case where == "all nodes":
		return []string{"node 0", "node 1", "node 2"}
	case where == "session's nodes":
		return []string{"node 0", "node 1"}
	}
	return []string{where}
}

// decisionColumn is where PGPOOL SHOW ROUTE has the decision, in its last row.
const decisionColumn = 5

// routeOf is where a statement is said to go, such as "node 1" or "all nodes".
func (s *stage) routeOf(conn *pgx.Conn, sql string, protocol pgx.QueryExecMode) string {
	s.t.Helper()
	show := "PGPOOL SHOW ROUTE FOR " + sql
	var rows []string
	var err error
	if protocol == pgx.QueryExecModeSimpleProtocol {
		rows, err = rowsOf(conn, show)
	} else {
		result := conn.PgConn().ExecParams(bounded(s.t), show, nil, nil, nil, nil).Read()
		rows, err = texts(result.Rows), result.Err
	}
	if err != nil || len(rows) == 0 {
		s.t.Fatalf("%s: %q, %v", show, rows, err)
	}
	columns := strings.Split(rows[len(rows)-1], "|")
	where, _, _ := strings.Cut(columns[decisionColumn], ": ")
	return where
}
