package pgtest_test

import (
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// A test asks for nodes, does something to them, and says what they must hold.
func ExampleStart() {
	_ = func(t *testing.T) {
		nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"wal_level": "logical"}))
		for _, node := range nodes {
			node.Exec("CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
		}
		nodes[2].Kill()
		nodes[2].Start()
		nodes[2].WantRows("SELECT x FROM t", "1")
		pgtest.WantEqual(t, nodes...)
	}
}
