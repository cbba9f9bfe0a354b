package cluster

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
)

// command is a line for the shell that waits for its turn.
type command struct {
	name string // the parameter it comes from
	line string
	node config.NodeID
}

// enqueue prepares failover_command, failback_command or follow_primary_command for
// a node. It never waits: a slow script must not hold up a change of the view.
func (m *Manager) enqueue(name, template string, id config.NodeID, old, next *View) {
	if template == "" {
		return
	}
	c := command{name: name, line: expand(template, id, old, next), node: id}
	if name == followPrimaryCommand {
		c.line = expandFollow(template, id, old, next)
	}
	select {
	case m.commands <- c:
	default:
		m.log.Error("too many commands are waiting, this one is not run",
			zap.String("command", c.line), zap.String("parameter", name), node(id))
	}
}

// The parameters that commands come from.
const (
	failoverCommand      = "failover_command"
	failbackCommand      = "failback_command"
	followPrimaryCommand = "follow_primary_command"
)

// cast are the nodes that the placeholders speak of; one with the ID -1 is none.
type cast struct {
	subject    Node // %d %h %p %D: went, came or has to follow
	main       Node // %m %H %r %R
	oldMain    Node // %M
	oldPrimary Node // %P %N %S
}

// expand replaces the placeholders of failover_command and failback_command. The
// main node is the live node with the lowest ID also where there is a primary: when
// the primary is lost, it is the one that the script promotes.
func expand(template string, id config.NodeID, old, next *View) string {
	return cast{subject: next.get(id), main: lowestOf(next), oldMain: lowestOf(old), oldPrimary: oldPrimary(old)}.fill(template)
}

// expandFollow replaces those of follow_primary_command, where the new primary is
// the main node, and %M too is the old primary, as with Pgpool-II.
func expandFollow(template string, id config.NodeID, old, next *View) string {
	was := oldPrimary(old)
	return cast{subject: next.get(id), main: next.get(next.primary), oldMain: was, oldPrimary: was}.fill(template)
}

func lowestOf(v *View) Node {
	id, _ := v.lowest()
	return v.get(id)
}

// oldPrimary is the primary before the change, or the one that was lost before it.
func oldPrimary(old *View) Node {
	if old.primary >= 0 {
		return old.get(old.primary)
	}
	return old.get(old.lost)
}

// get returns a node that may be none.
func (v *View) get(id config.NodeID) Node {
	if n, ok := v.Node(id); ok {
		return n
	}
	return Node{ID: -1}
}

// fill replaces the placeholders of a command. Where there is no such node, a text
// becomes two double quotes and a number -1, so that the count of arguments stays.
// Unknown letters vanish with their percent sign. Unlike Pgpool-II, no blank is put
// in front of numbers.
func (c cast) fill(template string) string {
	var line strings.Builder
	for i := 0; i < len(template); i++ {
		if template[i] != '%' || i+1 == len(template) {
			line.WriteByte(template[i])
			continue
		}
		i++
		line.WriteString(c.argument(template[i]))
	}
	return line.String()
}

func (c cast) argument(letter byte) string {
	switch letter {
	case 'd':
		return c.subject.ID.String()
	case 'h':
		return text(c.subject.Host)
	case 'p':
		return port(c.subject)
	case 'D':
		return text(c.subject.DataDirectory)
	case 'm':
		return c.main.ID.String()
	case 'H':
		return text(c.main.Host)
	case 'r':
		return port(c.main)
	case 'R':
		return text(c.main.DataDirectory)
	case 'M':
		return c.oldMain.ID.String()
	case 'P':
		return c.oldPrimary.ID.String()
	case 'N':
		return text(c.oldPrimary.Host)
	case 'S':
		return port(c.oldPrimary)
	case '%':
		return "%"
	}
	return ""
}

// text writes an empty text as two double quotes, or the arguments after it would
// move up.
func text(s string) string {
	if s == "" {
		return `""`
	}
	return s
}

func port(n Node) string {
	if n.ID < 0 {
		return text("")
	}
	return strconv.Itoa(n.Port)
}

// runCommands runs the commands one after the other, in the order of the changes
// they are for, until ctx ends.
func (m *Manager) runCommands(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			if left := len(m.commands); left > 0 {
				m.log.Warn("stopped before all commands were run", zap.Int("commands", left))
			}
			return
		case c := <-m.commands:
			m.runCommand(ctx, c)
		}
	}
}

// runCommand logs what became of a command. Nothing else depends on it.
func (m *Manager) runCommand(ctx context.Context, c command) {
	limit := m.settings.Load().commandTimeout()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	log := m.log.With(zap.String("parameter", c.name), node(c.node), zap.String("command", c.line))
	log.Info("execute command")
	output, err := runShell(ctx, c.line)
	log = log.With(zap.ByteString("output", output))
	switch {
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		log.Error("command took too long and was ended", zap.Duration("limit", limit))
	case err != nil:
		log.Error("command ended with an error", zap.Error(err))
	default:
		log.Info("command ended")
	}
}

const (
	// maxCommandOutput is how much of a command's output is logged: its beginning.
	maxCommandOutput = 8 << 10
	// commandGrace is how long a command has to obey SIGTERM, and how long what it
	// left in the background may hold its output open.
	commandGrace = 2 * time.Second
)

// runShell runs a line by /bin/sh. When ctx ends the whole process group is asked
// to end, and the shell is killed if it does not.
func runShell(ctx context.Context, line string) ([]byte, error) {
	var output head
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = commandGrace

	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; a child of its own has kept the output open
	}
	return output.kept, err
}

// head keeps the beginning of what is written to it.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	room := maxCommandOutput - len(h.kept)
	h.kept = append(h.kept, p[:min(room, len(p))]...)
	return len(p), nil
}
