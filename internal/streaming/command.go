package streaming

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
)

// commandDelay is what replication_delay_source_cmd has said of a node.
type commandDelay struct {
	known bool
	delay time.Duration
	at    time.Time
}

const (
	// maxSourceTime is replication_delay_source_timeout's default.
	maxSourceTime = 10 * time.Second
	// maxCommandOutput is how much of the command's output is read, as by Pgpool-II.
	maxCommandOutput = 4096
	// commandGrace is how long the command has to obey SIGTERM.
	commandGrace = time.Second
	// oddDelay is a delay that makes one wonder whether the unit is right.
	oddDelay = time.Hour
)

func (s *Settings) sourceTimeout() time.Duration {
	if s.SourceTimeout > 0 {
		return s.SourceTimeout
	}
	return maxSourceTime
}

// askCommand runs replication_delay_source_cmd for all nodes but the primary. What it
// does not say is unknown; Pgpool-II would take it for 0 or for what it was before.
func (m *Monitor) askCommand(ctx context.Context, s Settings, primary config.NodeID) {
	began := time.Now()
	standbys := standbysOf(s, primary)
	output, err := runSource(ctx, s, standbys)
	if ctx.Err() != nil {
		return
	}
	var told []commandDelay
	if err == nil {
		told, err = parseDelays(output, len(standbys))
	}
	if err != nil {
		m.log.Warn("replication_delay_source_cmd does not say the delay of all nodes", zap.Error(err))
	}
	for i, c := range standbys {
		d := commandDelay{at: began}
		if i < len(told) {
			d.known, d.delay = told[i].known, told[i].delay
		}
		if d.delay > oddDelay {
			m.log.Warn("replication_delay_source_cmd reports more than an hour", nodeField(c.ID), zap.Duration("time", d.delay))
		}
		if n := m.node(c.ID); n != nil {
			n.reported.Store(&d)
		}
	}
}

// standbysOf are the nodes that the command is asked about, by rising ID.
func standbysOf(s Settings, primary config.NodeID) []Node {
	var standbys []Node
	for _, n := range s.Nodes {
		if n.ID != primary {
			standbys = append(standbys, n)
		}
	}
	slices.SortFunc(standbys, func(a, b Node) int { return int(a.ID - b.ID) })
	return standbys
}

// runSource runs the command by the shell with host:port of each standby as
// arguments, and returns its output.
func runSource(ctx context.Context, s Settings, standbys []Node) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.sourceTimeout())
	defer cancel()
	line := s.SourceCommand
	for _, n := range standbys {
		line += " " + quoted(n.Host+":"+strconv.Itoa(n.Port))
	}
	var output, complaint limited
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.Stdout, cmd.Stderr = &output, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = commandGrace
	err := cmd.Run()
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return "", fmt.Errorf("no answer within %v", s.sourceTimeout())
	case err != nil:
		return "", fmt.Errorf("%w: %.200s", err, complaint.kept.String())
	}
	return output.kept.String(), nil
}

// quoted makes one word of the shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// limited keeps the beginning of what is written to it.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.kept.Write(p[:min(len(p), maxCommandOutput-l.kept.Len())])
	return len(p), nil
}

// parseDelays reads milliseconds, whole or decimal, separated by blanks. -1 is a node
// that is down. What is more than wanted is left alone.
func parseDelays(output string, want int) ([]commandDelay, error) {
	fields := strings.Fields(output)
	delays := make([]commandDelay, want)
	var problems error
	if len(fields) < want {
		problems = fmt.Errorf("%d values for %d nodes", len(fields), want)
	}
	for i := range min(want, len(fields)) {
		d, known, err := parseDelay(fields[i])
		delays[i] = commandDelay{known: known, delay: d}
		problems = errors.Join(problems, err)
	}
	return delays, problems
}

func parseDelay(field string) (d time.Duration, known bool, err error) {
	if field == "-1" {
		return 0, false, nil
	}
	ms, err := strconv.ParseFloat(field, 64)
	if err != nil || !(ms >= 0) || ms > float64(maxDelay/time.Millisecond) {
		return 0, false, fmt.Errorf("%.40q is no delay in milliseconds", field)
	}
	return time.Duration(ms * float64(time.Millisecond)), true, nil
}

// maxDelay is more than any standby is behind, and far from what overflows.
const maxDelay = 100 * 365 * 24 * time.Hour
