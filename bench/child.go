package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// readyPatience bounds a program's start.
	readyPatience = 30 * time.Second
	// readyInterval is how often we try whether it answers.
	readyInterval = 50 * time.Millisecond
	// stopPatience is how long a program may take for a fast shutdown: Pgpool-II has a
	// process for each of a thousand clients to end.
	stopPatience = 30 * time.Second
	// maxLogTail bounds what is shown of a program's log, in bytes.
	maxLogTail = 2 << 10
)

// child is a program that works for the benchmark. It is for one goroutine.
type child struct {
	name       string
	program    string
	args       []string
	env        []string       // beside the servers' own
	stopSignal syscall.Signal // ends it without waiting for clients
	logFile    string
	answers    func(context.Context) error // nil once it serves

	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended and was waited for
	err  error         // how it ended; to be read after done
}

// start runs the program and waits until it serves.
func (c *child) start(ctx context.Context, cluster *localpg.Cluster) error {
	if err := c.launch(cluster); err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	ctx, stop := context.WithTimeout(ctx, readyPatience)
	defer stop()
	if err := c.waitReady(ctx); err != nil {
		return fmt.Errorf("start %s: %w; its log ends:\n%s", c.name, err, c.logTail())
	}
	return nil
}

// launch runs the program as the servers' user in the cluster's folder: neither
// PgBouncer nor Pgpool-II should be root, and the folder's watcher ends what is in it.
func (c *child) launch(cluster *localpg.Cluster) error {
	log, err := os.OpenFile(c.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own copy
	// Its life is not a call's: stop finishes it, or the watcher.
	cmd := cluster.Command(context.Background(), "")
	cmd.Path, cmd.Args, cmd.Err = c.program, append([]string{c.program}, c.args...), nil
	cmd.Env = append(cmd.Env, c.env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd, c.done = cmd, make(chan struct{})
	go func() { // ends with the process, which stop waits for
		c.err = cmd.Wait()
		close(c.done)
	}()
	return nil
}

// waitReady waits until the program answers.
func (c *child) waitReady(ctx context.Context) error {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		err := c.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-c.done:
			return fmt.Errorf("it ended by itself (%v)", c.cmd.ProcessState)
		case <-tick.C:
		}
	}
}

// stop ends the program; one that does not run is no error.
func (c *child) stop() error {
	if c.cmd == nil {
		return nil
	}
	defer func() { c.cmd = nil }()
	_ = c.cmd.Process.Signal(c.stopSignal) // it may have gone
	timer := time.NewTimer(stopPatience)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	}
	c.killFamily()
	<-c.done
	return fmt.Errorf("%s did not end within %v and was killed", c.name, stopPatience)
}

// killFamily ends the program and its children: Pgpool-II's would go on to serve its port.
// Their numbers are taken first, since who has lost its parent is not found any more.
func (c *child) killFamily() {
	all, err := processes()
	if err != nil {
		all = nil // the folder's watcher ends what is left
	}
	_ = c.cmd.Process.Kill()
	for _, s := range familyOf(c.pid(), all) {
		_ = syscall.Kill(s.pid, syscall.SIGKILL) // it may have gone
	}
}

// running tells whether it was started and not stopped.
func (c *child) running() bool { return c.cmd != nil }

// pid is the process number of the running program.
func (c *child) pid() int { return c.cmd.Process.Pid }

// logTail is the end of the program's log.
func (c *child) logTail() string {
	file, err := os.Open(c.logFile)
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
