package localpg_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgchorus/pgchorus/internal/localpg"
)

// patience ends a test that hangs.
const patience = 60 * time.Second

// occupy keeps a backend busy with a loop in which it looks for nothing, also
// not whether its postmaster lives.
func occupy(ctx context.Context, node *localpg.Node) {
	conn, err := pgconn.Connect(ctx, node.DSN("postgres"))
	if err != nil {
		return
	}
	_ = conn.Exec(ctx, "DO $$BEGIN LOOP END LOOP; END$$").Close()
}

func TestNothingOutlastsAKilledProgram(t *testing.T) {
	t.Parallel()
	needServers(t)
	for _, state := range []string{"idle", "busy", "paused"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			program := exec.Command(os.Args[0])
			program.Env = append(os.Environ(), helperVariable+"="+state)
			program.Stderr = os.Stderr
			dir, dsn := startHelper(t, program)
			if state == "busy" {
				waitBusy(t, dsn)
			}
			if len(workingIn(dir)) == 0 {
				t.Fatal("no server works in the folder: the test would prove nothing")
			}

			if err := program.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = program.Wait() // says that it was killed

			eventually(t, func() string {
				if pids := workingIn(dir); len(pids) > 0 {
					return fmt.Sprint("still running: ", pids)
				}
				if _, err := os.Stat(dir); err == nil {
					return "still there: " + dir
				}
				return ""
			})
		})
	}
}

// startHelper returns the folder and the address of the node that it has started.
func startHelper(t *testing.T, program *exec.Cmd) (dir, dsn string) {
	t.Helper()
	stdin, err := program.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	stdout, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the program did not start a node: %v", err)
	}
	dir, dsn, _ = strings.Cut(strings.TrimSpace(line), " ")
	return dir, dsn
}

// waitBusy waits for the backend of occupy.
func waitBusy(t *testing.T, dsn string) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	eventually(t, func() string {
		answer := conn.ExecParams(t.Context(), "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO%' AND state = 'active'", nil, nil, nil, nil).Read()
		if answer.Err != nil || len(answer.Rows) == 0 {
			return fmt.Sprint("no backend is busy: ", answer.Err)
		}
		return ""
	})
}

// workingIn lists the processes whose working directory is dir or below it.
func workingIn(dir string) []string {
	var found []string
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd+"/", dir+"/") {
			found = append(found, filepath.Base(filepath.Dir(link)))
		}
	}
	return found
}

// eventually calls problem until it names none.
func eventually(t *testing.T, problem func() string) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		what := problem()
		if what == "" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("after %s: %s", patience, what)
		case <-tick.C:
		}
	}
}
