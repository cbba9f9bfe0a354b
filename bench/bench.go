package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

const (
	// preparePatience bounds building pgchorus, making the nodes and filling them.
	preparePatience = 10 * time.Minute
	// serverPackage is what is built and measured.
	serverPackage = "github.com/pgchorus/pgchorus/cmd/pgchorus"
)

// bench is one whole run. It is for one goroutine.
type bench struct {
	opts options
	out  io.Writer // tells how far we are

	cluster       *localpg.Cluster
	serverProgram string
	targets       []*target
	ends          []func() error // undo what was done, in reverse

	result result
}

// run measures everything. Whatever it started has ended when it returns.
func (b *bench) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, b.cleanUp()) }()
	for _, step := range []func(context.Context) error{b.prepare, b.measureMemory, b.measure, b.compare} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	b.result.Machine.LoadAfter = loadAverage()
	return nil
}

// atEnd remembers what cleanUp has to do.
func (b *bench) atEnd(do func() error) { b.ends = append(b.ends, do) }

func (b *bench) cleanUp() error {
	var errs []error
	for i := len(b.ends) - 1; i >= 0; i-- {
		errs = append(errs, b.ends[i]())
	}
	return errors.Join(errs...)
}

// prepare starts servers and proxies.
func (b *bench) prepare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, preparePatience)
	defer stop()
	b.tell("starting %d PostgreSQL nodes", nodeCount)
	for _, step := range []func(context.Context) error{b.startNodes, b.provideServer, b.makeTargets} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	b.result.Versions = versions(ctx, b)
	b.tell("filling a database for each of %d targets", len(b.targets))
	if err := errors.Join(b.writeScripts(), b.fill(ctx)); err != nil {
		return err
	}
	return b.startProxies(ctx)
}

func (b *bench) startNodes(ctx context.Context) (err error) {
	b.cluster, err = localpg.Create(ctx, localpg.Options{Nodes: nodeCount, Superuser: superuser, Settings: serverSettings(b.opts.fsync)})
	if err != nil {
		return err
	}
	b.atEnd(b.cluster.Close)
	return b.cluster.Start(ctx)
}

// provideServer puts the program to measure into the cluster's folder, which the
// servers' user can read; not so a folder below /root.
func (b *bench) provideServer(ctx context.Context) error {
	b.serverProgram = filepath.Join(b.cluster.Dir, "pgchorus-server")
	if b.opts.server != "" {
		return copyProgram(b.opts.server, b.serverProgram)
	}
	b.tell("building %s", serverPackage)
	build := exec.CommandContext(ctx, "go", "build", "-o", b.serverProgram, serverPackage)
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", serverPackage, err, said)
	}
	return nil
}

func copyProgram(from, to string) error {
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, program, 0o755)
}

func (b *bench) makeTargets(context.Context) error {
	for _, name := range b.opts.targets {
		t, err := b.makeTarget(name)
		if err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
		b.targets = append(b.targets, t)
	}
	return nil
}

func (b *bench) startProxies(ctx context.Context) error {
	for _, t := range b.targets {
		if t.proxy == nil {
			continue
		}
		b.atEnd(t.proxy.stop)
		if err := t.proxy.start(ctx, b.cluster); err != nil {
			return err
		}
	}
	return nil
}

// makeDir makes a folder that the servers' user may write into.
func (b *bench) makeDir(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	info, err := os.Stat(b.cluster.Dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

// writeFile writes a file that the servers' user may read.
func (b *bench) writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }

// tell says how far we are.
func (b *bench) tell(format string, values ...any) { fmt.Fprintf(b.out, format+"\n", values...) }

// client runs one of PostgreSQL's client programs and returns what it said, also on an
// error. It ends with ctx.
func (b *bench) client(ctx context.Context, program string, port int, database string, args ...string) (string, error) {
	args = append(args, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-U", superuser, database)
	cmd := b.cluster.Command(ctx, program, args...)
	// No question about encryption first: not every target has the same answer.
	cmd.Env = append(cmd.Env, "PGSSLMODE=disable", "PGGSSENCMODE=disable")
	said, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%s did not end in time: %w", program, context.Cause(ctx))
	case err != nil && firstFault(string(said)) != "":
		err = errors.New(firstFault(string(said))) // it begins with the program's name
	case err != nil:
		err = fmt.Errorf("%s: %w", program, err)
	}
	return string(said), err
}
