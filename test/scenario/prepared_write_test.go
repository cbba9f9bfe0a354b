package scenario

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// preparedWrite is a write by key, which nodes are sent as a statement that is prepared there from
// the second time on.
const preparedWrite = "UPDATE item SET text = 'w%d' WHERE id = %d"

// TestPreparedWriteIsEndedFromOutside ends it while it waits, and wants it not to be tried again as
// the text.
func TestPreparedWriteIsEndedFromOutside(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, set, code, message string
		held                     []int
	}{
		{"cancel on main", "", "57014", "canceling statement due to user request", []int{0, 1, 2}},
		{"cancel on another node", "", "57014", "canceling statement due to user request", []int{2}},
		{"statement_timeout", "SET statement_timeout = 300", "57014", "canceling statement due to statement timeout", []int{0, 1, 2}},
		{"lock_timeout", "SET lock_timeout = 300", "55P03", "canceling statement due to lock timeout", []int{0, 1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			conn := s.connect()
			s.exec(conn, itemTable)
			s.exec(conn, tt.set)
			for i := range 3 {
				s.exec(conn, fmt.Sprintf(preparedWrite, i, 10))
			}
			var held []*pgtest.Node
			for _, id := range tt.held {
				held = append(held, s.nodes[id])
			}
			g := hold(t, "UPDATE item SET text = 'held' WHERE id = 1", held...)
			statement := startQuery(conn, fmt.Sprintf(preparedWrite, 7, 1))
			if tt.set == "" {
				awaitWaiter(t, held[0])
				cancel(t, conn)
			}
			if _, err := statement.wait(t); codeOf(err) != tt.code {
				t.Errorf("it ended with %v, want SQLSTATE %s", err, tt.code)
			}
			g.open()
			if n := logged(t, held[0], tt.message); n != 1 {
				t.Errorf("it was ended %d times on node %d, want once", n, held[0].ID)
			}
			s.exec(conn, fmt.Sprintf(preparedWrite, 8, 1))
			s.want(conn, "SELECT text FROM item WHERE id = 1", "w8")
			s.wantAllUp()
			pgtest.WantEqual(t, s.nodes...)
		})
	}
}

// logged is how many lines of a node's log have a text in them.
func logged(t testing.TB, node *pgtest.Node, text string) int {
	t.Helper()
	log, err := os.ReadFile(node.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(log), text)
}

// TestPreparedWritesOutliveANode kills a node under them.
func TestPreparedWritesOutliveANode(t *testing.T) {
	t.Parallel()
	for _, id := range []int{0, 2} {
		t.Run(fmt.Sprintf("node %d", id), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.exec(s.connect(), "CREATE TABLE entry (id int PRIMARY KEY, v text); CREATE TABLE account (id int PRIMARY KEY, n int); INSERT INTO account SELECT g, 0 FROM generate_series(0, 3) g")
			var made atomic.Int64
			var stop atomic.Bool
			var clients sync.WaitGroup
			for client := range 4 {
				conn := s.connect()
				clients.Go(func() {
					for i := 0; !stop.Load(); i++ {
						for _, sql := range []string{
							fmt.Sprintf("INSERT INTO entry VALUES (%d, 'entry')", client*1_000_000+i),
							fmt.Sprintf("UPDATE account SET n = n + 1 WHERE id = %d", (client+i)%4),
						} {
							if _, err := rowsOf(conn, sql); err != nil {
								t.Errorf("%s: %v", sql, err)
								return
							}
						}
						made.Add(1)
					}
				})
			}
			enough := func(n int64) { await(t, "writes", func() bool { return made.Load() >= n || t.Failed() }) }
			enough(writesBetween)
			s.nodes[id].Kill()
			s.proxy.WaitNodeStatus(id, "down")
			enough(made.Load() + writesBetween)
			stop.Store(true)
			clients.Wait()
			want := fmt.Sprint(made.Load())
			for _, node := range without(s.nodes, id) {
				for _, sql := range []string{"SELECT count(*) FROM entry", "SELECT sum(n) FROM account"} {
					if got := direct(node, sql); len(got) != 1 || got[0] != want {
						t.Errorf("node %d: %s: %v, want %s", node.ID, sql, got, want)
					}
				}
			}
			pgtest.WantEqual(t, without(s.nodes, id)...)
		})
	}
}
