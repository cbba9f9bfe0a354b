package pgtest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgchorus/pgchorus/internal/localpg"
)

// Null is how Query shows a null value.
const Null = "NULL"

// Database is the database that the methods of Node use.
const Database = "postgres"

// pollInterval is how often eventually asks.
const pollInterval = 10 * time.Millisecond

// Node is a PostgreSQL server that belongs to a test. Its methods fail the test
// where something goes wrong. They may be used from several goroutines as far as
// testing allows: FailNow has to be called on the test's own.
type Node struct {
	*localpg.Node
	Cluster *localpg.Cluster

	t testing.TB
}

// In is the same node for a subtest.
func (n *Node) In(t testing.TB) *Node {
	return &Node{Node: n.Node, Cluster: n.Cluster, t: t}
}

// DSN is a connection URI for the superuser and the database postgres.
func (n *Node) DSN() string { return n.Node.DSN(Database) }

// CertFile is the server's certificate and its own authority; empty without WithTLS.
func (n *Node) CertFile() string { return n.Cluster.CertFile }

// patiently is not the test's own context, because that has ended when cleanup
// functions run, and those use nodes too.
func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Connect opens a connection that is closed with the test.
func (n *Node) Connect() *pgx.Conn {
	n.t.Helper()
	return n.ConnectTo(Database)
}

// ConnectTo is Connect for another database.
func (n *Node) ConnectTo(database string) *pgx.Conn {
	n.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	conn, err := connect(ctx, n.Node.DSN(database))
	if err != nil {
		n.t.Fatalf("node %d: connect: %v", n.ID, err)
	}
	n.t.Cleanup(func() {
		ctx, cancel := patiently()
		defer cancel()
		_ = conn.Close(ctx) // the test may have killed the server
	})
	return conn
}

// connect fixes what changes how values look.
func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"application_name": "pgtest",
		"client_encoding":  "UTF8",
		"timezone":         "UTC",
		"datestyle":        "ISO, YMD",
		"intervalstyle":    "postgres",
		"bytea_output":     "hex",
	} {
		config.RuntimeParams[name] = value
	}
	return pgx.ConnectConfig(ctx, config)
}

// Exec runs one or more statements in a simple query on a new connection.
func (n *Node) Exec(sql string) {
	n.t.Helper()
	if _, err := n.Try(sql); err != nil {
		n.t.Fatalf("node %d: %s: %v", n.ID, sql, err)
	}
}

// Query returns the rows of the last statement in sql as text, with Null for
// null values.
func (n *Node) Query(sql string) [][]string {
	n.t.Helper()
	rows, err := n.Try(sql)
	if err != nil {
		n.t.Fatalf("node %d: %s: %v", n.ID, sql, err)
	}
	return rows
}

// Try is Query for a test that expects an error.
func (n *Node) Try(sql string) ([][]string, error) {
	ctx, cancel := patiently()
	defer cancel()
	conn, err := connect(ctx, n.DSN())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	return query(ctx, conn, sql)
}

// query returns the rows of the last statement.
func query(ctx context.Context, conn *pgx.Conn, sql string) ([][]string, error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var rows [][]string
	for _, values := range results[len(results)-1].Rows {
		row := make([]string, len(values))
		for i, value := range values {
			row[i] = Null
			if value != nil {
				row[i] = string(value)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// lines joins the columns of each row with '|', as psql -A does.
func lines(rows [][]string) []string {
	text := make([]string, len(rows))
	for i, row := range rows {
		text[i] = strings.Join(row, "|")
	}
	return text
}

// WantRows fails the test unless sql returns exactly these rows in this order,
// columns joined with '|'.
func (n *Node) WantRows(sql string, want ...string) {
	n.t.Helper()
	if got := lines(n.Query(sql)); !slices.Equal(got, want) {
		n.t.Errorf("node %d: %s\n got %q\nwant %q", n.ID, sql, got, want)
	}
}

// WaitRows waits until sql returns these rows, for what comes about by itself,
// such as logical replication. Errors count as other rows.
func (n *Node) WaitRows(sql string, want ...string) {
	n.t.Helper()
	var rows [][]string
	var err error
	ok := eventually(func() bool {
		rows, err = n.Try(sql)
		return err == nil && slices.Equal(lines(rows), want)
	})
	if !ok {
		n.t.Fatalf("node %d: %s\n got %q (%v) after %s\nwant %q", n.ID, sql, lines(rows), err, patience, want)
	}
}

// eventually asks every pollInterval, for patience, whether it is so.
func eventually(so func() bool) bool {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !so() {
		select {
		case <-deadline.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// Kill ends the server with SIGKILL; its port is dead when Kill returns.
func (n *Node) Kill() {
	n.t.Helper()
	n.must("kill", n.Node.Kill())
}

// Pause makes the server hang, with its connections open, until Resume.
func (n *Node) Pause() {
	n.t.Helper()
	n.must("pause", n.Node.Pause())
}

// Resume ends Pause.
func (n *Node) Resume() {
	n.t.Helper()
	n.must("resume", n.Node.Resume())
}

// Stop stops the server with a fast shutdown.
func (n *Node) Stop() {
	n.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	n.must("stop", n.Node.Stop(ctx, localpg.StopFast))
}

// Start starts the server again after Stop or Kill, on the same port.
func (n *Node) Start() {
	n.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	n.must("start", n.Node.Start(ctx))
}

// Restart stops the server if it runs and starts it.
func (n *Node) Restart() {
	n.t.Helper()
	n.Stop()
	n.Start()
}

func (n *Node) must(what string, err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s node %d: %v", what, n.ID, err)
	}
}
