package scenario

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// Writers that go around pgchorus, where the query cache follows the nodes' WAL
// (cache_follow_wal).

var following = []string{"memory_cache_enabled = on", "cache_follow_wal = on"}

// followStage is a stage whose cache follows the nodes.
func followStage(t *testing.T, lines ...string) *stage {
	t.Helper()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"wal_level": "logical"}))
	s := &stage{t: t, mode: config.NativeReplication, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig(slices.Concat(following, lines)...))}
	s.proxy.Exec("CREATE DATABASE " + database)
	return s
}

// waitAnswer reads until the answer is another one.
func (s *stage) waitAnswer(conn *pgx.Conn, sql, want string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		got := one(s.t, conn, sql)
		if got == want {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s is %q for good, want %q", sql, got, want)
		}
	}
}

// around runs statements on every node, past pgchorus.
func (s *stage) around(statements ...string) {
	s.t.Helper()
	for _, conn := range s.direct() {
		run(s.t, conn, statements...)
	}
}

func (s *stage) direct() []*pgx.Conn {
	s.t.Helper()
	var conns []*pgx.Conn
	for _, node := range s.nodes {
		conns = append(conns, node.ConnectTo(database))
	}
	return conns
}

func TestWriterAroundEndsAnswers(t *testing.T) {
	s := followStage(t)
	conn := s.connect()
	run(t, conn, "CREATE TABLE t (i int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1)")
	const read = "SELECT v FROM t"
	s.wantKept(conn, read, "1")
	s.around("UPDATE t SET v = 2")
	s.waitAnswer(conn, read, "2")
	s.wantKept(conn, read, "2")
	s.wantEqual()
}
