package demo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// scale is pgbench's: 100,000 accounts each, enough for writes to meet now and
	// then and little enough to be made in seconds.
	scale   = 5
	clients = 8
	threads = 2
	// fillPatience bounds pgbench -i.
	fillPatience = 5 * time.Minute
	// loadPatience is how much longer than asked for pgbench may take.
	loadPatience = time.Minute
	// pgbenchPatience is how long an interrupted pgbench may take to end.
	pgbenchPatience = 5 * time.Second
	// maxLines bounds what is kept of pgbench's words that are not progress.
	maxLines = 200
)

// pgbenchCommand runs as the servers' user, in the folder that the watcher clears.
func pgbenchCommand(cluster *localpg.Cluster, port int, args ...string) (*exec.Cmd, error) {
	args = append(args, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", superuser, database)
	cmd := cluster.Command(context.Background(), "pgbench", args...) // spawn and stop see to its end
	if _, err := os.Stat(cmd.Path); err == nil {
		return cmd, nil
	}
	// Other distributions have it among the client programs.
	path, err := exec.LookPath("pgbench")
	if err != nil {
		return nil, fmt.Errorf("pgbench was not found in %s: install it, on Debian and Ubuntu with `apt-get install postgresql-contrib`", filepath.Dir(cmd.Path))
	}
	cmd.Path, cmd.Err = path, nil
	return cmd, nil
}

// fill makes pgbench's tables through pgchorus.
func (s *story) fill(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, fillPatience)
	defer stop()
	s.out.line("Filling database %s through pgchorus: pgbench -i -s %d", database, scale)
	cmd, err := pgbenchCommand(s.cluster, s.port.number, "-i", "-s", strconv.Itoa(scale), "--quiet")
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	p, err := spawn(cmd)
	if err != nil {
		return fmt.Errorf("start pgbench: %w", err)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("pgbench -i: %w", context.Cause(ctx)), p.stop(syscall.SIGINT, pgbenchPatience))
	}
	if p.err != nil {
		s.out.log("pgbench said:", said.String())
		return fmt.Errorf("pgbench -i: %w", p.err)
	}
	s.out.line("  %s", lastLine(said.String()))
	return nil
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// load runs pgbench and kills a node in the middle.
func (s *story) load(ctx context.Context) error {
	seconds := int(s.opts.Load.Seconds())
	ctx, stop := context.WithTimeout(ctx, s.opts.Load+loadPatience)
	defer stop()
	s.out.blank()
	s.out.line("Load through pgchorus for %d s: pgbench -c %d -j %d (each transaction: 3 UPDATEs, 1 SELECT, 1 INSERT)", seconds, clients, threads)
	cmd, err := pgbenchCommand(s.cluster, s.port.number,
		"-c", strconv.Itoa(clients), "-j", strconv.Itoa(threads), "-T", strconv.Itoa(seconds), "-P", "1")
	if err != nil {
		return err
	}
	said, err := s.follow(ctx, cmd)
	if err != nil {
		return err
	}
	return s.judge(ctx, said)
}

// follow runs pgbench, shows its progress as it comes, and kills the node when half of
// the time is over. It returns everything else that pgbench said.
func (s *story) follow(ctx context.Context, cmd *exec.Cmd) (said []string, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	p, err := spawn(cmd)
	write.Close() // the child has its own copy
	if err != nil {
		return nil, fmt.Errorf("start pgbench: %w", err)
	}
	// When ctx ends, pgbench does, and with it what we read.
	unhook := context.AfterFunc(ctx, func() { _ = p.stop(syscall.SIGINT, pgbenchPatience) })
	defer unhook()

	said, err = s.hear(ctx, read)
	if err != nil {
		return nil, errors.Join(err, p.stop(syscall.SIGINT, pgbenchPatience))
	}
	<-p.done
	if ctx.Err() != nil {
		return nil, fmt.Errorf("pgbench did not end in time: %w", context.Cause(ctx))
	}
	return said, nil
}

// hear reads what pgbench says until it ends.
func (s *story) hear(ctx context.Context, r io.Reader) (said []string, err error) {
	killed := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		at, ok := progress(lines.Text())
		if !ok {
			if len(said) < maxLines {
				said = append(said, lines.Text())
			}
			continue
		}
		s.out.line("  %s", lines.Text())
		if !killed && at >= s.opts.Load/2 && ctx.Err() == nil {
			killed = true
			if err := s.kill(ctx); err != nil {
				return said, err
			}
		}
	}
	if !killed && ctx.Err() == nil {
		s.out.log("pgbench said:", strings.Join(said, "\n"))
		return said, errors.New("pgbench ended before the node was killed")
	}
	return said, nil
}

// judge compares what pgbench said with what is promised.
func (s *story) judge(ctx context.Context, said []string) error {
	r := parseResult(said)
	faults := len(s.faults)
	if r.failed > 0 {
		s.fault("%d transactions failed", r.failed)
	}
	if r.aborted > 0 {
		s.fault("%d of %d clients were aborted", r.aborted, clients)
	}
	if !r.complete {
		s.fault("pgbench did not report its transactions")
	}
	if len(s.faults) > faults {
		s.out.log("pgbench said:", strings.Join(said, "\n"))
		return nil
	}
	s.out.line("pgbench: %d transactions, 0 failed, 0 clients aborted, %s", r.processed, r.rate)
	return s.wantHistory(ctx, r.processed)
}

// wantHistory looks whether every transaction that pgbench was told of is there: each
// leaves one row.
func (s *story) wantHistory(ctx context.Context, processed int) error {
	rows, err := s.server.ask(ctx, database, "SELECT count(*) FROM pgbench_history")
	if err != nil {
		return fmt.Errorf("count the transactions: %w", err)
	}
	row, err := theRow(rows)
	if err != nil {
		return fmt.Errorf("count the transactions: %w", err)
	}
	if row[0] != strconv.Itoa(processed) {
		s.fault("pgbench counts %d transactions, pgbench_history %s", processed, row[0])
		return nil
	}
	s.out.line("pgbench_history has %d rows: each transaction is there, and there once.", processed)
	return nil
}
