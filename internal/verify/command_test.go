package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/internal/verify"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// command is `pgchorus verify` for the server's configuration. The executable is found
// through the running server, and outlives it.
func command(t *testing.T, p *proxy.Proxy, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), executable(p), append([]string{"verify", "-f", p.ConfigFile}, args...)...)
	return cmd
}

func executable(p *proxy.Proxy) string { return fmt.Sprintf("/proc/%d/exe", p.PID()) }

// verifyCommand runs it and returns what it printed and its exit code.
func verifyCommand(t *testing.T, p *proxy.Proxy, args ...string) (stdout string, code int) {
	t.Helper()
	out, err := command(t, p, args...).Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(out) + string(exit.Stderr), exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return string(out), 0
}

// wantCommand fails the test unless the command ends with code and says all that.
func wantCommand(t *testing.T, p *proxy.Proxy, code int, said []string, args ...string) {
	t.Helper()
	out, got := verifyCommand(t, p, args...)
	if got != code {
		t.Errorf("verify %q ends with %d, want %d:\n%s", args, got, code, out)
	}
	for _, want := range said {
		if !strings.Contains(out, want) {
			t.Errorf("verify %q: said\n%s\nwant %q in it", args, out, want)
		}
	}
}

func TestNodesAreEqualAtACommonPointWhileWritersRun(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 3)
	p := proxy.Start(t, nodes)
	p.Exec("CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL); INSERT INTO account SELECT i, 100 FROM generate_series(0, 399) i")
	p.Exec("CREATE TABLE entry (writer int, number int, note text, PRIMARY KEY (writer, number))")
	ctx, stop := context.WithCancel(t.Context())
	written := make(chan struct{}) // one for each transaction
	const writers = 4
	ended := make(chan error, writers)
	changer, changed := p.Connect(pgtest.Database), make(chan error, 1)
	for n := range writers {
		conn := p.Connect(pgtest.Database)
		go func() { ended <- write(ctx, conn, n, written) }()
	}
	go func() { changed <- change(ctx, changer) }()
	for round := range 4 {
		for range 20 {
			select {
			case <-written:
			case err := <-ended:
				t.Fatalf("a writer has ended: %v", err)
			}
		}
		out, code := verifyCommand(t, p, "--json", "--jobs", strconv.Itoa(1+round%2))
		var report verify.Report
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&report); err != nil {
			t.Fatalf("not JSON: %v:\n%s", err, out)
		}
		if code != 0 || report.Result != verify.Equal || !report.Held || len(report.Nodes) != 3 {
			t.Errorf("verify with writers ends with %d:\n%s", code, out)
		}
	}
	stop()
	for range writers {
		if err := <-ended; err != nil {
			t.Errorf("writer: %v", err)
		}
	}
	if err := <-changed; err != nil {
		t.Errorf("DDL: %v", err)
	}
	wantCommand(t, p, 0, []string{"equal: nodes 0, 1, 2"})
}

// change makes and alters tables until ctx ends. It drops none: a table that is dropped
// over and over is sometimes not compared, which is said then.
func change(ctx context.Context, conn *pgx.Conn) error {
	for n := 0; ctx.Err() == nil && n < 50; n++ {
		for _, sql := range []string{"CREATE TABLE new%d (a int PRIMARY KEY, b text)", "INSERT INTO new%d VALUES (1, 'x')",
			"ALTER TABLE new%d ADD c int DEFAULT 5", "CREATE INDEX ON new%d (b)", "UPDATE new%d SET c = a"} {
			if _, err := conn.Exec(context.WithoutCancel(ctx), fmt.Sprintf(sql, n)); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
	}
	return nil
}

// write moves money between accounts of its own and notes it, until ctx ends.
func write(ctx context.Context, conn *pgx.Conn, writer int, written chan<- struct{}) error {
	for number := 0; ctx.Err() == nil; number++ {
		from, to := writer*100+number%100, writer*100+(number+7)%100
		err := pgx.BeginFunc(context.WithoutCancel(ctx), conn, func(tx pgx.Tx) error {
			_, err := tx.Exec(context.WithoutCancel(ctx), fmt.Sprintf(`UPDATE account SET balance = balance - 1 WHERE id = %d;
				UPDATE account SET balance = balance + 1 WHERE id = %d; INSERT INTO entry VALUES (%d, %d, 'moved')`, from, to, writer, number))
			return err
		})
		if err != nil {
			return err
		}
		select {
		case written <- struct{}{}:
		default: // nobody counts now
		}
	}
	return nil
}

func TestVerifyCommand(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	p := proxy.Start(t, nodes)
	wantCommand(t, p, 0, []string{"equal: nodes 0, 1, 2, 2 databases", "commits were held"})
	wantCommand(t, p, 0, []string{"1 databases, 1 tables, 4 rows"}, "--database", "postgres", "--table", "public.keyless")
	wantCommand(t, p, 0, []string{"equal: "}, "--quick", "--jobs", "3", "--user", "postgres")

	nodes[1].Exec("UPDATE shop.item SET note = 'z' WHERE id = 7")
	wantCommand(t, p, 1, []string{"table shop.item: (id)=(7): changed on node 1 in note", "the nodes differ"})
	wantCommand(t, p, 0, []string{"equal: "}, "--quick")
	wantCommand(t, p, 0, []string{"equal: ", "(repaired)", "1 rows repaired"}, "--repair")
	wantCommand(t, p, 0, []string{"equal: "})

	wantCommand(t, p, 2, []string{"not checked", "permission denied"}, "--user", "reader")
	wantCommand(t, p, 2, []string{"role \"nobody\" does not exist", "node 0"}, "--user", "nobody", "--database", "nothing")

	if err := p.Node("detach", 2); err != nil {
		t.Fatal(err)
	}
	nodes[2].Exec("DELETE FROM shop.item")
	wantCommand(t, p, 0, []string{"equal: nodes 0, 1, 2 databases"})
}

func TestVerifyWithoutAServer(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 2)
	server := proxy.Start(t, nodes)
	other := proxy.Start(t, nodes) // its control socket is not the other's
	file := server.ConfigFile
	server.Stop("fast")
	out, err := exec.CommandContext(t.Context(), executable(other), "verify", "-f", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "so no commits are held") || !strings.Contains(string(out), "equal: nodes 0, 1") {
		t.Errorf("verify without a server: %v\n%s", err, out)
	}
}

func TestVerifyInOtherModes(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 2)
	p := proxy.Start(t, nodes, proxy.WithConfig("backend_clustering_mode = raw"))
	wantCommand(t, p, 2, []string{"not replicas of each other"})
}

func TestKillingTheCommandHalfwayLeavesNothing(t *testing.T) {
	t.Parallel()
	nodes := startEqual(t, 3)
	p := proxy.Start(t, nodes)
	locker := nodes[1].Connect()
	if _, err := locker.Exec(t.Context(), "BEGIN; LOCK TABLE shop.item"); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, p)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	nodes[1].WaitRows("SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgchorus verify' AND wait_event_type = 'Lock'", "t")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	wantNothingLeft(t, nodes...)
	p.Exec("CREATE TABLE written (x int)") // nothing is held either
}
