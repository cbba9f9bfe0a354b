package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// runPatience is how much longer than asked for a run may take; a COPY takes this long at most.
	runPatience = time.Minute
	// askPatience bounds our own questions between the runs.
	askPatience = 30 * time.Second
	// comparePatience bounds reading all tables of all nodes.
	comparePatience = 2 * time.Minute
	// memoryClients is under how many clients memory is measured.
	memoryClients = 32
)

// run is one turn of one target.
type run struct {
	Scenario string
	Target   string
	Round    int
	outcome
	CPUMicros float64 // of the proxy, for each unit of work; 0 without a proxy
	Error     string  `json:",omitempty"` // why the figures do not count
}

// measure gives all targets their turns.
func (b *bench) measure(ctx context.Context) error {
	for _, s := range b.result.Scenarios {
		for round := range b.opts.rounds {
			if err := b.round(ctx, s, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// round gives each target one turn. The order rotates, so that nobody always comes
// after the same neighbour.
func (b *bench) round(ctx context.Context, s scenario, round int) error {
	var told strings.Builder
	for i := range b.targets {
		t := b.targets[(i+round)%len(b.targets)]
		if !s.suits(t.name) {
			continue
		}
		r := b.turn(ctx, s, t)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.Round = round
		b.result.Runs = append(b.result.Runs, r)
		fmt.Fprintf(&told, "  %s", r.brief())
	}
	b.tell("%-24s round %d of %d:%s", s.Name, round+1, b.opts.rounds, told.String())
	return nil
}

// brief is the run in a word or two.
func (r run) brief() string {
	if r.Error != "" {
		return r.Target + " FAILED (" + r.Error + ")"
	}
	return fmt.Sprintf("%s %.0f", r.Target, r.Rate)
}

// turn lets a target work, and puts it in order again if that went wrong.
func (b *bench) turn(ctx context.Context, s scenario, t *target) run {
	r := run{Scenario: s.Name, Target: t.name}
	err := b.attempt(ctx, s, t, &r)
	if err == nil || ctx.Err() != nil {
		return r
	}
	r.Error = err.Error()
	if t.proxy != nil {
		b.restart(ctx, t, &r)
	}
	return r
}

// restart gives a proxy that failed a fresh start, and shows what it logged, which is
// gone with the folder.
func (b *bench) restart(ctx context.Context, t *target, r *run) {
	b.tell("%s failed in %s: %s\n%s", t.name, r.Scenario, r.Error, t.proxy.logTail())
	if err := errors.Join(t.proxy.stop(), t.proxy.start(ctx, b.cluster)); err != nil {
		r.Error += "; and then: " + err.Error()
	}
}

// attempt measures one run of pgbench or psql.
func (b *bench) attempt(ctx context.Context, s scenario, t *target, r *run) error {
	ctx, stop := context.WithTimeout(ctx, b.opts.duration()+runPatience)
	defer stop()
	if s.writes {
		if err := t.tidy(ctx); err != nil {
			return err
		}
	}
	before, err := t.cpu()
	if err != nil {
		return err
	}
	if r.outcome, err = b.work(ctx, s, t); err != nil {
		return err
	}
	after, err := t.cpu()
	if err != nil {
		return err
	}
	r.CPUMicros = float64((after - before).Microseconds()) / float64(r.Done)
	return t.inService(ctx)
}

// work gives the same work to all ports of a target at once.
func (b *bench) work(ctx context.Context, s scenario, t *target) (outcome, error) {
	parts := make([]outcome, len(t.ports))
	errs := make([]error, len(t.ports))
	var all sync.WaitGroup
	for i, port := range t.ports {
		all.Go(func() { parts[i], errs[i] = b.workAt(ctx, s, port, t.database) })
	}
	all.Wait()
	return together(parts), errors.Join(errs...)
}

func (b *bench) workAt(ctx context.Context, s scenario, port int, database string) (outcome, error) {
	if s.args == nil {
		return b.bulkLoad(ctx, port, database)
	}
	said, err := b.client(ctx, "pgbench", port, database, s.pgbenchArguments(b.opts.seconds)...)
	if err != nil {
		return outcome{}, err
	}
	return parsePgbench(said)
}

// bulkLoad loads the same rows into an empty table and has psql time it.
func (b *bench) bulkLoad(ctx context.Context, port int, database string) (outcome, error) {
	said, err := b.client(ctx, "psql", port, database, "-X", "-q", "-v", "ON_ERROR_STOP=1",
		"-c", "TRUNCATE bench_copy", "-c", `\timing on`,
		"-c", fmt.Sprintf(`\copy bench_copy FROM '%s'`, filepath.Join(b.cluster.Dir, copyFile)))
	if err != nil {
		return outcome{}, err
	}
	return parseCopy(said, copyRows)
}

// cpu is the processor time of the target's proxy so far.
func (t *target) cpu() (time.Duration, error) {
	if t.proxy == nil {
		return 0, nil
	}
	return cpuOf(t.proxy.pid())
}

// inService is an error when a replicating proxy has lost a node: it would then be
// measured with less work than the others.
func (t *target) inService(ctx context.Context) error {
	if t.name != pgpool && t.name != pgchorus {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, askPatience)
	defer stop()
	found, err := ask(ctx, dsn(t.ports[0], t.database), "SHOW POOL_NODES")
	if err != nil {
		return fmt.Errorf("SHOW POOL_NODES: %w", err)
	}
	return wantInService(found.column("status"))
}

// wantInService reads the column status of SHOW POOL_NODES; a node is "waiting" until
// its first connection.
func wantInService(status []string) error {
	if len(status) != nodeCount {
		return fmt.Errorf("SHOW POOL_NODES shows %d nodes of %d", len(status), nodeCount)
	}
	if id := slices.IndexFunc(status, func(s string) bool { return s != "up" && s != "waiting" }); id >= 0 {
		return fmt.Errorf("node %d is out of service: %s", id, status[id])
	}
	return nil
}

// compare looks whether the nodes of each target still hold the same.
func (b *bench) compare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, comparePatience)
	defer stop()
	b.tell("comparing what the nodes hold")
	for _, t := range b.targets {
		if t.proxy == nil {
			continue // each of the three did work of its own
		}
		if err := t.equal(ctx); err != nil {
			b.result.Faults = append(b.result.Faults, err.Error())
		}
	}
	return ctx.Err()
}

// memory is what a proxy needs, in bytes, with what its processes share counted once.
type memory struct {
	Target string
	Idle   int64 // after the start
	Busy   int64 // while memoryClients clients read
}

// measureMemory is done apart from the rounds, since looking costs the machine time.
func (b *bench) measureMemory(ctx context.Context) error {
	for _, t := range b.targets {
		if t.proxy == nil {
			continue
		}
		m := memory{Target: t.name}
		var err error
		if m.Idle, err = memoryOf(t.proxy.pid()); err != nil {
			return err
		}
		if m.Busy, err = b.busyMemory(ctx, t); err != nil {
			return fmt.Errorf("measure memory of %s: %w", t.name, err)
		}
		b.result.Memory = append(b.result.Memory, m)
	}
	return nil
}

// busyMemory looks in the middle of a short load.
func (b *bench) busyMemory(ctx context.Context, t *target) (int64, error) {
	const seconds = 2
	ctx, stop := context.WithTimeout(ctx, seconds*time.Second+runPatience)
	defer stop()
	load := scenario{Clients: memoryClients, args: []string{"-S"}}
	ended := make(chan error, 1) // the load says how it ended, also when nobody listens any more
	go func() {
		_, err := b.client(ctx, "pgbench", t.ports[0], t.database, load.pgbenchArguments(seconds)...)
		ended <- err
	}()
	select {
	case err := <-ended:
		return 0, errors.Join(errors.New("pgbench ended too early"), err)
	case <-time.After(seconds * time.Second / 2):
	}
	size, err := memoryOf(t.proxy.pid())
	return size, errors.Join(err, <-ended)
}
