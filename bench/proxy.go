package main

import (
	"context"
	"errors"
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
	// readyPatience bounds a proxy's start.
	readyPatience = 30 * time.Second
	// readyInterval is how often we try whether a proxy answers.
	readyInterval = 50 * time.Millisecond
	// stopPatience is how long a proxy may take for a fast shutdown: Pgpool-II has a
	// process for each of a thousand clients to end.
	stopPatience = 30 * time.Second
	// maxLogTail bounds what is shown of a proxy's log, in bytes.
	maxLogTail = 2 << 10
)

// proxy is a program between clients and servers, as a child process. It is for one
// goroutine.
type proxy struct {
	name       string
	program    string
	args       []string
	env        []string       // beside the servers' own
	stopSignal syscall.Signal // ends it without waiting for clients
	database   string         // that it is ready when it serves
	logFile    string
	port       *localpg.Port
	controls   *localpg.Port // of the control protocol; nil where there is none

	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended and was waited for
	err  error         // how it ended; to be read after done
}

// makeProxy writes the configuration of the proxy of t, and does not start it.
func (st *stage) makeProxy(t *target) (*proxy, error) {
	dir := filepath.Join(st.dir(), t.name)
	if err := st.b.makeDir(dir); err != nil {
		return nil, err
	}
	port, err := localpg.ReservePort()
	if err != nil {
		return nil, err
	}
	p := &proxy{name: t.name, database: t.database, logFile: dir + ".log", port: port, stopSignal: syscall.SIGINT}
	st.ends.add(port.Release)
	switch t.name {
	case pgbouncer:
		return p, st.configurePgBouncer(p, t, dir)
	case pgpool:
		return p, st.configurePgpool(p, t, dir)
	}
	return p, st.configurePgchorus(p, t, dir)
}

// start runs the program and waits until it serves.
func (p *proxy) start(ctx context.Context, cluster *localpg.Cluster) error {
	if err := p.launch(cluster); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ctx, stop := context.WithTimeout(ctx, readyPatience)
	defer stop()
	if err := p.waitReady(ctx); err != nil {
		return fmt.Errorf("start %s: %w; its log ends:\n%s", p.name, err, p.logTail())
	}
	return nil
}

// launch runs the program as the servers' user in the cluster's folder: neither
// PgBouncer nor Pgpool-II should be root, and the folder's watcher ends what is in it.
func (p *proxy) launch(cluster *localpg.Cluster) error {
	log, err := os.OpenFile(p.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own copy
	// Its life is not a call's: stop finishes it, or the watcher.
	cmd := cluster.Command(context.Background(), "")
	cmd.Path, cmd.Args, cmd.Err = p.program, append([]string{p.program}, p.args...), nil
	cmd.Env = append(cmd.Env, p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go func() { // ends with the process, which stop waits for
		p.err = cmd.Wait()
		close(p.done)
	}()
	return nil
}

// waitReady waits until the proxy answers a query.
func (p *proxy) waitReady(ctx context.Context) error {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		_, err := ask(ctx, dsn(p.port.Number, p.database), "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-p.done:
			return fmt.Errorf("it ended by itself (%v)", p.cmd.ProcessState)
		case <-tick.C:
		}
	}
}

// stop ends the proxy; one that does not run is no error.
func (p *proxy) stop() error {
	if p.cmd == nil {
		return nil
	}
	defer func() { p.cmd = nil }()
	_ = p.cmd.Process.Signal(p.stopSignal) // it may have gone
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	p.killFamily()
	<-p.done
	return fmt.Errorf("%s did not end within %v and was killed", p.name, stopPatience)
}

// killFamily ends the proxy and its children: Pgpool-II's would go on to serve its port.
// Their numbers are taken first, since who has lost its parent is not found any more.
func (p *proxy) killFamily() {
	all, err := processes()
	if err != nil {
		all = nil // the folder's watcher ends what is left
	}
	_ = p.cmd.Process.Kill()
	for _, s := range familyOf(p.pid(), all) {
		_ = syscall.Kill(s.pid, syscall.SIGKILL) // it may have gone
	}
}

// running tells whether it was started and not stopped.
func (p *proxy) running() bool { return p.cmd != nil }

// pid is the process number of the running proxy.
func (p *proxy) pid() int { return p.cmd.Process.Pid }

// logTail is the end of the proxy's log.
func (p *proxy) logTail() string {
	file, err := os.Open(p.logFile)
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
	return strings.TrimRight(string(text), "\n")
}

// findProgram looks on the PATH and in the folder of daemons, which is not on
// everybody's.
func findProgram(name, debianPackage string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		return "", errors.New(name + " was not found: scripts/need-bench.sh installs it (Debian's package " + debianPackage + "), or leave it out with -targets")
	}
	return path, nil
}
