package setup

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/localpg"
)

// waitPatience ends a test that hangs.
const waitPatience = 60 * time.Second

// freePorts reserves n ports in a row.
func freePorts(t *testing.T, n int) int {
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

func listenOn(t *testing.T, port int) {
	t.Helper()
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
}

// folder is one that the servers' user can enter; testing's own cannot be, for root.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "setup-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// buildProgram builds pgchorus where the servers' user can run it.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(folder(t), "pgchorus")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/pgchorus").CombinedOutput(); err != nil {
		t.Fatalf("build pgchorus: %v\n%s", err, out)
	}
	return program
}

// made is a cluster of the test's.
type made struct {
	t    *testing.T
	opts Options
	dir  string
	said string
}

// makeCluster runs Run and clears up what it leaves.
func makeCluster(t *testing.T, program, mode string, nodes int) *made {
	t.Helper()
	m := &made{t: t, dir: filepath.Join(folder(t), "my cluster")}
	m.opts = Options{Mode: mode, Nodes: nodes, Dir: m.dir, Port: freePorts(t, nodes+2), Program: program, noSync: true}
	var said bytes.Buffer
	m.opts.Out = &said
	if err := Run(t.Context(), m.opts); err != nil {
		t.Fatalf("Run: %v\n%s", err, said.String())
	}
	m.said = said.String()
	t.Cleanup(func() {
		if t.Failed() {
			m.showLogs()
		}
		ctx, cancel := context.WithTimeout(context.Background(), waitPatience)
		defer cancel()
		_ = exec.CommandContext(ctx, filepath.Join(m.dir, "shutdownall")).Run() // most have done so
	})
	return m
}

func (m *made) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(m.dir, "*.log"))
	more, _ := filepath.Glob(filepath.Join(m.dir, "log", "*.log"))
	for _, log := range append(logs, more...) {
		text, _ := os.ReadFile(log)
		m.t.Logf("%s ends:\n%s", log, text[max(0, len(text)-1500):])
	}
}

// run runs a script or command line in the cluster's folder and returns what it says.
func (m *made) run(command string) string {
	m.t.Helper()
	out, err := m.try(command)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

func (m *made) try(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), waitPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "PGCONNECT_TIMEOUT=10")
	// At the end of patience what the shell has started ends too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// psql asks through pgchorus by the command line that was promised.
func (m *made) psql(sql string) string {
	m.t.Helper()
	return m.run(m.connect() + " -XAtc " + shellQuote(sql))
}

// connect is the last indented line of what Run said.
func (m *made) connect() string {
	var last string
	for line := range strings.Lines(m.said) {
		if strings.HasPrefix(line, "  psql ") {
			last = strings.TrimSpace(line)
		}
	}
	return last
}

// node asks a server past pgchorus.
func (m *made) node(id int, sql string) string {
	m.t.Helper()
	out, err := m.tryNode(id, sql)
	if err != nil {
		m.t.Fatalf("node %d: %s: %v\n%s", id, sql, err, out)
	}
	return out
}

func (m *made) tryNode(id int, sql string) (string, error) {
	return m.try(fmt.Sprintf("psql -XAtq -h 127.0.0.1 -p %d -U postgres -d test -c %s", m.opts.Port+2+id, shellQuote(sql)))
}

// waitNode asks a server until it answers with want.
func (m *made) waitNode(id int, sql, want string) {
	m.t.Helper()
	m.eventually(func() string {
		out, err := m.tryNode(id, sql)
		if err != nil || out != want {
			return fmt.Sprintf("node %d: %s: %q (%v), want %q", id, sql, out, err, want)
		}
		return ""
	})
}

// eventually calls problem until it names none.
func (m *made) eventually(problem func() string) {
	m.t.Helper()
	deadline := time.NewTimer(waitPatience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		what := problem()
		if what == "" {
			return
		}
		select {
		case <-deadline.C:
			m.t.Fatalf("after %s: %s", waitPatience, what)
		case <-tick.C:
		}
	}
}

// wantNothingRunning looks for processes that work in the cluster's folder and for
// ports that still answer.
func (m *made) wantNothingRunning() {
	m.t.Helper()
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd+"/", m.dir+"/") {
			m.t.Errorf("process %s works in %s", filepath.Base(filepath.Dir(link)), cwd)
		}
	}
	for _, port := range m.opts.ports() {
		if conn, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			conn.Close()
			m.t.Errorf("port %d still answers", port)
		}
	}
}

// wantConfiguration reads pgpool.conf as pgchorus does.
func (m *made) wantConfiguration() {
	m.t.Helper()
	cfg, warnings, err := config.Load(filepath.Join(m.dir, "etc", "pgpool.conf"))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, warning := range warnings {
		m.t.Errorf("pgpool.conf: %s", warning)
	}
	mode, _ := modeName(m.opts.Mode)
	if string(cfg.ClusteringMode) != mode || len(cfg.Backends) != m.opts.Nodes || cfg.Listen.Port != m.opts.Port {
		m.t.Errorf("pgpool.conf: mode %s, %d nodes, port %d; want %s, %d, %d",
			cfg.ClusteringMode, len(cfg.Backends), cfg.Listen.Port, mode, m.opts.Nodes, m.opts.Port)
	}
}

func TestClusterOfEachMode(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	program := buildProgram(t)
	tests := []struct {
		name, letter string
		write        func(*made)
		on           []int // nodes that have what was written
	}{
		{"streaming", streaming, write, []int{0, 1}},
		{"native", native, write, []int{0, 1}},
		{"snapshot", snapshot, write, []int{0, 1}},
		{"logical", logical, writeEverywhere, []int{0, 1}},
		{"raw", raw, write, []int{0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := makeCluster(t, program, tt.letter, 2)
			m.wantConfiguration()
			m.wantNothingRunning()

			m.run("./startall")
			if got := m.psql("SELECT 6 * 7"); got != "42" {
				t.Errorf("SELECT through pgchorus = %q, want 42", got)
			}
			tt.write(m)
			for _, id := range tt.on {
				m.waitNode(id, "SELECT x FROM t", "1")
			}
			m.run("./pgpool_reload")
			m.run("./shutdownall")
			m.wantNothingRunning()

			// It is a cluster to keep.
			m.run("./startall")
			if got := m.inTest("SELECT x FROM t"); got != "1" {
				t.Errorf("after a restart t = %q, want 1", got)
			}
			m.run("./shutdownall")
			m.wantNothingRunning()
		})
	}
}

// inTest asks through pgchorus in the database test.
func (m *made) inTest(sql string) string {
	m.t.Helper()
	return m.run(strings.TrimSuffix(m.connect(), " test") + " -XAtq -d test -c " + shellQuote(sql))
}

func write(m *made) {
	m.inTest("CREATE TABLE t (x int PRIMARY KEY)")
	m.inTest("INSERT INTO t VALUES (1)")
}

func writeEverywhere(m *made) {
	m.run("./everywhere 'CREATE TABLE t (x int PRIMARY KEY)'")
	m.inTest("INSERT INTO t VALUES (1)")
}
