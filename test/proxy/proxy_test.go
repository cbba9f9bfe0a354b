package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

func TestProxy(t *testing.T) {
	nodes := pgtest.Start(t, 2)
	shared := proxy.Start(t, nodes, proxy.WithFile("note", "x"), proxy.WithConfig("num_init_children = 7"))
	shared.Exec("CREATE DATABASE app")

	t.Run("writes reach every node", func(t *testing.T) {
		conn := shared.In(t).Connect("app")
		if _, err := conn.Exec(t.Context(), "CREATE TABLE t(a int); INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		pgtest.WantEqual(t, nodes[0].In(t), nodes[1].In(t))
	})
	t.Run("configuration replaces the default", func(t *testing.T) {
		if rows := shared.In(t).Query("PGPOOL SHOW num_init_children"); rows[0][0] != "7" {
			t.Errorf("num_init_children: %v", rows)
		}
	})
	t.Run("nodes are detached and attached", func(t *testing.T) {
		p := shared.In(t)
		if err := p.Node("detach", 1); err != nil {
			t.Fatal(err)
		}
		p.WaitNodeStatus(1, "down")
		if err := p.Node("attach", 1); err != nil {
			t.Fatal(err)
		}
		p.WaitNodeStatus(1, "up")
		if err := p.Node("detach", 9); err == nil {
			t.Error("detaching a node that is not there: no error")
		}
	})
	t.Run("restarts and kills keep port and log", func(t *testing.T) {
		p := shared.In(t)
		before := p.PID()
		p.Restart()
		p.Kill()
		if p.Alive() {
			t.Fatal("alive after Kill")
		}
		p.Restart()
		if p.PID() == before || p.RSS() < 1<<20 || p.Log() == "" {
			t.Errorf("pid %d (before %d), %d bytes, log %q", p.PID(), before, p.RSS(), p.Log())
		}
		p.Query("SELECT 1")
	})
	t.Run("stops in every mode", func(t *testing.T) {
		p := shared.In(t)
		for _, mode := range []string{"smart", "fast", "immediate"} {
			p.Stop(mode)
			p.Restart()
		}
	})
}

func TestServerEndsWithAKilledTestProcess(t *testing.T) {
	pgtest.Start(t, 1) // leaves this test out where there are to be no servers
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), helperVariable+"=1")
	program.Stderr = os.Stderr
	if _, err := program.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	pid, err := serverOf(bufio.NewScanner(stdout))
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait() // says that it was killed

	for end := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil && !zombie(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d still runs", pid)
		}
	}
}

// zombie tells a process that ended but whom nobody waited for yet, because the one
// that inherited it is slow.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func serverOf(lines *bufio.Scanner) (pid int, err error) {
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "server %d", &pid); err == nil {
			return pid, nil
		}
	}
	return 0, errors.Join(errors.New("the program did not start a server"), lines.Err())
}
