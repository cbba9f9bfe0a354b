package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// stopPatience is how long pgchorus may take for a fast shutdown.
	stopPatience = 10 * time.Second
	// endPatience is how long an end may take to be known once its effects are.
	endPatience = time.Second
	// readyInterval is how often we try whether pgchorus accepts connections.
	readyInterval = 50 * time.Millisecond
	// maxLogTail bounds what is read of the log's end, in bytes.
	maxLogTail = 16 << 10
)

// server is pgchorus as a child process.
type server struct {
	configFile, logFile string
	port                int
	process             *process
}

// startServer writes a configuration into the cluster's folder and starts pgchorus
// with it.
func startServer(ctx context.Context, program string, cluster *localpg.Cluster, port int) (*server, error) {
	if strings.ContainsAny(cluster.Dir, "',\n") {
		return nil, fmt.Errorf("folder %q: pgpool.conf cannot name a folder with a quote, a comma or a line feed", cluster.Dir)
	}
	s := &server{
		configFile: filepath.Join(cluster.Dir, "pgpool.conf"),
		logFile:    filepath.Join(cluster.Dir, "pgchorus.log"),
		port:       port,
	}
	if err := os.WriteFile(s.configFile, []byte(configuration(cluster, port)), 0o644); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(s.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	// Its life is not this call's: stop finishes it, or our own end.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, "-n", "-f", s.configFile)
	cmd.Dir = cluster.Dir // for its watcher
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = spawn(cmd); err != nil {
		return nil, fmt.Errorf("start pgchorus: %w", err)
	}
	return s, nil
}

// configuration is a pgpool.conf as short as one can be, with time limits for a demo:
// on one machine a server that is silent for seconds is dead.
func configuration(cluster *localpg.Cluster, port int) string {
	var text strings.Builder
	fmt.Fprintf(&text, `# Written by pgchorus demo.
backend_clustering_mode = 'native_replication'
listen_addresses = '127.0.0.1'
port = %d
unix_socket_directories = ''
pcp_listen_addresses = ''
pcp_socket_dir = '%s'
pid_file_name = '%s'
work_dir = '%s'
pool_passwd = ''

load_balance_mode = on
failover_on_backend_error = on
connect_timeout = 3000
health_check_period = 1
health_check_timeout = 3
health_check_user = '%s'
health_check_database = 'postgres'
health_check_max_retries = 0
`, port, cluster.Dir, filepath.Join(cluster.Dir, "pgchorus.pid"), cluster.Dir, superuser)
	for _, n := range cluster.Nodes() {
		fmt.Fprintf(&text, "\nbackend_hostname%[1]d = '%[2]s'\nbackend_port%[1]d = %[3]d\nbackend_weight%[1]d = 1\n", n.ID, n.Host, n.Port)
	}
	return text.String()
}

// waitReady waits until pgchorus answers a query.
func (s *server) waitReady(ctx context.Context) error {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		_, err := s.ask(ctx, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("pgchorus does not answer: %w", err)
		case <-s.process.done:
			return s.ended(endPatience)
		case <-tick.C:
		}
	}
}

// ended is an error when pgchorus runs no more, or ends within patience: the kernel
// closes a process's connections before it tells the parent.
func (s *server) ended(patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.process.done:
		return fmt.Errorf("pgchorus ended by itself: %w", s.process.ending())
	case <-timer.C:
		return nil
	}
}

// ask runs one statement through pgchorus on a connection of its own.
func (s *server) ask(ctx context.Context, database, sql string) (rows [][]string, err error) {
	return ask(ctx, dsn(s.port, database), sql)
}

func (s *server) stop() error {
	if err := s.process.stop(syscall.SIGINT, stopPatience); err != nil {
		return fmt.Errorf("stop pgchorus: %w", err)
	}
	return nil
}

// logTail is the end of the log, at most so many lines.
func (s *server) logTail(lines int) string {
	file, err := os.Open(s.logFile)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err == nil {
		_, _ = file.Seek(max(0, size-maxLogTail), io.SeekStart)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxLogTail))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
