//go:build compare

package compare

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/localpg"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

const (
	// patience bounds Pgpool-II's start and end.
	patience = 30 * time.Second
	// pollInterval is how often we try whether it answers.
	pollInterval = 20 * time.Millisecond
)

// pgpool is a Pgpool-II that belongs to a test.
type pgpool struct {
	t       *testing.T
	port    int
	user    string
	logFile string
	done    chan struct{} // closed once it has ended
}

// startPgpool runs Pgpool-II with these lines of pgpool.conf until the test has ended.
func startPgpool(t *testing.T, nodes []*pgtest.Node, lines []string) *pgpool {
	t.Helper()
	program, err := findPgpool()
	if err != nil {
		t.Fatal(err)
	}
	cluster := nodes[0].Cluster
	dir, err := os.MkdirTemp(cluster.Dir, "pool")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := cluster.MakeDir(dir); err != nil { // the same name, for the servers' user
		t.Fatal(err)
	}
	p := &pgpool{t: t, port: pgtest.FreePort(t), user: nodes[0].Superuser, logFile: dir + ".log", done: make(chan struct{})}
	files := map[string]string{
		"pgpool.conf":   pgpoolConfig(nodes, p.port, pgtest.FreePort(t), dir, lines),
		"pcp.conf":      "",
		"pool_hba.conf": "",
	}
	for name, text := range files {
		if err := cluster.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.launch(cluster, program, dir)
	p.waitReady()
	return p
}

// findPgpool looks on the PATH and in the folder of daemons, which is not on
// everybody's.
func findPgpool() (string, error) {
	if path, err := exec.LookPath("pgpool"); err == nil {
		return path, nil
	}
	const debian = "/usr/sbin/pgpool"
	if _, err := os.Stat(debian); err != nil {
		return "", fmt.Errorf("Pgpool-II was not found: make compare installs it (Debian's package pgpool2)")
	}
	return debian, nil
}

// pgpoolConfig has the names of Debian's version, 4.3, for what differs.
func pgpoolConfig(nodes []*pgtest.Node, port, pcpPort int, dir string, lines []string) string {
	all := []string{
		"listen_addresses = '127.0.0.1'",
		fmt.Sprintf("port = %d", port),
		fmt.Sprintf("pcp_port = %d", pcpPort),
		"pcp_listen_addresses = '127.0.0.1'",
		"socket_dir = '" + dir + "'",
		"pcp_socket_dir = '" + dir + "'",
		"wd_ipc_socket_dir = '" + dir + "'",
		"logdir = '" + dir + "'",
		"pid_file_name = '" + dir + "/pgpool.pid'",
		"pool_passwd = ''",
		"num_init_children = 8",
		"health_check_period = 0",
		// The mode's; so is everything below.
	}
	for i, node := range nodes {
		all = append(all,
			fmt.Sprintf("backend_hostname%d = '%s'", i, node.Host),
			fmt.Sprintf("backend_port%d = %d", i, node.Port),
			fmt.Sprintf("backend_data_directory%d = '%s'", i, node.DataDir),
			fmt.Sprintf("backend_flag%d = 'DISALLOW_TO_FAILOVER'", i),
		)
	}
	return strings.Join(append(all, lines...), "\n") + "\n"
}

// launch runs the program as the servers' user; the cluster's watcher ends what is in
// its folder if this process dies.
func (p *pgpool) launch(cluster *localpg.Cluster, program, dir string) {
	p.t.Helper()
	log, err := os.Create(p.logFile)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close() // the child has its own copy
	cmd := cluster.Command(context.Background(), "")
	cmd.Path, cmd.Err = program, nil
	cmd.Args = []string{program, "-n", "-D", "-f", dir + "/pgpool.conf", "-F", dir + "/pcp.conf", "-a", dir + "/pool_hba.conf"}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start Pgpool-II: %v", err)
	}
	go func() { // ends with the process, which stop waits for
		_ = cmd.Wait()
		close(p.done)
	}()
	p.t.Cleanup(func() { p.stop(cmd.Process) })
}

func (p *pgpool) stop(process *os.Process) {
	_ = process.Signal(syscall.SIGINT) // a fast shutdown, if it has not gone
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = process.Kill()
		<-p.done
		p.t.Errorf("Pgpool-II did not end within %v", patience)
	}
}

func (p *pgpool) waitReady() {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		conn, err := pgconn.Connect(ctx, p.DSN(pgtest.Database, p.user))
		if err == nil {
			_ = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(p.logFile)
			p.t.Fatalf("Pgpool-II does not answer: %v\n%s", err, log)
		}
	}
}

// DSN is a connection URI.
func (p *pgpool) DSN(database, user string) string {
	return "postgres://" + user + "@127.0.0.1:" + strconv.Itoa(p.port) + "/" + database + "?sslmode=disable"
}
