package scenario

import (
	"fmt"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// In raw mode one node serves, and the next one when it is lost.

func TestNextNodeServesInRawMode(t *testing.T) {
	for _, fault := range faults {
		t.Run("node 0 is "+fault.name, func(t *testing.T) {
			t.Parallel() // it waits for checks
			s := newStageIn(t, config.Raw)
			for i, node := range s.nodes {
				if i > 0 {
					node.Exec("CREATE DATABASE " + database)
				}
				conn := node.ConnectTo(database)
				if _, err := conn.Exec(bounded(t), fmt.Sprintf("CREATE TABLE t AS SELECT %d AS node", i)); err != nil {
					t.Fatal(err)
				}
			}
			conn, set := s.connect(), s.connect()
			s.want(conn, "SELECT node FROM t", "0")
			s.exec(conn, "PREPARE p AS SELECT node + 10 FROM t")
			s.exec(set, "SET work_mem = '7MB'")
			s.want(conn, "INSERT INTO t VALUES (0) RETURNING node", "0")
			fault.cause(s.nodes[0])
			s.want(s.connect(), "SELECT node FROM t", "1")
			s.want(conn, "SELECT node FROM t", "1")
			s.want(conn, "EXECUTE p", "11")
			s.want(set, "SELECT node FROM t", "1")
			s.want(set, "SHOW work_mem", "7MB")
			s.proxy.WaitNodeStatus(0, "down")
			fault.after(s.nodes[0])
			s.want(conn, "SELECT node FROM t", "1") // also when it is back
			if got := direct(s.nodes[2], "SELECT count(*) FROM t"); len(got) != 1 || got[0] != "1" {
				t.Errorf("node 2, which does not serve, holds %q rows", got)
			}
		})
	}
}
