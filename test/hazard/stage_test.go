package hazard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

const (
	database = "hazard"
	// patience only ends what hangs.
	patience     = 2 * time.Minute
	pollInterval = 5 * time.Millisecond
)

// placeholders stand in scripts for what is not known before, or too long: the schema that
// it is played in, and a comment that is nested too deep for the parser.
func placeholders(schema string) *strings.Replacer {
	deep := strings.Repeat("/* ", 70) + strings.Repeat(" ", 4096) + strings.Repeat("*/ ", 70)
	return strings.NewReplacer(":schema", schema, ":deep", deep)
}

// warnings are what the log says when nodes may differ, or have differed and were kept from it.
var warnings = []string{"statement may have another effect on each node", "nodes may compute a value differently", "nodes may pick rows differently", "nodes may differ", "is not deterministic"}

// stage is the cluster that all hazards share, each in a schema of its own.
type stage struct {
	nodes []*pgtest.Node
	proxy *proxy.Proxy
	// direct are connections to the nodes themselves, which scripts use; watchers look
	// who waits there.
	direct, watchers []*pgx.Conn
}

func newStage(t *testing.T) *stage {
	t.Helper()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"max_prepared_transactions": "10"}))
	// Reads go to node 1, and every session has connections of its own. A busy machine costs no node its place.
	s := &stage{nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig("backend_weight0 = 0", "backend_weight2 = 0",
		"connection_cache = off", "health_check_period = 0", "health_check_timeout = 30", "connect_timeout = 30000"))}
	s.proxy.Exec("CREATE DATABASE " + database)
	for _, node := range nodes {
		s.direct = append(s.direct, node.ConnectTo(database))
		s.watchers = append(s.watchers, node.ConnectTo(database))
	}
	return s
}

// run is one hazard being played, in a schema of its own.
type run struct {
	*stage
	t      *testing.T
	schema string
	actors map[string]*actor
	last   error // of the last statement
	differ []string
	told   bool // by a report that was asked for
}

// actor is a session of a script.
type actor struct {
	conn    *pgx.Conn
	pending chan error // of a statement that was not waited for
}

// play runs a script and returns the outcome.
func (s *stage) play(t *testing.T, h hazard, schema string) string {
	t.Helper()
	before := s.newPage(t)
	r := &run{stage: s, t: t, schema: schema, actors: map[string]*actor{}}
	names := placeholders(schema)
	for _, st := range append([]step{newStep("setup", "CREATE SCHEMA "+schema)}, h.steps...) {
		st.sql = names.Replace(st.sql)
		r.step(st)
	}
	for _, name := range []string{"a", "b"} {
		if err := r.actors[name].finish(); err != nil {
			r.last = err
		}
	}
	r.compare()
	out := r.outcome(s.proxy.Log()[before:])
	r.clean()
	return out
}

// newPage has everything told again that was told of another hazard, and returns where
// the log stands.
func (s *stage) newPage(t *testing.T) int {
	t.Helper()
	const reloaded = "configuration reloaded"
	before := strings.Count(s.proxy.Log(), reloaded)
	s.proxy.Signal(syscall.SIGHUP)
	for end := time.Now().Add(patience); strings.Count(s.proxy.Log(), reloaded) == before; time.Sleep(pollInterval) {
		if time.Now().After(end) {
			t.Fatal("the configuration is not reloaded")
		}
	}
	return len(s.proxy.Log())
}

func (r *run) step(st step) {
	r.t.Helper()
	who, _, _ := strings.Cut(st.who, " ")
	switch who {
	case "node":
		r.onNode(st)
	case "nodes":
		r.onEachNode(st)
	case "login":
		r.last = r.login(st.sql)
	case "check":
		r.report(st.sql, "check", "--nodes", r.proxy.ConfigFile)
	case "verify":
		r.report(st.sql, "verify", "--database", database)
	case "a=", "b=":
		r.likeMain(strings.TrimSuffix(who, "="), st)
	default:
		r.act(st)
	}
}

// act has a session run a statement.
func (r *run) act(st step) {
	r.t.Helper()
	name, async := strings.CutSuffix(st.who, "&")
	a := r.actor(name)
	err := a.do(st, async)
	switch {
	case name == "setup":
		if err != nil {
			r.t.Fatalf("%s: %v", st.sql, err)
		}
	case async:
		r.waitBlocked(a)
	default:
		r.last = err
	}
}

func (r *run) actor(name string) *actor {
	r.t.Helper()
	if r.actors[name] == nil {
		r.actors[name] = &actor{conn: r.connect(r.t, r.schema)}
	}
	return r.actors[name]
}

// likeMain notes if a session is told something else than main says.
func (r *run) likeMain(name string, st step) {
	r.t.Helper()
	a := r.actor(name)
	if r.last = a.finish(); r.last != nil {
		return
	}
	ctx, stop := bounded()
	defer stop()
	results, err := a.conn.PgConn().Exec(ctx, st.sql).ReadAll()
	if err != nil {
		r.last = err
		return
	}
	got, want := firstColumn(results), r.ask(r.t, 0, r.schema, st.sql)
	if !slices.Equal(got, want) {
		r.differ = append(r.differ, fmt.Sprintf("%s: %q, main says %q", st.sql, got, want))
	}
}

// onEachNode notes if the nodes do not answer alike.
func (r *run) onEachNode(st step) {
	r.t.Helper()
	want := r.ask(r.t, 0, r.schema, st.sql)
	for node := 1; node < len(r.direct); node++ {
		if got := r.ask(r.t, node, r.schema, st.sql); !slices.Equal(got, want) {
			r.differ = append(r.differ, fmt.Sprintf("%s: node %d says %q, node 0 %q", st.sql, node, got, want))
		}
	}
}

