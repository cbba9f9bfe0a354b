package localpg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// StopMode is how a node is stopped (the modes of pg_ctl).
type StopMode int

// The three modes.
const (
	StopSmart     StopMode = iota // waits for the sessions to leave
	StopFast                      // ends the sessions, then a checkpoint
	StopImmediate                 // ends everything; the next start recovers
)

// signal is what the postmaster understands as the mode (pmdie in postmaster.c).
func (m StopMode) signal() syscall.Signal {
	switch m {
	case StopSmart:
		return syscall.SIGTERM
	case StopFast:
		return syscall.SIGINT
	}
	return syscall.SIGQUIT
}

// pollInterval is how often we look at what has no event to wait for: a server's
// pid file and the states of processes.
const pollInterval = 2 * time.Millisecond

// ErrNotRunning is the answer of Kill, Pause and Resume where there is no server.
var ErrNotRunning = errors.New("node is not running")

// Node is one PostgreSQL server. Its exported fields do not change. Its methods
// are safe for concurrent use; Stop and Kill may interrupt a Start.
type Node struct {
	ID        int
	Host      string // for TCP
	Port      int
	SocketDir string // of the Unix socket; empty if there is none
	DataDir   string
	LogFile   string
	Superuser string
	Password  string // of the superuser; may be empty

	cluster *Cluster

	mu      sync.Mutex // guards the field below
	process *process   // the last postmaster, or nil
}

// DSN is a connection URI for the superuser over TCP. More parameters may be
// appended after an '&'.
func (n *Node) DSN(database string) string {
	login := url.User(n.Superuser)
	if n.Password != "" {
		login = url.UserPassword(n.Superuser, n.Password)
	}
	dsn := url.URL{
		Scheme: "postgres", User: login, Path: "/" + database,
		Host:     n.Host + ":" + strconv.Itoa(n.Port),
		RawQuery: "sslmode=disable",
	}
	return dsn.String()
}

// Start starts the server and waits until it accepts connections. A server that
// is not ready when ctx ends is killed.
func (n *Node) Start(ctx context.Context) error {
	process, err := n.launch()
	if err != nil {
		return err
	}
	if err := n.waitReady(ctx, process); err != nil {
		if n.Running() {
			err = errors.Join(err, n.Kill())
		}
		return fmt.Errorf("start PostgreSQL: %w; its log ends:\n%s", err, n.LogTail(20))
	}
	return nil
}

// launch starts the postmaster.
func (n *Node) launch() (*process, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process.alive() {
		return nil, errors.New("node is running already")
	}
	log, err := os.OpenFile(n.LogFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the server has its own copy
	if err := n.cluster.account.own(n.LogFile); err != nil {
		return nil, err
	}
	// The server's life is not this call's: Stop, Kill or our own end finish it.
	cmd := n.cluster.Command(context.Background(), "postgres", "-D", n.DataDir)
	cmd.Stdout, cmd.Stderr = log, log
	if !n.cluster.opts.Outlive {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	}
	process, err := spawn(cmd)
	if err != nil {
		return nil, err
	}
	n.process = process
	return process, nil
}

// waitReady waits until the postmaster has written into its pid file that it is
// ready (PM_STATUS_READY in pidfile.h, which pg_ctl waits for too), for reads at
// least: a hot standby says the same.
func (n *Node) waitReady(ctx context.Context, p *process) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		file := n.readPIDFile()
		if file.pid == p.pid && (file.status == "ready" || file.status == "standby") {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.done:
			return fmt.Errorf("the server ended by itself: %w", p.err)
		case <-tick.C:
		}
	}
}

// Running tells whether the postmaster that we started is there; paused counts.
func (n *Node) Running() bool { return n.current().alive() }

// PID is the postmaster's process number, 0 when it does not run.
func (n *Node) PID() int {
	if p := n.current(); p.alive() {
		return p.pid
	}
	return 0
}

func (n *Node) current() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// Stop stops the server and waits until all of its processes are gone. A paused
// one is resumed for it. A node that does not run is no error. When ctx ends
// first, the server is still on its way out.
func (n *Node) Stop(ctx context.Context, mode StopMode) error {
	p := n.current()
	if !p.alive() {
		return nil
	}
	if err := signalAll(family(n.DataDir), syscall.SIGCONT); err != nil {
		return err
	}
	if err := syscall.Kill(p.pid, mode.signal()); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop PostgreSQL: %w", context.Cause(ctx))
	}
}

// Kill ends the postmaster and all its processes with SIGKILL, paused or not,
// and waits until they are gone: as if the machine's power had failed, except
// that the kernel closes the connections.
func (n *Node) Kill() error {
	p := n.current()
	if !p.alive() {
		return ErrNotRunning
	}
	file := n.readPIDFile()
	// The postmaster first, so that it forks nothing and notices no dead child.
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill PostgreSQL: %w", err)
	}
	<-p.done
	if err := killFamily(n.DataDir); err != nil {
		return err
	}
	if file.pid == p.pid {
		removeSharedMemory(file.sharedMemory)
	}
	return nil
}

// Pause stops the postmaster and all its processes with SIGSTOP and waits until
// they stand still. Connections stay open and connecting works, since the kernel
// does both; no answer comes. It is what a hung machine looks like.
func (n *Node) Pause() error {
	p := n.current()
	if !p.alive() {
		return ErrNotRunning
	}
	// The postmaster first, so that nothing new is forked.
	if err := stopAndWait([]int{p.pid}); err != nil {
		return fmt.Errorf("pause PostgreSQL: %w", err)
	}
	if err := stopAndWait(family(n.DataDir)); err != nil {
		return fmt.Errorf("pause PostgreSQL: %w", err)
	}
	return nil
}

// Resume lets a paused node go on.
func (n *Node) Resume() error {
	if !n.Running() {
		return ErrNotRunning
	}
	return signalAll(family(n.DataDir), syscall.SIGCONT)
}

// pidFile is what we need of postmaster.pid (its lines are in pidfile.h).
type pidFile struct {
	pid          int
	sharedMemory int // System V identifier
	status       string
}

// readPIDFile returns zeros for what is not there yet.
func (n *Node) readPIDFile() pidFile {
	var file pidFile
	text, err := os.ReadFile(filepath.Join(n.DataDir, "postmaster.pid"))
	if err != nil {
		return file
	}
	lines := strings.Split(string(text), "\n")
	file.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) >= 7 {
		if _, id, found := strings.Cut(strings.TrimSpace(lines[6]), " "); found {
			file.sharedMemory, _ = strconv.Atoi(strings.TrimSpace(id))
		}
	}
	if len(lines) >= 8 {
		file.status = strings.TrimSpace(lines[7])
	}
	return file
}
