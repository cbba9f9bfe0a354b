package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tracePatience bounds attaching to a proxy, and leaving it.
const tracePatience = 20 * time.Second

// trace counts the system calls of some processes, as a child process of ours.
type trace struct {
	cmd     *exec.Cmd
	summary string // file
}

// startTrace attaches strace to a process and all its descendants, and returns when it
// counts.
func (b *bench) startTrace(ctx context.Context, root int) (*trace, error) {
	program, err := findProgram("strace", "strace")
	if err != nil {
		return nil, err
	}
	all, err := processes()
	if err != nil {
		return nil, err
	}
	tr := &trace{summary: filepath.Join(b.cluster.Dir, "strace.txt")}
	args := []string{"-f", "-c", "-o", tr.summary}
	family := familyOf(root, all)
	for _, s := range family {
		args = append(args, "-p", strconv.Itoa(s.pid))
	}
	tr.cmd = exec.CommandContext(ctx, program, args...)
	// A SIGKILL would leave the traced processes stopped.
	tr.cmd.Cancel = func() error { return tr.cmd.Process.Signal(syscall.SIGINT) }
	tr.cmd.WaitDelay = tracePatience
	said, err := tr.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := tr.cmd.Start(); err != nil {
		return nil, err
	}
	if err := waitAttached(said, len(family)); err != nil {
		_, stopErr := tr.stop()
		return nil, errors.Join(err, stopErr)
	}
	return tr, nil
}

// waitAttached reads until strace has said so of each process.
func waitAttached(said io.Reader, count int) error {
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if strings.Contains(lines.Text(), " attached") {
			count--
		}
		if count == 0 {
			go io.Copy(io.Discard, said) //nolint:errcheck // ends with strace, which stop waits for
			return nil
		}
		if strings.Contains(lines.Text(), "not permitted") {
			break
		}
	}
	return errors.New("strace cannot attach to it: " + lines.Text())
}

// stop leaves the processes and reads what was counted.
func (tr *trace) stop() (syscalls, error) {
	_ = tr.cmd.Process.Signal(syscall.SIGINT) // it may have ended
	_ = tr.cmd.Wait()                         // its code is that of the signal
	text, err := os.ReadFile(tr.summary)
	if err != nil {
		return syscalls{}, err
	}
	return parseSyscalls(string(text))
}

// syscalls are numbers of calls.
type syscalls struct{ all, io int }

// parseSyscalls reads the summary of strace -c: share, seconds, µs a call, calls, errors
// where there were any, name.
func parseSyscalls(summary string) (syscalls, error) {
	var sum syscalls
	for line := range strings.Lines(summary) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		calls, err := strconv.Atoi(fields[3])
		name := fields[len(fields)-1]
		if err != nil || name == "total" {
			continue // the heading, the line under it, the sum
		}
		sum.all += calls
		if movesBytes(name) {
			sum.io += calls
		}
	}
	if sum.all == 0 {
		return sum, fmt.Errorf("strace counted nothing: %q", firstLine(summary))
	}
	return sum, nil
}

// movesBytes tells whether a call reads, writes, or waits until that is possible.
func movesBytes(name string) bool {
	return slices.Contains([]string{
		"read", "write", "readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "splice",
		"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl",
	}, name)
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}
