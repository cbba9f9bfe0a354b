package protocol

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// database is where the tests work: connections to the database postgres are never
// pooled (Pgpool-II keeps them closed as well), and the pool is part of what is tested.
const database = "app"

// clusterings are the modes in which one server and a cluster have to be alike.
var clusterings = []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation, config.StreamingReplication, config.Raw}

// fixture is a proxy over three nodes and one PostgreSQL that stands alone.
type fixture struct {
	mode  config.ClusteringMode
	nodes []*pgtest.Node
	bare  *pgtest.Node
	proxy *proxy.Proxy
}

// schema is what every sequence finds.
const schema = `
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE wide (a int4, b int8, c text, d bytea, e float8, f bool, g timestamptz, h numeric(10,2));
CREATE FUNCTION loud(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''loud %'', $1; RETURN $1; END';
CREATE FUNCTION zoned() RETURNS text LANGUAGE sql SET timezone = 'Asia/Tokyo' AS 'SELECT current_setting(''timezone'')';
CREATE PROCEDURE committing() LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (901, ''c''); COMMIT; INSERT INTO t VALUES (902, ''c''); END';`

// content is what table t holds at the beginning of every sequence.
const content = `TRUNCATE t, wide; INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 10) AS i`

func newFixture(t testing.TB, lines ...string) *fixture {
	t.Helper()
	return newFixtureIn(t, config.NativeReplication, lines...)
}

// newFixtureIn has the nodes that a clustering mode is about. With streaming replication
// the standbys have all reads.
func newFixtureIn(t testing.TB, mode config.ClusteringMode, lines ...string) *fixture {
	t.Helper()
	f := &fixture{mode: mode}
	lines = append(lines, "backend_clustering_mode = "+string(mode))
	if mode == config.StreamingReplication {
		f.nodes, f.bare = pgtest.StartStreaming(t, 3), pgtest.Start(t, 1)[0]
		lines = append(lines, "backend_weight0 = 0", "sr_check_user = "+f.nodes[0].Superuser,
			// Each sequence is another session, and reads what the one before has written.
			"read_consistency = strict", "read_consistency_timeout = 10000")
	} else {
		nodes := pgtest.Start(t, 4)
		f.nodes, f.bare = nodes[:3], nodes[3]
	}
	f.proxy = proxy.Start(t, f.nodes, proxy.WithConfig(lines...))
	for _, addr := range []string{f.proxyAddr(), f.bareAddr()} {
		admin := logIn(t, addr, "postgres")
		admin.must(t, "CREATE DATABASE "+database)
		admin.send(t, terminate().bytes)
		c := logIn(t, addr, database)
		c.must(t, schema)
		c.send(t, terminate().bytes)
	}
	return f
}

func (f *fixture) proxyAddr() string {
	return net.JoinHostPort(f.proxy.Host, strconv.Itoa(f.proxy.Port))
}

func (f *fixture) bareAddr() string { return nodeAddr(f.bare) }

func nodeAddr(n *pgtest.Node) string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// wantQuiet fails the test if a session has left something behind on a node: an
// open transaction, a lock, or a connection that is not idle.
func (f *fixture) wantQuiet(t testing.TB) {
	t.Helper()
	const left = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = 'app' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
		  AND (state <> 'idle' OR backend_xmin IS NOT NULL OR backend_xid IS NOT NULL
		       OR EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid))`
	for _, node := range f.nodes {
		node.In(t).WaitRows(left, "0")
	}
}

// holders are the nodes that are to hold what was written: in raw mode only the first.
// Standbys are waited for.
func (f *fixture) holders() []*pgtest.Node {
	switch f.mode {
	case config.Raw:
		return f.nodes[:1:1]
	case config.StreamingReplication:
		for _, standby := range f.nodes[1:] {
			standby.WaitCaughtUp(f.nodes[0])
		}
	}
	return f.nodes[:3:3]
}

// evict ends what a failed test has left on the nodes, so that the next one does not
// wait for its locks.
func (f *fixture) evict(t testing.TB) {
	t.Helper()
	for _, node := range f.nodes {
		node.In(t).Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'app' AND pid <> pg_backend_pid()")
	}
}

// wantEqual fails the test unless the nodes hold the same.
func (f *fixture) wantEqual(t testing.TB) {
	t.Helper()
	pgtest.WantEqual(t, f.holders()...)
}

// wantEqualToBare fails the test unless the nodes and the one that stands alone hold the
// same.
func (f *fixture) wantEqualToBare(t testing.TB) {
	t.Helper()
	pgtest.WantEqual(t, append(f.holders(), f.bare)...)
}

// wantServing fails the test unless the server lives and serves a new frontend.
func (f *fixture) wantServing(t testing.TB) {
	t.Helper()
	if !f.proxy.Alive() {
		t.Fatalf("the server has ended")
	}
	c := logIn(t, f.proxyAddr(), database)
	if rows := c.must(t, "SELECT 'sentinel'"); fmt.Sprint(rows) != `[["sentinel"]]` {
		t.Errorf("a new frontend read %v", rows)
	}
	c.send(t, terminate().bytes)
	c.Close()
}
