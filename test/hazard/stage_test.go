package hazard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	patience     = 30 * time.Second
	pollInterval = 5 * time.Millisecond
)

// warnings are what the log says when nodes may differ, or have differed and were kept from it.
var warnings = []string{"statement may have another effect on each node", "nodes may compute a value differently", "nodes may differ", "is not deterministic"}

// stage is the cluster that all hazards share, each in a schema of its own.
type stage struct {
	nodes []*pgtest.Node
	proxy *proxy.Proxy
	// direct are connections to the nodes themselves.
	direct []*pgx.Conn
}

func newStage(t *testing.T) *stage {
	t.Helper()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"max_prepared_transactions": "10"}))
	s := &stage{nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig("backend_weight0 = 0", "backend_weight2 = 0"))}
	s.proxy.Exec("CREATE DATABASE " + database)
	for _, node := range nodes {
		s.direct = append(s.direct, node.ConnectTo(database))
	}
	return s
}

// actor is a session of a script.
type actor struct {
	conn    *pgx.Conn
	pending chan error // of a statement that was not waited for
}

// play runs a script in a schema of its own and returns the outcome.
func (s *stage) play(t *testing.T, h hazard, schema string) string {
	t.Helper()
	told := len(s.proxy.Log())
	actors := map[string]*actor{}
	var last error
	for _, st := range append([]step{{"setup", "CREATE SCHEMA " + schema}}, h.steps...) {
		if id, direct := strings.CutPrefix(st.who, "node "); direct {
			s.onNode(t, id, schema, st.sql)
			continue
		}
		name, async := strings.CutSuffix(st.who, "&")
		if actors[name] == nil {
			actors[name] = &actor{conn: s.connect(t, schema)}
		}
		err := actors[name].do(st.sql, async)
		if st.who == "setup" && err != nil {
			t.Fatalf("%s: %v", st.sql, err)
		}
		if async {
			s.waitBlocked(t, actors[name])
		} else {
			last = err
		}
	}
	for _, name := range []string{"a", "b"} {
		if err := actors[name].finish(); err != nil {
			last = err
		}
	}
	return s.outcome(t, schema, last, s.proxy.Log()[told:])
}

func (s *stage) connect(t *testing.T, schema string) *pgx.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	conn, err := pgx.Connect(ctx, s.proxy.DSN(database, s.proxy.User)+"&search_path="+schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// do runs a statement; without waiting for it, the next one of the same actor waits.
func (a *actor) do(sql string, async bool) error {
	if err := a.finish(); err != nil {
		return err
	}
	run := func() error {
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		_, err := a.conn.PgConn().Exec(ctx, sql).ReadAll()
		return err
	}
	if !async {
		return run()
	}
	a.pending = make(chan error, 1)
	go func() { a.pending <- run() }()
	return nil
}

func (a *actor) finish() error {
	if a == nil || a.pending == nil {
		return nil
	}
	err := <-a.pending
	a.pending = nil
	return err
}

// waitBlocked waits until somebody waits for a lock on main, or the statement has ended.
func (s *stage) waitBlocked(t *testing.T, a *actor) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pollInterval) {
		select {
		case err := <-a.pending:
			a.pending <- err
			return
		default:
		}
		if s.ask(t, 0, "SELECT count(*) FROM pg_locks WHERE NOT granted")[0] != "0" {
			return
		}
	}
	t.Fatal("the statement neither ends nor waits for a lock")
}

func (s *stage) onNode(t *testing.T, id, schema, sql string) {
	t.Helper()
	node, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	s.ask(t, node, "SET search_path = "+schema+"; "+sql)
}

// ask runs SQL on a node and returns the first column of the last result.
func (s *stage) ask(t *testing.T, node int, sql string) []string {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	results, err := s.direct[node].PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("node %d: %s: %v", node, sql, err)
	}
	var out []string
	for _, row := range results[len(results)-1].Rows {
		out = append(out, string(row[0]))
	}
	return out
}

// outcome puts into words what has become of a script.
func (s *stage) outcome(t *testing.T, schema string, last error, told string) string {
	t.Helper()
	out := "equal"
	var refused *pgconn.PgError
	if errors.As(last, &refused) {
		out = refused.Code
	} else if last != nil {
		out = "error"
	}
	if s.differs(t, schema) {
		out = "differs"
	}
	for _, warning := range warnings {
		if strings.Contains(told, warning) {
			return out + ", warned"
		}
	}
	return out
}

// contents lists tables with their rows, and sequences of them that are given to nobody else.
const contents = `
SELECT format('SELECT %L || coalesce(md5(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C")), ''empty'') FROM %s AS t', c.relname || ' ', c.oid::regclass)
FROM pg_class c WHERE c.relnamespace = '%SCHEMA%'::regnamespace AND c.relkind IN ('r', 'm', 'p') ORDER BY c.relname COLLATE "C"`

// differs reports whether the nodes hold something else in the schema.
func (s *stage) differs(t *testing.T, schema string) bool {
	t.Helper()
	var first []string
	for node := range s.direct {
		held := s.ask(t, node, "RESET search_path; SELECT typname::text || typtype::text FROM pg_type WHERE typnamespace = '"+schema+"'::regnamespace ORDER BY 1")
		for _, query := range s.ask(t, node, strings.ReplaceAll(contents, "%SCHEMA%", schema)) {
			held = append(held, s.ask(t, node, query)...)
		}
		held = append(held, s.ask(t, node, "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_largeobject_metadata")...)
		s.ask(t, node, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata") // not the next one's business
		if node == 0 {
			first = held
		} else if !slices.Equal(first, held) {
			t.Logf("%s", fmt.Sprintf("node 0 holds %q\nnode %d holds %q", first, node, held))
			return true
		}
	}
	return false
}
