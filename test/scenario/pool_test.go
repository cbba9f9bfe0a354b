package scenario

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/test/proxy"
)

// backends are the process numbers of the backends in the scenarios' database on each
// node, but for the one that asks.
func (s *stage) backends() [3][]string {
	var all [3][]string
	for id, node := range s.nodes {
		all[id] = direct(node, "SELECT pid FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY pid")
	}
	return all
}

// leaveAndAwait ends a session and waits until its connections are back in the pool,
// or closed.
func (s *stage) leaveAndAwait(conn *pgx.Conn) {
	s.t.Helper()
	hangUp(conn)
	await(s.t, "the session has ended", func() bool {
		for _, node := range s.nodes {
			busy := direct(node, "SELECT 1 FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND query NOT LIKE 'DISCARD%' AND query <> ''") // where it has asked nothing, nothing is reset
			if len(busy) > 0 {
				return false
			}
		}
		return true
	})
}

func TestConnectionsAreReusedByUserDatabaseAndParameters(t *testing.T) {
	s := newStage(t)
	first := s.connect()
	s.exec(first, "SELECT 1")
	before := s.backends()
	s.leaveAndAwait(first)

	same := s.connect()
	s.want(same, "SELECT 1", "1")
	if after := s.backends(); !slices.EqualFunc(before[:], after[:], slices.Equal) {
		t.Errorf("the same frontend again has other backends: %q, then %q", before, after)
	}
	s.leaveAndAwait(same)

	different := s.connect("application_name=other")
	s.want(different, "SHOW application_name", "other")
	for id, pids := range s.backends() {
		if len(pids) != 2 {
			t.Errorf("node %d: backends %q, want the kept one and another one", id, pids)
		}
	}
}

func TestSessionFindsNothingOfTheOneBeforeIt(t *testing.T) {
	s := newStage(t)
	before := s.connect()
	s.exec(before, itemTable)
	s.exec(before, "SET work_mem = '9MB'; CREATE TEMP TABLE item (x int); PREPARE p AS SELECT 1; SELECT pg_advisory_lock(5); LISTEN news")
	s.exec(before, "DECLARE c CURSOR WITH HOLD FOR SELECT 1; SET SESSION AUTHORIZATION DEFAULT")
	if _, err := before.Prepare(bounded(t), "named", "SELECT 2"); err != nil {
		t.Fatal(err)
	}
	s.exec(before, "BEGIN; UPDATE public.item SET text = 'left behind'")
	backends := s.backends()
	s.leaveAndAwait(before)

	conn := s.connect()
	s.want(conn, "SHOW work_mem", "4MB")
	s.want(conn, "SELECT DISTINCT text FROM item", "old")
	s.wantCode(conn, "EXECUTE p", "26000")
	s.wantCode(conn, "EXECUTE named", "26000")
	s.wantCode(conn, "FETCH 1 FROM c", "34000")
	s.want(conn, "SELECT count(*) FROM pg_listening_channels()", "0")
	for id, node := range s.nodes {
		if locks := direct(node, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"); len(locks) > 0 {
			t.Errorf("node %d: an advisory lock is left", id)
		}
		if open := direct(node, "SELECT state FROM pg_stat_activity WHERE datname = 'app' AND xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'"); len(open) > 0 {
			t.Errorf("node %d: a transaction is left open: %q", id, open)
		}
	}
	if _, err := conn.Prepare(bounded(t), "named", "SELECT 3"); err != nil {
		t.Errorf("name of a statement of the session before: %v", err)
	}
	if after := s.backends(); !slices.EqualFunc(backends[:], after[:], slices.Equal) {
		t.Errorf("backends were not reused: %q, then %q", backends, after)
	}
}

func TestConnectionsThatAreNotKept(t *testing.T) {
	tests := []struct {
		name     string
		settings []string
		vanish   bool
	}{
		{"connection_cache = off", []string{"connection_cache = off"}, false},
		{"child_max_connections is reached", []string{"child_max_connections = 1"}, false},
		{"the frontend vanished", nil, true},
		{"reset_query_list fails", []string{"reset_query_list = 'ABORT; SELECT 1/0'"}, false},
		{"connection_life_time is over", []string{"connection_life_time = 1"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // one waits for a sweep of the pool
			s := newStage(t, proxy.WithConfig(tt.settings...))
			conn := s.connect()
			s.exec(conn, "BEGIN; SELECT 1")
			if tt.vanish {
				conn.PgConn().Conn().Close()
			} else {
				hangUp(conn)
			}
			await(t, "no connection is kept", func() bool {
				all := s.backends()
				return len(all[0])+len(all[1])+len(all[2]) == 0
			})
		})
	}
}

