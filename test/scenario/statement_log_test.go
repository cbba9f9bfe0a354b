package scenario

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// TestStatementsAreLogged reads what Pgpool-II's users look for in the log.
func TestStatementsAreLogged(t *testing.T) {
	s := newStage(t, proxy.WithConfig("log_statement = on", "log_per_node_statement = on", "log_connections = on", "log_disconnections = on",
		"backend_weight0 = 0", "backend_weight2 = 0"))
	conn := s.connect("application_name=teller")
	s.exec(conn, "CREATE TABLE told (i int)")
	if _, err := conn.Exec(bounded(t), "SELECT $1::int + 77", 1); err != nil {
		t.Fatal(err)
	}
	hangUp(conn)
	for _, want := range []string{
		"statement: CREATE TABLE told (i int)", "statement: SELECT $1::int + 77",
		"DB node id: 0 backend pid:", "DB node id: 2 backend pid:", "connection authorized", `"application_name": "teller"`, "disconnection",
	} {
		s.proxy.WaitLog(want)
	}
	for line := range strings.Lines(s.proxy.Log()) {
		if strings.Contains(line, "DB node id") && strings.Contains(line, "+ 77") && !strings.Contains(line, "DB node id: 1 ") {
			t.Errorf("a read is said to have run elsewhere than on the load balance node: %s", line)
		}
	}
}

// TestFrontendIsToldTheNode is notice_per_node_statement with client_min_messages.
func TestFrontendIsToldTheNode(t *testing.T) {
	s := newStage(t, proxy.WithConfig("backend_weight0 = 0", "backend_weight2 = 0"))
	var heard []string
	config, err := pgx.ParseConfig(s.proxy.DSN(database, s.proxy.User))
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { heard = append(heard, n.Severity+" "+n.Message) }
	conn, err := pgx.ConnectConfig(bounded(t), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	s.exec(conn, "PGPOOL SET notice_per_node_statement TO on")
	s.want(conn, "SELECT 1", "1")
	s.exec(conn, "PGPOOL SET client_min_messages TO error")
	s.want(conn, "SELECT 2", "2")
	s.exec(conn, "COMMIT") // whose warning is ours
	if got := strings.Join(heard, "; "); got != "NOTICE DB node id: 1 statement: SELECT 1" {
		t.Errorf("the frontend was told %q", got)
	}
}
