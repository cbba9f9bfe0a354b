package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asAccount runs a command line as the scripts do, with etc/cluster.sh read.
func (m *made) asAccount(command string) string {
	m.t.Helper()
	inner := shellQuote(`. etc/cluster.sh; set -e; ` + command)
	return m.run(`. etc/cluster.sh; if [ "$(id -u)" = 0 ]; then runuser -u "$account" -- sh -c ` + inner + `; else sh -c ` + inner + `; fi`)
}

// TestStandbyTakesOverAndOldPrimaryRejoins runs the scripts as pgchorus and an operator
// would, with no pgchorus there.
func TestStandbyTakesOverAndOldPrimaryRejoins(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	t.Parallel()
	m := makeCluster(t, "/bin/true", streaming, 3)
	m.asAccount("for n in $nodes; do start_node $n; done")
	m.node(0, "CREATE TABLE t (x int); INSERT INTO t VALUES (1)")
	for _, standby := range []int{1, 2} {
		m.waitNode(standby, "SELECT x FROM t", "1")
	}

	// A standby's end is no reason to promote anybody.
	m.asAccount(m.failover(2, 0, 0))
	if got := m.node(1, "SELECT pg_is_in_recovery()"); got != "t" {
		t.Fatal("node 1 was promoted for the end of a standby")
	}

	m.node(0, "SELECT pg_switch_wal()")
	m.asAccount(`"$bin/pg_ctl" -D data1 -m immediate -w stop`)
	m.node(0, "INSERT INTO t VALUES (2)")
	m.waitNode(2, "SELECT count(*) FROM t", "2")
	m.asAccount(`"$bin/pg_ctl" -D data0 -m immediate -w stop`)
	m.asAccount(m.failover(0, 2, 0))
	m.node(2, "INSERT INTO t VALUES (3)")

	// Node 1 was a standby and is behind; node 0 was the primary.
	for _, node := range []int{1, 0} {
		out := m.run(fmt.Sprintf("./rejoin %d", node))
		if !strings.HasSuffix(out, fmt.Sprintf("node %d is a standby of node 2", node)) {
			t.Errorf("rejoin said %q", out)
		}
		if strings.Contains(out, "copying the primary") {
			t.Errorf("node %d was copied, and a rewind would have done:\n%s", node, out)
		}
		m.waitNode(node, "SELECT string_agg(x::text, ',' ORDER BY x) || pg_is_in_recovery()::text FROM t", "1,2,3true")
	}
	// One that cannot be rewound is copied.
	m.asAccount("stop_node 0; rm data0/global/pg_control")
	if out := m.run("./rejoin 0"); !strings.Contains(out, "copying the primary") {
		t.Errorf("rejoin of a broken node said %q", out)
	}
	m.waitNode(0, "SELECT count(*)::text || pg_is_in_recovery()::text FROM t", "3true")
	m.waitNode(2, "SELECT string_agg(application_name, ',' ORDER BY application_name) FROM pg_stat_replication WHERE state = 'streaming'", "node0,node1")

	if out, err := m.try("./rejoin 3"); err == nil || !strings.Contains(out, "there is no node 3") {
		t.Errorf("rejoin 3: %v, %q", err, out)
	}
	if out, err := m.try("./rejoin 2"); err == nil || !strings.Contains(out, "no other node is a primary") {
		t.Errorf("rejoin of the primary: %v, %q", err, out)
	}
	m.run("./shutdownall")
	m.wantNothingRunning()
}

// failover is what pgchorus makes of failover_command.
func (m *made) failover(failed, newMain, primary int) string {
	data := func(id int) string { return filepath.Join(m.dir, fmt.Sprintf("data%d", id)) }
	port := func(id int) int { return m.opts.Port + 2 + id }
	return fmt.Sprintf(`etc/failover.sh %d 127.0.0.1 %d "%s" %d 127.0.0.1 %d %d %d "%s" 127.0.0.1 %d`,
		failed, port(failed), data(failed), newMain, primary, primary, port(newMain), data(newMain), port(primary))
}

func TestRunLeavesNothingBehindWhenItFails(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	t.Parallel()
	dir := folder(t)
	opts := Options{Mode: raw, Nodes: 1, Dir: dir, Port: freePorts(t, 3), Program: filepath.Join(dir, "missing"), Out: &strings.Builder{}}
	err := Run(t.Context(), opts)
	if err == nil || !strings.Contains(err.Error(), "cannot be run by user") {
		t.Errorf("Run with a program that is not there: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the folder is left with %v (%v)", entries, err)
	}
}

// TestReadmeNamesEverything holds the README against what was made.
func TestReadmeNamesEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	t.Parallel()
	m := makeCluster(t, "/bin/true", logical, 2)
	text, err := os.ReadFile(filepath.Join(m.dir, "README"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Clustering mode logical_replication", m.connect(), "./everywhere", fmt.Sprint("PCP       ", m.opts.Port+1),
		fmt.Sprint("node 1    ", m.opts.Port+3), "data1",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("README does not say %q", want)
		}
	}
	for _, secret := range []string{"pcppass", "etc/pool_passwd", "etc/pcp.conf"} {
		info, err := os.Stat(filepath.Join(m.dir, secret))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", secret, info, err)
		}
	}
}

// TestClusterSurvivesItsPrimary is what a user of -m s tries first.
func TestClusterSurvivesItsPrimary(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	t.Parallel()
	m := makeCluster(t, buildProgram(t), streaming, 3)
	m.run("./startall")
	m.inTest("CREATE TABLE t (x int)")
	for _, standby := range []int{1, 2} {
		m.waitNode(standby, "SELECT count(*) FROM t", "0") // replication is asynchronous
	}
	m.asAccount(`"$bin/pg_ctl" -D data0 -m immediate -w stop`)

	m.eventually(func() string {
		out, err := m.try(m.connect() + ` -XAtq -d test -c "INSERT INTO t VALUES (1) RETURNING x"`)
		if err != nil || out != "1" {
			return fmt.Sprintf("no write after the primary's end: %s (%v)", out, err)
		}
		return ""
	})
	m.waitNode(1, "SELECT pg_is_in_recovery()", "f")
	m.waitNode(2, "SELECT count(*) FROM t", "1") // it follows the new primary
	m.run("./rejoin 0")
	m.waitNode(0, "SELECT count(*) FROM t", "1")
	m.eventually(func() string {
		out, err := m.try(m.connect() + " -XAt -c 'SHOW POOL_NODES' | cut -d '|' -f 1,4,7")
		if want := "0|up|standby\n1|up|primary\n2|up|standby"; err != nil || out != want {
			return fmt.Sprintf("SHOW POOL_NODES: %s (%v)", out, err)
		}
		return ""
	})
	m.run("./shutdownall")
	m.wantNothingRunning()
}
