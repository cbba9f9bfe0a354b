package driver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/config"
)

// noFailures is what pgbench says of a run in which every transaction was committed.
const noFailures = "number of failed transactions: 0 (0.000%)"

// balanced says whether the sums are equal that every transaction changes together; the
// simple update leaves out tellers and branches.
const balanced = `SELECT a = h AND t = b FROM
	(SELECT sum(abalance) FROM pgbench_accounts) AS accounts(a), (SELECT coalesce(sum(delta), 0) FROM pgbench_history) AS history(h),
	(SELECT sum(tbalance) FROM pgbench_tellers) AS tellers(t), (SELECT sum(bbalance) FROM pgbench_branches) AS branches(b)`

func TestPgbench(t *testing.T) {
	need(t, "pgbench", "--version")
	c := startCluster(t, config.NativeReplication)
	c.proxy.Exec("CREATE DATABASE pgbench")
	s := c.server("pgbench")
	// First rows by COPY from the client, then rows made by the server, and foreign keys,
	// which lock rows.
	for _, steps := range []string{"dtgvp", "dtGvpf"} {
		if output := pgbench(t, s, "--initialize", "--init-steps="+steps); !strings.Contains(output, "done in") {
			t.Fatalf("initialize %s:\n%s", steps, output)
		}
	}
	for _, script := range []struct{ name, option string }{
		{"TPC-B", "--builtin=tpcb-like"},
		{"simple update", "--skip-some-updates"},
		{"select only", "--select-only"},
	} {
		for _, protocol := range []string{"simple", "extended", "prepared"} {
			for _, clients := range []int{1, 16} {
				t.Run(fmt.Sprintf("%s, %s, %d clients", script.name, protocol, clients), func(t *testing.T) {
					transactions := 320 / clients
					output := pgbench(t, s, script.option, "--no-vacuum", "--protocol="+protocol,
						fmt.Sprintf("--client=%d", clients), "--jobs=2", fmt.Sprintf("--transactions=%d", transactions))
					processed := fmt.Sprintf("number of transactions actually processed: %d/%[1]d", transactions*clients)
					if !strings.Contains(output, noFailures) || !strings.Contains(output, processed) || strings.Contains(output, unexpectedMark) {
						t.Errorf("pgbench:\n%s", output)
					}
				})
			}
		}
	}
	t.Run("pipeline", func(t *testing.T) {
		output := pgbench(t, s, "--no-vacuum", "--protocol=prepared", "--client=4", "--transactions=50", "--file="+script(t, "pipeline.pgbench"))
		if !strings.Contains(output, noFailures) || strings.Contains(output, unexpectedMark) {
			t.Errorf("pgbench:\n%s", output)
		}
	})
	c.wantEqual(t)
	for _, node := range c.nodes {
		conn := node.ConnectTo("pgbench")
		var ok bool
		if err := conn.QueryRow(t.Context(), balanced).Scan(&ok); err != nil || !ok {
			t.Errorf("node %d: the books balance: %v, %v", node.ID, ok, err)
		}
	}
}

func pgbench(t *testing.T, s server, args ...string) string {
	t.Helper()
	return command("pgbench", args...)(t, s)
}
