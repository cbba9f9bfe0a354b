package pgtest_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

func TestNodesAreServersOfTheirOwn(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 2)
	nodes[0].Exec("CREATE TABLE t (x int, y text); INSERT INTO t VALUES (1, 'one'), (2, NULL)")

	nodes[0].WantRows("SELECT x, y FROM t ORDER BY x", "1|one", "2|"+pgtest.Null)
	if _, err := nodes[1].Try("SELECT * FROM t"); sqlState(err) != "42P01" {
		t.Errorf("the other node has the table too, or cannot be asked: %v", err)
	}
}

func TestSettingsReachTheServer(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1, pgtest.WithSettings(map[string]string{
		"wal_level": "logical", "search_path": `"it's", public`,
	}))[0]
	node.WantRows("SHOW wal_level", "logical")
	node.WantRows("SHOW search_path", `"it's", public`)
	node.WantRows("SHOW listen_addresses", "127.0.0.1")
	node.WantRows("SHOW max_connections", "200")
	node.WantRows("SELECT upper('ä'), 'b' > 'A', 'a' > 'B'", "Ä|t|t")
}

func TestSCRAMAndTLS(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1, pgtest.WithSCRAM("it's a secret"), pgtest.WithTLS(),
		pgtest.WithHBA("hostnossl all nobody 127.0.0.1/32 reject"))[0]
	node.WantRows("SHOW password_encryption", "scram-sha-256")

	ctx := t.Context()
	conn, err := pgconn.Connect(ctx, node.DSN()+"&sslmode=verify-full&sslrootcert="+node.CertFile())
	if err != nil {
		t.Fatalf("connect with TLS: %v", err)
	}
	defer conn.Close(ctx)
	rows := conn.ExecParams(ctx, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", nil, nil, nil, nil).Read()
	if rows.Err != nil || string(rows.Rows[0][0]) != "t" {
		t.Errorf("pg_stat_ssl = %v (%v), want t", rows.Rows, rows.Err)
	}
	if _, err := pgconn.Connect(ctx, node.DSN()+"&password=wrong"); sqlState(err) != "28P01" {
		t.Errorf("connect with a wrong password: %v, want 28P01", err)
	}
	if _, err := pgconn.Connect(ctx, node.DSN()+"&user=nobody"); sqlState(err) != "28000" {
		t.Errorf("connect as a rejected user: %v, want 28000", err)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1)[0]
	conn, err := pgconn.Connect(t.Context(), "host="+node.SocketDir+" port="+strconv.Itoa(node.Port)+" user=postgres dbname=postgres")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestKilledNodeRefusesConnectionsAtOnceAndKeepsItsData(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1)[0]
	node.Exec("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
	conn := node.Connect()

	node.Kill()
	if node.Running() {
		t.Error("a killed node still says that it runs")
	}
	if c, err := net.Dial("tcp", net.JoinHostPort(node.Host, strconv.Itoa(node.Port))); err == nil {
		c.Close()
		t.Error("the port of a killed node accepts connections")
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a connection outlived its server")
	}

	node.Start()
	node.WantRows("SELECT x FROM t", "1")
}

func TestPausedNodeIsSilentUntilResumed(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1)[0]
	conn, err := pgconn.Connect(t.Context(), node.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())

	node.Pause()
	if !node.Running() {
		t.Error("a paused node says that it does not run")
	}
	conn.Frontend().SendQuery(&pgproto3.Query{String: "SELECT 42"})
	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	// A server that is not paused answers in well under a tenth of this.
	if err := conn.Conn().SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if n, err := conn.Conn().Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatalf("a paused node answered: %d bytes, %v", n, err)
	}

	node.Resume()
	if err := conn.Conn().SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Conn().Read(make([]byte, 1)); err != nil {
		t.Errorf("a resumed node did not answer: %v", err)
	}
	node.WantRows("SELECT 1", "1")
}

func TestPausedNodeCanBeKilledAndStopped(t *testing.T) {
	t.Parallel()
	for _, stop := range []func(*pgtest.Node){(*pgtest.Node).Kill, (*pgtest.Node).Stop} {
		node := pgtest.Start(t, 1)[0]
		node.Pause()
		stop(node)
		node.Start()
		node.WantRows("SELECT 1", "1")
	}
}

func TestRestartKeepsThePort(t *testing.T) {
	t.Parallel()
	node := pgtest.Start(t, 1)[0]
	before := node.Port
	node.Restart()
	node.WantRows("SHOW port", strconv.Itoa(before))
}

func TestFreePortsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 20 {
		port := pgtest.FreePort(t)
		if seen[port] {
			t.Errorf("port %d was given twice", port)
		}
		seen[port] = true
	}
}

func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}
