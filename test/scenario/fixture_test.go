package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// database is where scenarios work: connections to database postgres are never kept.
const database = "app"

// patience bounds everything that a scenario waits for; it only ends what hangs.
const patience = 20 * time.Second

const pollInterval = 5 * time.Millisecond

// stage is three nodes and the server in front of them.
type stage struct {
	t     testing.TB
	mode  config.ClusteringMode
	nodes []*pgtest.Node
	proxy *proxy.Proxy
}

func newStage(t testing.TB, opts ...proxy.Option) *stage {
	t.Helper()
	nodes := pgtest.Start(t, 3)
	s := &stage{t: t, mode: config.NativeReplication, nodes: nodes, proxy: proxy.Start(t, nodes, opts...)}
	s.proxy.Exec("CREATE DATABASE " + database)
	return s
}

// newStageIn is a stage in another clustering mode. Reads go to node 1 wherever that is
// possible.
func newStageIn(t testing.TB, mode config.ClusteringMode, lines ...string) *stage {
	t.Helper()
	if mode == config.StreamingReplication {
		return newStreamingStage(t, lines...)
	}
	lines = append([]string{"backend_clustering_mode = " + string(mode), "backend_weight0 = 0", "backend_weight2 = 0"}, lines...)
	s := newStage(t, proxy.WithConfig(lines...))
	s.mode = mode
	return s
}

// wantEqual fails the test unless all nodes hold the same. Standbys are waited for.
func (s *stage) wantEqual() {
	s.t.Helper()
	s.settle()
	pgtest.WantEqual(s.t, s.nodes...)
}

// in is the same stage for a subtest.
func (s *stage) in(t testing.TB) *stage {
	other := &stage{t: t, mode: s.mode, proxy: s.proxy.In(t)}
	for _, node := range s.nodes {
		other.nodes = append(other.nodes, node.In(t))
	}
	return other
}

// bounded is a context that ends what hangs.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// connect opens a frontend's connection; simple makes all of its queries simple ones.
func (s *stage) connect(parameters ...string) *pgx.Conn {
	s.t.Helper()
	conn, err := s.tryConnect(parameters...)
	if err != nil {
		s.t.Fatalf("connect: %v", err)
	}
	return conn
}

// tryConnect takes more parameters of the connection string, such as
// "application_name=x".
func (s *stage) tryConnect(parameters ...string) (*pgx.Conn, error) {
	dsn := s.proxy.DSN(database, s.proxy.User)
	for _, parameter := range parameters {
		dsn += "&" + parameter
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return s.tryConnectTo(config)
}

// connectWith is connect with changes to the client's configuration.
func (s *stage) connectWith(change func(*pgx.ConnConfig)) *pgx.Conn {
	s.t.Helper()
	config, err := pgx.ParseConfig(s.proxy.DSN(database, s.proxy.User))
	if err != nil {
		s.t.Fatal(err)
	}
	change(config)
	conn, err := s.tryConnectTo(config)
	if err != nil {
		s.t.Fatalf("connect: %v", err)
	}
	return conn
}

func (s *stage) tryConnectTo(config *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { hangUp(conn) })
	return conn, nil
}

func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = conn.Close(ctx) // the scenario may have ended the server
}

// exec runs sql by simple query and fails the test on an error.
func (s *stage) exec(conn *pgx.Conn, sql string) {
	s.t.Helper()
	if _, err := rowsOf(conn, sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// want fails the test unless sql returns these rows, columns joined by '|'.
func (s *stage) want(conn *pgx.Conn, sql string, want ...string) {
	s.t.Helper()
	got, err := rowsOf(conn, sql)
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%s\n got %q\nwant %q", sql, got, want)
	}
}

// wantCode fails the test unless sql fails with this SQLSTATE.
func (s *stage) wantCode(conn *pgx.Conn, sql, code string) {
	s.t.Helper()
	if _, err := rowsOf(conn, sql); codeOf(err) != code {
		s.t.Errorf("%s: %v, want SQLSTATE %s", sql, err, code)
	}
}

// rowsOf is the rows of the last statement of a simple query, columns joined by '|'.
func rowsOf(conn *pgx.Conn, sql string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return texts(results[len(results)-1].Rows), nil
}

func texts(rows [][][]byte) []string {
	var out []string
	for _, row := range rows {
		values := make([]string, len(row))
		for i, value := range row {
			values[i] = pgtest.Null
			if value != nil {
				values[i] = string(value)
			}
		}
		out = append(out, strings.Join(values, "|"))
	}
	return out
}

// codeOf is the SQLSTATE of err; empty for none.
func codeOf(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}

// await polls until done says so, and fails the test when it never does.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(pollInterval) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// direct asks a node itself, in the scenarios' database; an error is no rows, since
// the node may be dead.
func direct(node *pgtest.Node, sql string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, node.Node.DSN(database))
	if err != nil {
		return nil
	}
	defer conn.Close(ctx)
	rows, err := rowsOf(conn, sql)
	if err != nil {
		return nil
	}
	return rows
}

