package scenario

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// pgbench is run by its own defaults (TPC-B), which make every client wait for the
// same row: nothing shows better whether nodes lock in one order.

// pgbench starts pgbench with the arguments and returns what it prints.
func (s *stage) pgbench(args ...string) *background {
	node := s.nodes[0]
	cmd := node.Cluster.Command(context.Background(), "pgbench", append([]string{
		"-h", s.proxy.Host, "-p", strconv.Itoa(s.proxy.Port), "-U", s.proxy.User}, args...)...)
	return start(func() ([]string, error) {
		output, err := cmd.CombinedOutput()
		return []string{string(output)}, wrapOutput(cmd, output, err)
	})
}

func wrapOutput(cmd *exec.Cmd, output []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd.Args, err, output)
	}
	return nil
}

var processed = regexp.MustCompile(`number of transactions actually processed: (\d+)/(\d+)`)

// wantUnfailed fails the test unless every transaction was done.
func wantUnfailed(t testing.TB, output string) {
	t.Helper()
	found := processed.FindStringSubmatch(output)
	if found == nil || found[1] != found[2] {
		t.Errorf("transactions were lost:\n%s", output)
	}
}

func TestPgbenchNoticesNoLossOfANode(t *testing.T) {
	const clients, transactions = 8, 100
	for _, mode := range []string{"simple", "prepared"} {
		for _, id := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, node %d is killed", mode, id), func(t *testing.T) {
				t.Parallel()
				s := newStage(t)
				s.pgbench("-i", "-q", database).must(t)
				bench := s.pgbench("-n", "-M", mode, "-c", strconv.Itoa(clients), "-t", strconv.Itoa(transactions), database)
				await(t, "pgbench is at work", func() bool {
					rows := direct(s.nodes[(id+1)%3], "SELECT 1 FROM pgbench_history HAVING count(*) > 200")
					return len(rows) > 0
				})
				s.nodes[id].Kill()
				wantUnfailed(t, bench.must(t)[0])
				rest := without(s.nodes, id)
				pgtest.WantEqual(t, rest...)
				for _, node := range rest {
					if rows := direct(node, "SELECT count(*) FROM pgbench_history"); len(rows) != 1 || rows[0] != strconv.Itoa(clients*transactions) {
						t.Errorf("node %d has %q transactions, want %d", node.ID, rows, clients*transactions)
					}
				}
			})
		}
	}
}
