package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// openPatience bounds making the databases of a setup and starting its proxies.
const openPatience = 5 * time.Minute

// stage is a setup that is up: its servers with a database for each target, and its
// proxies. It is for one goroutine.
type stage struct {
	setup
	b         *bench
	scenarios []scenario
	nodes     []*localpg.Node
	targets   []*target
	ends      ends
}

// play measures all scenarios of one setup. What goes wrong with the setup itself is
// noted, and the others have their turn; what is returned ends the whole run.
func (b *bench) play(ctx context.Context, u setup, all []scenario) error {
	st := &stage{setup: u, b: b, scenarios: all}
	err := st.run(ctx)
	err = errors.Join(err, st.ends.run())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		b.tell("setup %q: %v", u.name, err)
		b.result.Faults = append(b.result.Faults, fault{Text: fmt.Sprintf("setup %q: %v", u.name, err)})
	}
	return nil
}

// fault notes what went wrong beside the runs of a target, which the other figures do not
// suffer from.
func (st *stage) fault(target, doing string, err error) {
	st.b.tell("%s %s: %v", doing, target, err)
	st.b.result.Faults = append(st.b.result.Faults, fault{target, fmt.Sprintf("%s %s: %v", doing, target, err)})
}

func (st *stage) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{st.open, st.measureMemory, st.measure, st.look, st.profile, st.compare} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// open makes databases and starts proxies.
func (st *stage) open(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, openPatience)
	defer stop()
	if err := os.Mkdir(st.dir(), 0o755); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{st.provideNodes, st.makeTargets, st.fill, st.provideStandbys, st.startProxies, st.leaveOutUncached} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// dir is where the setup's proxies have their files.
func (st *stage) dir() string {
	if st.name == "" {
		return filepath.Join(st.b.cluster.Dir, "usual")
	}
	return filepath.Join(st.b.cluster.Dir, st.name)
}

// provideNodes finds the servers of the setup, or makes a primary.
func (st *stage) provideNodes(ctx context.Context) error {
	if st.mode != streaming {
		st.nodes = st.serversOf(st.b.cluster)
		return nil
	}
	return st.makePrimary(ctx)
}

func (st *stage) makeTargets(context.Context) error {
	for _, name := range st.chosen(st.b.opts.targets) {
		t, err := st.makeTarget(name)
		if err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
		st.targets = append(st.targets, t)
	}
	return nil
}

// startProxies starts all proxies. One that does not start is broken, and the others
// are measured.
func (st *stage) startProxies(ctx context.Context) error {
	for _, t := range st.targets {
		if t.proxy == nil {
			continue
		}
		if t.memcached != nil {
			st.ends.add(t.memcached.stop)
			if err := t.memcached.start(ctx, st.b.cluster); err != nil {
				return err
			}
		}
		st.ends.add(t.proxy.stop)
		if !st.alone {
			t.broken = st.start(ctx, t)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// start starts a proxy, and returns when it answers from memory what it may.
func (st *stage) start(ctx context.Context, t *target) error {
	if err := t.proxy.start(ctx, st.b.cluster); err != nil || !st.caches(t) {
		return err
	}
	return answersFromMemory(ctx, dsn(t.ports[0], t.database))
}

// ends undoes what was done, in reverse.
type ends []func() error

func (e *ends) add(do func() error) { *e = append(*e, do) }

func (e *ends) run() error {
	var errs []error
	for i := len(*e) - 1; i >= 0; i-- {
		errs = append(errs, (*e)[i]())
	}
	*e = nil
	return errors.Join(errs...)
}
