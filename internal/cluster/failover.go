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

// enqueue prepares failover_command or failback_command for a node. It never
// waits: a slow script must not hold up a change of the view.
func (m *Manager) enqueue(name, template string, id config.NodeID, old, next *View) {
	if template == "" {
		return
	}
	c := command{name: name, line: expand(template, id, old, next), node: id}
	select {
	case m.commands <- c:
	default:
		m.log.Error("too many commands are waiting, this one is not run",
			zap.String("command", c.line), zap.String("parameter", name), node(id))
	}
}

// expand replaces the placeholders of Pgpool-II's failover commands. Where there is
// no such node, a text becomes two double quotes and a number -1, so that the count
// of arguments stays. These clustering modes have no primary, so the old primary is
// never there. Unknown letters vanish with their percent sign. Unlike Pgpool-II, no
// blank is put in front of numbers.
func expand(template string, id config.NodeID, old, next *View) string {
	subject, _ := next.Node(id)
	main, hasMain := mainNode(next)
	oldMain, hadMain := old.Main()
	if !hadMain {
		oldMain = -1
	}
	var line strings.Builder
	for i := 0; i < len(template); i++ {
		if template[i] != '%' || i+1 == len(template) {
			line.WriteByte(template[i])
			continue
		}
		i++
		switch template[i] {
		case 'd', 'h', 'p', 'D':
			line.WriteString(argument(template[i], subject, true))
		case 'm', 'H', 'r', 'R':
			line.WriteString(argument(asSubject(template[i]), main, hasMain))
		case 'M':
			line.WriteString(oldMain.String())
		case 'P':
			line.WriteString("-1")
		case 'N', 'S':
			line.WriteString(`""`)
		case '%':
			line.WriteByte('%')
		}
	}
	return line.String()
}

func mainNode(v *View) (Node, bool) {
	id, ok := v.Main()
	if !ok {
		return Node{}, false
	}
	return v.Node(id)
}

// asSubject turns a letter for the new main node into the one that asks the same of
// the node that changed.
func asSubject(letter byte) byte {
	switch letter {
	case 'm':
		return 'd'
	case 'H':
		return 'h'
	case 'r':
		return 'p'
	}
	return 'D'
}

// argument is a property of a node. An empty one is written as two double quotes
// too, or the arguments after it would move up.
func argument(letter byte, n Node, exists bool) string {
	text := ""
	switch {
	case !exists && letter == 'd':
		return "-1"
	case !exists:
	case letter == 'd':
		text = n.ID.String()
	case letter == 'h':
		text = n.Host
	case letter == 'p':
		text = strconv.Itoa(n.Port)
	case letter == 'D':
		text = n.DataDirectory
	}
	if text == "" {
		return `""`
	}
	return text
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
