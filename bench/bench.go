package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

	cluster        *localpg.Cluster // servers that are strangers to each other; its folder is everybody's
	serverProgram  string
	inspectProgram string            // the same with a door for our questions; empty where there is none
	peers          map[string]string // program files of PgBouncer, Pgpool-II and memcached
	ends           ends
	profiles       string // how the names of the profiles begin

	result result
}

// run measures everything. Whatever it started has ended when it returns.
func (b *bench) run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, b.ends.run()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for _, u := range setups() {
		if own := b.scenariosOf(u); own != nil {
			if err := b.play(ctx, u, own); err != nil {
				return err
			}
		}
	}
	if b.opts.wantsIdle() {
		if err := b.measureIdle(ctx); err != nil {
			return err
		}
	}
	b.result.Machine.LoadAfter = loadAverage()
	return nil
}

// scenariosOf are the chosen scenarios of a setup, nil where there are none or nobody to
// do them.
func (b *bench) scenariosOf(u setup) []scenario {
	if u.named && b.opts.scenario.String() == "" {
		return nil
	}
	if len(u.chosen(b.opts.targets)) == 0 {
		return nil
	}
	return scenariosOf(u, b.opts.scenario, b.opts.clients)
}

// prepare starts the servers and sees to programs and data.
func (b *bench) prepare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, preparePatience)
	defer stop()
	for _, step := range []func(context.Context) error{b.findPeers, b.startNodes, b.providePrograms} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	b.result.Versions = versions(ctx, b)
	return errors.Join(b.makeDir(filepath.Join(b.cluster.Dir, latencyDir)), b.writeScripts(), b.fillTemplates(ctx))
}

// findPeers looks for the programs of others that are asked for.
func (b *bench) findPeers(context.Context) error {
	b.peers = map[string]string{}
	for name, debianPackage := range map[string]string{pgbouncer: "pgbouncer", pgpool: "pgpool2", memcachedProgram: memcachedProgram} {
		if !b.wants(name) {
			continue
		}
		program, err := findProgram(name, debianPackage)
		if err != nil {
			return err
		}
		b.peers[name] = program
	}
	return nil
}

// wants tells whether a program of others has a part in what is measured.
func (b *bench) wants(name string) bool {
	if name != memcachedProgram {
		return slices.Contains(b.opts.targets, name)
	}
	return slices.ContainsFunc(setups(), func(u setup) bool { return u.memcached && b.scenariosOf(u) != nil })
}

// nodesWanted is the most servers that a chosen setup has, streaming ones not counted:
// those are made with the setup.
func (b *bench) nodesWanted() int {
	most := 1
	for _, u := range setups() {
		if u.mode != streaming && b.scenariosOf(u) != nil {
			most = max(most, u.nodes)
		}
	}
	return most
}

func (b *bench) startNodes(ctx context.Context) (err error) {
	b.tell("starting %d PostgreSQL nodes", b.nodesWanted())
	b.cluster, err = localpg.Create(ctx, localpg.Options{Nodes: b.nodesWanted(), Superuser: superuser, Settings: b.serverSettings()})
	if err != nil {
		return err
	}
	b.ends.add(b.cluster.Close)
	return b.cluster.Start(ctx)
}

// providePrograms puts the programs to measure into the cluster's folder, which the
// servers' user can read; not so a folder below /root.
func (b *bench) providePrograms(ctx context.Context) error {
	b.serverProgram = filepath.Join(b.cluster.Dir, "pgchorus-server")
	if b.opts.server != "" {
		return copyProgram(b.opts.server, b.serverProgram)
	}
	b.tell("building %s", serverPackage)
	if err := build(ctx, b.serverProgram); err != nil {
		return err
	}
	b.inspectProgram = filepath.Join(b.cluster.Dir, "pgchorus-inspect")
	return build(ctx, b.inspectProgram, "-tags", inspectTag)
}

func build(ctx context.Context, program string, args ...string) error {
	args = append(append([]string{"build"}, args...), "-o", program, serverPackage)
	if said, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, said)
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