// gate is a lock that a scenario holds on nodes themselves, behind the server's back,
// to make a statement wait exactly there.
type gate struct {
	t     testing.TB
	holds map[int]*pgx.Conn
}

// hold runs sql, which takes a lock, in an open transaction on each of the nodes.
func hold(t testing.TB, sql string, nodes ...*pgtest.Node) *gate {
	t.Helper()
	g := &gate{t: t, holds: map[int]*pgx.Conn{}}
	for _, node := range nodes {
		conn := node.In(t).ConnectTo(database)
		if _, err := conn.Exec(bounded(t), "BEGIN; "+sql); err != nil {
			t.Fatalf("node %d: %s: %v", node.ID, sql, err)
		}
		g.holds[node.ID] = conn
	}
	return g
}

// open lets everybody through, on the nodes that still live.
func (g *gate) open() {
	for id := range g.holds {
		g.openOn(id)
	}
}

func (g *gate) openOn(id int) {
	conn := g.holds[id]
	delete(g.holds, id)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = conn.Close(ctx) // the node may be dead; a lock ends with its session
}

// waiters is how many backends wait for a lock on a node.
func waiters(node *pgtest.Node) int {
	return len(direct(node, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))
}

// awaitWaiter waits until a backend waits for a lock on each of the nodes.
func awaitWaiter(t testing.TB, nodes ...*pgtest.Node) {
	t.Helper()
	for _, node := range nodes {
		await(t, fmt.Sprintf("a backend waits for a lock on node %d", node.ID), func() bool { return waiters(node) > 0 })
	}
}

// without is the nodes but for one.
func without(nodes []*pgtest.Node, id int) []*pgtest.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *pgtest.Node) bool { return n.ID == id })
}

// background runs a statement while the scenario does other things.
type background struct {
	done chan struct{}
	rows []string
	err  error
}

func start(do func() ([]string, error)) *background {
	b := &background{done: make(chan struct{})}
	go func() {
		defer close(b.done)
		b.rows, b.err = do()
	}()
	return b
}

// startQuery runs sql by simple query.
func startQuery(conn *pgx.Conn, sql string) *background {
	return start(func() ([]string, error) { return rowsOf(conn, sql) })
}

// wait returns what came of it.
func (b *background) wait(t testing.TB) ([]string, error) {
	t.Helper()
	select {
	case <-b.done:
		return b.rows, b.err
	case <-time.After(patience):
		t.Fatalf("a statement has not ended within %v", patience)
		return nil, nil
	}
}

// must is wait for what has to succeed.
func (b *background) must(t testing.TB) []string {
	t.Helper()
	rows, err := b.wait(t)
	if err != nil {
		t.Fatalf("statement: %v", err)
	}
	return rows
}

func deadlineOf(ctx context.Context) time.Time {
	end, _ := ctx.Deadline()
	return end
}

// dial opens a bare connection to the server.
func (s *stage) dial() net.Conn {
	s.t.Helper()
	nc, err := net.DialTimeout("tcp", net.JoinHostPort(s.proxy.Host, strconv.Itoa(s.proxy.Port)), patience)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return nc
}

// detailOf is the DETAIL of err; empty for none.
func detailOf(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Detail
	}
	return ""
}