func TestConnectionsToDatabasePostgresAreNotKept(t *testing.T) {
	s := newStage(t)
	s.proxy.Exec("SELECT 1")
	for _, node := range s.nodes {
		await(t, "no connection is kept", func() bool {
			rows := direct(node, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND backend_type = 'client backend' AND application_name <> 'pgchorus health check'")
			return len(rows) == 1 && rows[0] == "0"
		})
	}
}

func TestPoolIsBoundedAndTheOldestMakesRoom(t *testing.T) {
	s := newStage(t, proxy.WithConfig("num_init_children = 2", "max_pool = 2"))
	for i := range 6 {
		conn := s.connect(fmt.Sprintf("application_name=a%d", i))
		s.exec(conn, "SELECT 1")
		s.leaveAndAwait(conn)
	}
	for _, node := range s.nodes {
		await(t, "4 connections are kept", func() bool {
			names := direct(node, "SELECT application_name FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY 1")
			return slices.Equal(names, []string{"a2", "a3", "a4", "a5"})
		})
	}
}

// max_pool times num_init_children is what the nodes' max_connections is set for, so
// connections in use count, too.
func TestKeptAndUsedConnectionsTogetherAreBounded(t *testing.T) {
	s := newStage(t, proxy.WithConfig("num_init_children = 3", "max_pool = 1"))
	for i := range 3 {
		conn := s.connect(fmt.Sprintf("application_name=a%d", i))
		s.exec(conn, "SELECT 1")
		s.leaveAndAwait(conn)
	}
	for i := range 3 {
		s.exec(s.connect(fmt.Sprintf("application_name=b%d", i)), "SELECT 1")
	}
	for id, pids := range s.backends() {
		if len(pids) > 3 {
			t.Errorf("node %d: %d connections, max_pool * num_init_children is 3", id, len(pids))
		}
	}
}

func TestConnectionThatTheNodeHasClosedIsNotLent(t *testing.T) {
	s := newStage(t)
	s.exec(s.connect(), itemTable)
	conn := s.connect()
	s.exec(conn, "SELECT 1")
	hangUp(conn)
	for _, node := range s.nodes {
		direct(node, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid()")
	}
	s.exec(s.connect(), "UPDATE item SET text = 'new'")
	s.wantAllUp()
}

func TestIdleFrontendIsDisconnected(t *testing.T) {
	s := newStage(t, proxy.WithConfig("client_idle_limit = 1"))
	conn := s.connect()
	s.exec(conn, "BEGIN; SELECT 1")
	ctx := bounded(t)
	if err := conn.PgConn().Conn().SetReadDeadline(deadlineOf(ctx)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().ReceiveMessage(ctx); codeOf(err) != "57P05" {
		t.Errorf("idle frontend was told %v, want SQLSTATE 57P05", err)
	}
}

func TestDroppedDatabaseIsNotHeldByThePool(t *testing.T) {
	s := newStage(t)
	conn := s.connect()
	s.exec(conn, "SELECT 1")
	s.leaveAndAwait(conn)
	s.proxy.Exec("DROP DATABASE app")
}

// As in PostgreSQL, a session that ends a moment later is waited for.
func TestDropDatabaseWaitsForSessionsThatEnd(t *testing.T) {
	s := newStage(t)
	s.proxy.Exec("CREATE DATABASE other")
	lingers := s.nodes[1].In(t).ConnectTo("other")
	conn := s.proxy.Connect("postgres")
	dropped := startQuery(conn, "DROP DATABASE other")
	await(t, "node 1 is asked for its sessions", func() bool {
		return len(direct(s.nodes[1], "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%count(*)%datname%''other''%' AND pid <> pg_backend_pid()")) > 0
	})
	hangUp(lingers)
	dropped.must(t)
	s.wantAllUp()
}