// login connects through pgchorus as a user of that name.
func (r *run) login(user string) error {
	ctx, stop := bounded()
	defer stop()
	conn, err := pgx.Connect(ctx, r.proxy.DSN(database, user))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// report runs a command of pgchorus, whose report has to say something.
func (r *run) report(want string, args ...string) {
	r.t.Helper()
	output, _ := r.proxy.Command(args...) // it ends with an error if nodes differ
	if !strings.Contains(output, want) {
		r.t.Fatalf("%q is not in:\n%s", want, output)
	}
	r.told = true
}

func (s *stage) connect(t *testing.T, schema string) *pgx.Conn {
	t.Helper()
	ctx, stop := bounded()
	defer stop()
	conn, err := pgx.Connect(ctx, s.proxy.DSN(database, s.proxy.User)+"&search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// do runs a statement; without waiting for it, the next one of the same actor waits.
func (a *actor) do(st step, async bool) error {
	if err := a.finish(); err != nil {
		return err
	}
	if !async {
		return a.send(st)
	}
	a.pending = make(chan error, 1)
	go func() { a.pending <- a.send(st) }()
	return nil
}

// send runs a statement by the protocol that its input asks for.
func (a *actor) send(st step) error {
	ctx, stop := bounded()
	defer stop()
	conn := a.conn.PgConn()
	switch {
	case st.input == "":
		_, err := conn.Exec(ctx, st.sql).ReadAll()
		return err
	case strings.HasPrefix(st.sql, "COPY"):
		data := strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(st.input)
		_, err := conn.CopyFrom(ctx, strings.NewReader(data), st.sql)
		return err
	}
	var values [][]byte
	for value := range strings.SplitSeq(st.input, "|") {
		values = append(values, []byte(value))
	}
	_, err := conn.ExecParams(ctx, st.sql, values, nil, nil, nil).Close()
	return err
}

func (a *actor) finish() error {
	if a == nil || a.pending == nil {
		return nil
	}
	err := <-a.pending
	a.pending = nil
	return err
}

// waitBlocked waits until somebody waits for a lock on a node, or the statement has ended.
func (r *run) waitBlocked(a *actor) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pollInterval) {
		select {
		case err := <-a.pending:
			a.pending <- err
			return
		default:
		}
		for _, watcher := range r.watchers {
			if rows, _ := askOver(r.t, watcher, "SELECT count(*) FROM pg_locks WHERE NOT granted"); rows[0] != "0" {
				return
			}
		}
	}
	r.t.Fatal("the statement neither ends nor waits for a lock")
}

// onNode runs a statement on a node, past pgchorus.
func (r *run) onNode(st step) {
	r.t.Helper()
	node, err := strconv.Atoi(strings.TrimPrefix(st.who, "node "))
	if err != nil {
		r.t.Fatal(err)
	}
	r.ask(r.t, node, r.schema, st.sql)
}

// ask runs SQL on a node and returns the first column of the last result.
func (s *stage) ask(t *testing.T, node int, schema, sql string) []string {
	t.Helper()
	if _, err := askOver(t, s.direct[node], "SET search_path = "+schema); err != nil {
		t.Fatal(err)
	}
	rows, err := askOver(t, s.direct[node], sql)
	if err != nil {
		t.Fatalf("node %d: %s: %v", node, sql, err)
	}
	return rows
}

// compare notes what the nodes hold otherwise, when they have committed what main had as clients were answered (decision 0030).
func (r *run) compare() {
	r.t.Helper()
	for _, node := range r.nodes {
		node.WaitRows("SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'pgchorus:%'")
	}
	ctx, stop := bounded()
	defer stop()
	for node := 1; node < len(r.direct); node++ {
		found, err := pgtest.DifferencesOver(ctx, r.direct[0], r.direct[node])
		if err != nil {
			r.t.Fatal(err)
		}
		for _, difference := range found {
			r.differ = append(r.differ, fmt.Sprintf("nodes 0 and %d: %s", node, difference))
		}
	}
}

// outcome puts into words what has become of a script, given what was logged meanwhile.
func (r *run) outcome(logged string) string {
	r.t.Helper()
	out := "equal"
	var refused *pgconn.PgError
	if errors.As(r.last, &refused) {
		out = refused.Code
	} else if r.last != nil {
		out = "error"
	}
	if r.last != nil {
		r.t.Log(r.last)
	}
	if len(r.differ) > 0 {
		r.t.Log(strings.Join(r.differ, "\n"))
		out = "differs"
	}
	if slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(logged, w) }) {
		out += ", warned"
	}
	if r.told {
		out += ", told"
	}
	return out
}

// clean leaves nothing that is the next hazard's business.
func (r *run) clean() {
	r.t.Helper()
	for _, a := range r.actors {
		_ = a.conn.Close(context.Background())
	}
	for node := range r.direct {
		r.ask(r.t, node, "public", "SET client_min_messages = error; DROP SCHEMA IF EXISTS "+r.schema+" CASCADE; SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
	}
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// askOver returns the first column of the last result.
func askOver(t *testing.T, conn *pgx.Conn, sql string) ([]string, error) {
	t.Helper()
	ctx, stop := bounded()
	defer stop()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	return firstColumn(results), err
}

func firstColumn(results []*pgconn.Result) []string {
	if len(results) == 0 {
		return nil
	}
	var out []string
	for _, row := range results[len(results)-1].Rows {
		out = append(out, string(row[0]))
	}
	return out
}
