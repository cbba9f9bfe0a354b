package localpg_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgchorus/pgchorus/internal/localpg"
)

// folder is one that the servers' user can enter; testing's own cannot be, for root.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "localpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// needServers leaves a test out under -short, like pgtest.Start.
func needServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
}

func create(t *testing.T, opts localpg.Options) *localpg.Cluster {
	t.Helper()
	needServers(t)
	opts.Settings = map[string]string{"fsync": "off"}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cluster, err := localpg.Create(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func start(t *testing.T, cluster *localpg.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cluster.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// ask returns the first column of the first row.
func ask(t *testing.T, node *localpg.Node, sql string) string {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), node.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	answer := conn.ExecParams(t.Context(), sql, nil, nil, nil, nil).Read()
	if answer.Err != nil {
		t.Fatal(answer.Err)
	}
	return string(answer.Rows[0][0])
}

func TestNodesStandOnConsecutivePortsInTheChosenFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "kept")
	first := consecutivePorts(t, 3)
	cluster := create(t, localpg.Options{Dir: dir, Nodes: 3, Port: first})
	start(t, cluster)
	for id, node := range cluster.Nodes() {
		if node.ID != id || node.Port != first+id || !strings.HasPrefix(node.DataDir, cluster.Dir) {
			t.Errorf("node %d has number %d, port %d and data in %s", id, node.ID, node.Port, node.DataDir)
		}
		if got := ask(t, node, "SHOW port"); got != strconv.Itoa(first+id) {
			t.Errorf("node %d listens on %s", id, got)
		}
	}
	if err := cluster.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data2", "PG_VERSION")); err != nil {
		t.Errorf("a chosen folder did not stay: %v", err)
	}
	if pids := workingIn(cluster.Dir); len(pids) > 0 {
		t.Errorf("processes are left after Close: %v", pids)
	}
}

// consecutivePorts finds n ports in a row and keeps them from other tests.
func consecutivePorts(t *testing.T, n int) int {
	t.Helper()
	var run []int
	for {
		port, err := localpg.ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = port.Release() })
		if len(run) > 0 && port.Number != run[len(run)-1]+1 {
			run = nil
		}
		if run = append(run, port.Number); len(run) == n {
			return run[0]
		}
	}
}

func TestTemporaryFolderGoesWithClose(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	start(t, cluster)
	if err := cluster.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cluster.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", cluster.Dir, err)
	}
}

func TestAddedNodeIsEmptyAndFree(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	start(t, cluster)
	node, err := cluster.Add(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if node.Running() {
		t.Error("an added node runs before it was started")
	}
	start(t, cluster)
	if got := ask(t, node, "SELECT count(*) FROM pg_class WHERE oid >= 16384"); got != "0" {
		t.Errorf("an added node has %s relations", got)
	}
}

func TestCommandRunsAsTheServersUser(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	start(t, cluster)
	node := cluster.Nodes()[0]
	out, err := cluster.Command(t.Context(), "pg_controldata", "-D", node.DataDir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "in production") {
		t.Errorf("pg_controldata: %v: %s", err, out)
	}
}

func TestKilledServerLeavesNoSharedMemory(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	start(t, cluster)
	node := cluster.Nodes()[0]
	id := sharedMemoryOf(t, node)
	if !segmentExists(t, id) {
		t.Fatalf("segment %s of a running server is not listed: the test would prove nothing", id)
	}
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	if segmentExists(t, id) {
		t.Errorf("segment %s is left after Kill", id)
	}
	if err := node.Kill(); !errors.Is(err, localpg.ErrNotRunning) {
		t.Errorf("second Kill = %v, want ErrNotRunning", err)
	}
	start(t, cluster)
}

// sharedMemoryOf reads the seventh line of postmaster.pid: key and identifier.
func sharedMemoryOf(t *testing.T, node *localpg.Node) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(node.DataDir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(strings.Split(string(text), "\n")[6])[1]
}

func segmentExists(t *testing.T, id string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == id {
			return true
		}
	}
	return false
}

func TestStopModes(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	node := cluster.Nodes()[0]
	for _, mode := range []localpg.StopMode{localpg.StopSmart, localpg.StopFast, localpg.StopImmediate} {
		start(t, cluster)
		if err := node.Start(t.Context()); err == nil {
			t.Error("a running node was started again")
		}
		if err := node.Stop(t.Context(), mode); err != nil {
			t.Errorf("stop mode %d: %v", mode, err)
		}
		if node.Running() || node.PID() != 0 {
			t.Errorf("stop mode %d: the node runs", mode)
		}
		if err := node.Stop(t.Context(), mode); err != nil {
			t.Errorf("stopping a stopped node: %v", err)
		}
	}
}

func TestSmartStopGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	start(t, cluster)
	node := cluster.Nodes()[0]
	conn, err := pgconn.Connect(t.Context(), node.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := node.Stop(ctx, localpg.StopSmart); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop with a session open = %v, want a timeout", err)
	}
}

func TestServerThatCannotStartShowsItsLog(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	node := cluster.Nodes()[0]
	conf := filepath.Join(node.DataDir, "postgresql.conf")
	if err := os.WriteFile(conf, []byte("no_such_parameter = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := node.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no_such_parameter") {
		t.Errorf("Start = %v, want the server's own words", err)
	}
	if node.Running() {
		t.Error("the node runs")
	}
}

func TestNodesThatOutliveStayAfterClose(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{Dir: filepath.Join(folder(t), "c"), Outlive: true})
	start(t, cluster)
	if err := cluster.Close(); err != nil {
		t.Fatal(err)
	}
	node := cluster.Nodes()[0]
	if !node.Running() {
		t.Error("Close ended a node that should outlive it")
	}
	if err := node.Stop(t.Context(), localpg.StopImmediate); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	needServers(t)
	full := folder(t)
	if err := os.WriteFile(filepath.Join(full, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		opts localpg.Options
		want string
	}{
		{"too many nodes", localpg.Options{Nodes: localpg.MaxNodes + 1}, "33 nodes: expected 1 to 32"},
		{"ports past the end", localpg.Options{Nodes: 3, Port: 65534}, "between 1 and 65535"},
		{"unknown method", localpg.Options{AuthMethod: "md4"}, `authentication method "md4"`},
		{"outlive without a folder", localpg.Options{Outlive: true}, "need a folder"},
		{"folder with something in it", localpg.Options{Dir: full}, "is not empty"},
		{"no PostgreSQL there", localpg.Options{BinDir: full}, "initdb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cluster, err := localpg.Create(t.Context(), tt.opts)
			if err == nil {
				err = cluster.Close()
				t.Fatalf("Create succeeded (%v)", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Create: %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(full, "precious")); err != nil {
		t.Errorf("a refused folder lost its file: %v", err)
	}
}

func TestFindBinDir(t *testing.T) {
	t.Parallel()
	needServers(t)
	dir, err := localpg.FindBinDir()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "postgres (PostgreSQL) ") {
		t.Errorf("postgres --version in %s: %q, %v", dir, out, err)
	}
}

func TestReservedPortIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	first, err := localpg.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	second, err := localpg.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	if first.Number == second.Number {
		t.Errorf("port %d was given twice", first.Number)
	}
	for _, port := range []*localpg.Port{first, second} {
		if err := port.Release(); err != nil {
			t.Error(err)
		}
	}
}
