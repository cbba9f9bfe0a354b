package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// Nodes that were made different behind the server's back: who has the last word, who is
// fenced, and what the frontend is told.

func TestVerdictOnNodesThatDiffer(t *testing.T) {
	const (
		// Rows that only some nodes have make another row count, or a duplicate key.
		missing = "DELETE FROM item WHERE id = 5"
		extra   = "INSERT INTO item VALUES (50, 'behind the back')"
		update  = "UPDATE item SET text = 'new' WHERE id >= 5"
		insert  = "INSERT INTO item VALUES (50, 'new')"

		tuples   = "failover_if_affected_tuples_mismatch = on"
		mismatch = "replication_stop_on_mismatch = on"
	)
	tests := []struct {
		name     string
		settings []string
		sql      string // behind the back
		on       []int  // these nodes
		write    string
		code     string // of the write's error; "" for none
		fenced   []int
	}{
		{"row counts, both off", nil, missing, []int{2}, update, "40001", nil},
		{"row counts, one node lacks a row", []string{tuples}, missing, []int{2}, update, "", []int{2}},
		{"row counts, two nodes lack a row: main is outvoted", []string{tuples}, missing, []int{1, 2}, update, "40001", []int{0}},
		{"row counts, main lacks a row: main is outvoted", []string{tuples}, missing, []int{0}, update, "40001", []int{0}},
		{"row counts are not answers of another kind", []string{mismatch}, missing, []int{2}, update, "40001", nil},
		{"errors, both off", nil, extra, []int{2}, insert, "40001", nil},
		{"errors, one node fails", []string{mismatch}, extra, []int{2}, insert, "", []int{2}},
		{"errors, two nodes fail: main is outvoted", []string{mismatch}, extra, []int{1, 2}, insert, "40001", []int{0}},
		{"errors are not row counts", []string{tuples}, extra, []int{2}, insert, "40001", nil},
		{"both on", []string{mismatch, tuples}, extra, []int{1}, insert, "", []int{1}},
		// What fails on main is not repeated on the others, which then have nothing to say.
		{"main alone fails", []string{mismatch}, extra, []int{0}, insert, "23505", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // mostly nodes starting
			s := newStage(t, proxy.WithConfig(tt.settings...))
			conn, other := s.connect(), s.connect()
			s.exec(conn, itemTable)
			s.want(other, "SELECT count(*) FROM item", "10")
			for _, id := range tt.on {
				if _, err := s.nodes[id].ConnectTo(database).Exec(bounded(t), tt.sql); err != nil {
					t.Fatal(err)
				}
			}
			_, err := rowsOf(conn, tt.write)
			if codeOf(err) != tt.code || tt.code == "" && err != nil {
				t.Errorf("%s: %v, want SQLSTATE %q", tt.write, err, tt.code)
			}
			s.wantFenced(tt.fenced...)
			for _, conn := range []*pgx.Conn{conn, other} { // sessions live on
				s.want(conn, "SELECT count(*) FROM item WHERE id < 5", "4")
			}
			if len(tt.fenced) == 0 {
				return
			}
			rest := s.nodes
			for _, id := range tt.fenced {
				rest = without(rest, id)
			}
			if tt.code != "" { // repeated as the hint says
				s.exec(conn, "DELETE FROM item WHERE id >= 5")
			}
			s.exec(other, "INSERT INTO item VALUES (60, 'after')")
			pgtest.WantEqual(t, rest...)
		})
	}
}

// wantFenced waits until these nodes are down, and fails the test if others are.
func (s *stage) wantFenced(ids ...int) {
	s.t.Helper()
	for _, id := range ids {
		s.proxy.WaitNodeStatus(id, "down")
	}
	rest := s.nodes
	for _, id := range ids {
		rest = without(rest, id)
	}
	for _, node := range rest {
		if status := s.proxy.NodeStatus(node.ID); status == "down" {
			s.t.Errorf("node %d is %s", node.ID, status)
		}
	}
}

// TestOfTwoNodesMainIsRight: where there is no majority, main has the last word.
func TestOfTwoNodesMainIsRight(t *testing.T) {
	for _, id := range []int{0, 1} {
		nodes := pgtest.Start(t, 2)
		s := &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes, proxy.WithConfig("failover_if_affected_tuples_mismatch = on"))}
		s.proxy.Exec("CREATE DATABASE " + database)
		conn := s.connect()
		s.exec(conn, itemTable)
		if _, err := nodes[id].ConnectTo(database).Exec(bounded(t), "DELETE FROM item WHERE id = 5"); err != nil {
			t.Fatal(err)
		}
		s.exec(conn, "UPDATE item SET text = 'new'")
		s.wantFenced(1)
		want := map[int]string{0: "9", 1: "10"}[id]
		s.want(conn, "SELECT count(*) FROM item WHERE text = 'new'", want)
		s.exec(conn, "DELETE FROM item") // alone, it differs from nobody
	}
}
