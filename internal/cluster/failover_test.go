package cluster

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/pgchorus/pgchorus/internal/config"
)

func TestExpand(t *testing.T) {
	nodes := []Node{
		{ID: 0, Host: "alpha", Port: 5432, DataDirectory: "/data/0", Status: Up},
		{ID: 1, Host: "/tmp", Port: 5433, DataDirectory: "", Status: Up},
		{ID: 2, Host: "gamma", Port: 5434, DataDirectory: "/data/2", Status: Up},
	}
	all := NewView(1, nodes)
	without := func(id config.NodeID) *View {
		n := nodes[id]
		n.Status = Down
		return all.with(n)
	}
	withPrimary := func(v *View, id config.NodeID) *View { return NewPrimaryView(v.Epoch, v.Nodes, id) }
	none := NewView(0, []Node{{ID: 0, Host: "alpha", Port: 5432, Status: Down}})
	tests := []struct {
		name     string
		template string
		node     config.NodeID
		old, new *View
		want     string
	}{
		{"the node that went", "%d %h %p %D", 2, all, without(2), "2 gamma 5434 /data/2"},
		{"the new main node", "%m %H %r %R", 0, all, without(0), `1 /tmp 5433 ""`},
		{"the old main node", "%M", 0, all, without(0), "0"},
		{"the node that came", "%d %m %M", 0, without(0), all, "0 0 1"},
		{"no primary in these modes", "%P %N %S", 1, all, without(1), `-1 "" ""`},
		{"no main node", "%m %H %r %R %M", 0, none, none, `-1 "" "" "" -1`},
		{"no data directory", "%D", 1, all, without(1), `""`},
		{"the primary went", "%d %m %H %M %P %N %S", 2, withPrimary(all, 2), withPrimary(without(2), -1), "2 0 alpha 0 2 gamma 5434"},
		{"a standby went", "%d %m %H %M %P %N %S", 0, withPrimary(all, 2), withPrimary(without(0), 2), "0 1 /tmp 0 2 gamma 5434"},
		{"percent sign", "100%% of %d", 1, all, without(1), "100% of 1"},
		{"unknown letter", "a%xb", 1, all, without(1), "ab"},
		{"percent sign at the end", "%d %", 1, all, without(1), "1 %"},
		{"nothing to replace", "/usr/bin/true", 1, all, without(1), "/usr/bin/true"},
		{"within a word", "--node=%d", 2, all, without(2), "--node=2"},
		{"as in Pgpool-II's sample", "/etc/failover.sh %d %h %p %D %m %H %M %P %r %R %N %S", 0, all, without(0), `/etc/failover.sh 0 alpha 5432 /data/0 1 /tmp 0 -1 5433 "" "" ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := expand(tt.template, tt.node, tt.old, tt.new); got != tt.want {
				t.Errorf("expand(%q) = %q, want %q", tt.template, got, tt.want)
			}
		})
	}
}

func TestExpandFollow(t *testing.T) {
	before := parseView(t, "0 down, 1 up, 2 down; primary -1; lost 0")
	after := parseView(t, "0 down, 1 up, 2 down; primary 1")
	for i := range before.Nodes {
		before.Nodes[i].Host, before.Nodes[i].Port = "old", 5432
		after.Nodes[i].Host, after.Nodes[i].Port = "new", 5433
	}
	got := expandFollow("%d %h %p %D %m %H %M %P %r %R %N %S", 2, before, after)
	if want := `2 new 5433 "" 1 new 0 0 5433 "" old 5432`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRunShell(t *testing.T) {
	tests := []struct {
		name   string
		line   string
		output string
		err    string
	}{
		{"both outputs", "echo out; echo err >&2", "out\nerr\n", ""},
		{"exit status", "echo before; exit 3", "before\n", "exit status 3"},
		{"quotes are the shell's", `printf '%s|' "" "a b"`, "|a b|", ""},
		{"long output is cut", "yes | head -c 100000", strings.Repeat("y\n", maxCommandOutput/2), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			output, err := runShell(t.Context(), tt.line)
			if string(output) != tt.output {
				t.Errorf("output %.100q, want %.100q", output, tt.output)
			}
			if got := errorText(err); got != tt.err {
				t.Errorf("error %q, want %q", got, tt.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestRunShellEndsWithItsContext: what the shell has started ends with it, or its
// output would be waited for.
func TestRunShellEndsWithItsContext(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	if err := mkfifo(started); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := runShell(ctx, "sleep 1000 & echo > "+started+"; wait")
		result <- err
	}()
	readFile(t, started) // waits for the command to write
	cancel()
	select {
	case err := <-result:
		if err == nil {
			t.Error("a command that was ended ended well")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the command goes on")
	}
}

// commandsOf runs a manager outside of a bubble, since a command takes real time,
// and returns what the commands wrote into a file, a line each.
func commandsOf(t *testing.T, cfg Config, lines int, change func(t *testing.T, w *world)) []string {
	t.Helper()
	folder := t.TempDir()
	fifo := filepath.Join(folder, "fifo")
	if err := mkfifo(fifo); err != nil {
		t.Fatal(err)
	}
	cfg.FailoverCommand = strings.ReplaceAll(cfg.FailoverCommand, "FIFO", fifo)
	cfg.FailbackCommand = strings.ReplaceAll(cfg.FailbackCommand, "FIFO", fifo)
	cfg.FollowPrimaryCommand = strings.ReplaceAll(cfg.FollowPrimaryCommand, "FIFO", fifo)
	w := newManager(nil, cfg)
	if err := w.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go w.Run(ctx) //nolint:errcheck
	change(t, w)
	got := readLines(t, fifo, lines)
	cancel()
	<-w.ended
	return got
}

// readLines keeps the pipe open for writing too, so that it does not end between one
// command and the next.
func readLines(t *testing.T, fifo string, count int) []string {
	t.Helper()
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	lines := bufio.NewScanner(pipe)
	var got []string
	for len(got) < count && lines.Scan() {
		got = append(got, lines.Text())
	}
	return got
}

func TestCommandsRunInTheOrderOfTheChanges(t *testing.T) {
	cfg := threeNodes()
	cfg.FailoverCommand = "echo failover %d, main %M to %m > FIFO"
	cfg.FailbackCommand = "echo failback %d, main %M to %m > FIFO"
	got := commandsOf(t, cfg, 3, func(t *testing.T, w *world) {
		if _, err := w.Fence(t.Context(), 0, "COMMIT refused"); err != nil {
			t.Error(err)
		}
		if err := w.Detach(t.Context(), 2); err != nil {
			t.Error(err)
		}
		if err := w.Attach(t.Context(), 0); err != nil {
			t.Error(err)
		}
	})
	want := []string{"failover 0, main 0 to 1", "failover 2, main 1 to 1", "failback 0, main 1 to 0"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("command %d wrote %q, want %q", i, got[i], want[i])
		}
	}
}

func TestNewPrimaryIsFollowed(t *testing.T) {
	cfg := threeNodes()
	cfg.HasPrimary = true
	cfg.FailoverCommand = "echo failover %d, primary %P, promote %m > FIFO"
	cfg.FollowPrimaryCommand = "echo follow %d, primary %P to %m > FIFO"
	got := commandsOf(t, cfg, 3, func(t *testing.T, w *world) {
		if _, err := w.SetPrimary(t.Context(), 0, "it is not in recovery"); err != nil {
			t.Error(err)
		}
		if err := w.Detach(t.Context(), 0); err != nil {
			t.Error(err)
		}
		v, err := w.SetPrimary(t.Context(), 1, "it is not in recovery")
		if err != nil || v.text() != "0 down, 1 waiting, 2 down; primary 1 @4" {
			t.Errorf("view %q, %v", v.text(), err)
		}
	})
	want := []string{"failover 0, primary 0, promote 1", "follow 0, primary 0 to 1", "follow 2, primary 0 to 1"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("command %d wrote %q, want %q", i, got[i], want[i])
		}
	}
}

// TestSlowCommandHoldsUpNothing: the first command is still waiting for somebody to
// read its pipe when the view has changed twice.
func TestSlowCommandHoldsUpNothing(t *testing.T) {
	cfg := threeNodes()
	cfg.FailoverCommand = "echo %d > FIFO"
	got := commandsOf(t, cfg, 2, func(t *testing.T, w *world) {
		for _, id := range []config.NodeID{2, 1} {
			if err := w.Detach(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		if got := w.View().text(); got != "0 waiting, 1 down, 2 down @3" {
			t.Errorf("view %q while the first command is still running", got)
		}
	})
	if got[0] != "2" || got[1] != "1" {
		t.Errorf("commands wrote %q", got)
	}
}

func TestCommandIsLoggedWithItsOutcome(t *testing.T) {
	tests := []struct {
		name  string
		line  string
		limit time.Duration
		out   string
		log   string
	}{
		{"ends well", "echo moved", time.Minute, "moved\n", "command ended"},
		{"ends with an error", "echo moved; exit 1", time.Minute, "moved\n", "command ended with an error"},
		{"takes too long", "exec sleep 1000", time.Millisecond, "", "command took too long and was ended"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := threeNodes()
			cfg.CommandTimeout = tt.limit
			w := newManager(nil, cfg)
			w.runCommand(t.Context(), command{name: "failover_command", line: tt.line, node: 1})
			wantCommandLog(t, w.logs, tt.line, tt.out, tt.log)
		})
	}
}

func wantCommandLog(t *testing.T, logs *observer.ObservedLogs, line, output, outcome string) {
	t.Helper()
	if logs.FilterMessage("execute command").FilterField(zap.String("command", line)).Len() != 1 {
		t.Errorf("the command itself is not in the log: %v", logs.All())
	}
	entries := logs.FilterMessage(outcome).All()
	if len(entries) != 1 || entries[0].ContextMap()["output"] != output {
		t.Errorf("log %v, want %q with output %q", logs.All(), outcome, output)
	}
}

func TestCommandsBeyondTheBoundAreRefusedAloud(t *testing.T) {
	cfg := threeNodes()
	cfg.FailoverCommand = "true"
	w := newManager(nil, cfg)
	v := parseView(t, "0 up, 1 down")
	for range maxCommands + 1 {
		w.enqueue("failover_command", "true", 1, v, v)
	}
	if n := w.logs.FilterMessage("too many commands are waiting, this one is not run").Len(); n != 1 {
		t.Errorf("%d complaints, want 1", n)
	}
}

func TestCommandsThatAreLeftAtTheEndAreCounted(t *testing.T) {
	w := newManager(nil, threeNodes())
	v := parseView(t, "0 up, 1 down")
	w.enqueue("failover_command", "true", 1, v, v)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopping"))
	// Either the end or the command may be seen first; none may be lost unsaid.
	w.runCommands(ctx)
	if w.logs.FilterMessage("stopped before all commands were run").Len()+w.logs.FilterMessage("execute command").Len() != 1 {
		t.Errorf("log %v", w.logs.All())
	}
}
