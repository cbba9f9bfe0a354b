package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// runPatience is how much longer than asked for a run may take; a COPY takes this long at most.
	runPatience = time.Minute
	// clientPatience is what each client may take besides: connecting, mostly.
	clientPatience = 100 * time.Millisecond
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
	CPUMicros float64 // of the proxy and its memcached, for each unit of work; 0 where nobody looked
	// Hits and Misses are reads that were answered from memory, and that could have been and
	// were not; Memory is that of the proxy and its memcached afterwards, in bytes (PSS). 0
	// where there is no cache.
	Hits, Misses int    `json:",omitempty"`
	Memory       int64  `json:",omitempty"`
	Error        string `json:",omitempty"` // why the figures do not count
}

// measure gives all targets their turns.
func (st *stage) measure(ctx context.Context) error {
	for _, s := range st.scenarios {
		for round := range st.rounds(st.b.opts) {
			if err := st.round(ctx, s, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// round gives each target one turn. The order rotates, so that nobody always comes
// after the same neighbour.
func (st *stage) round(ctx context.Context, s scenario, round int) error {
	var told strings.Builder
	for i := range st.targets {
		t := st.targets[(i+round)%len(st.targets)]
		if !s.suits(t.name) {
			continue
		}
		r := st.turn(ctx, s, t)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.Round = round
		st.b.result.Runs = append(st.b.result.Runs, r)
		fmt.Fprintf(&told, "  %s", r.brief())
	}
	st.b.tell("%-28s round %d of %d:%s", s.Name, round+1, st.rounds(st.b.opts), told.String())
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
func (st *stage) turn(ctx context.Context, s scenario, t *target) run {
	r := run{Scenario: s.Name, Target: t.name}
	err := st.attemptAlone(ctx, s, t, &r)
	if err == nil || ctx.Err() != nil {
		return r
	}
	r.Error = err.Error()
	if t.proxy != nil && t.broken == nil {
		st.restart(ctx, t, &r)
	}
	return r
}

// restart gives a proxy that failed a fresh start, and shows what it logged, which is
// gone with the folder.
func (st *stage) restart(ctx context.Context, t *target, r *run) {
	st.b.tell("%s failed in %s: %s\n%s", t.name, r.Scenario, r.Error, t.proxy.logTail())
	if st.alone {
		return // its next turn starts it
	}
	if err := errors.Join(t.proxy.stop(), st.start(ctx, t)); err != nil {
		r.Error += "; and then: " + err.Error()
		t.broken = err
	}
}

// attemptAlone starts and stops the proxy around its turn where the setup demands it.
func (st *stage) attemptAlone(ctx context.Context, s scenario, t *target, r *run) (err error) {
	if t.broken != nil {
		return t.broken
	}
	if st.alone && t.proxy != nil {
		if err := st.start(ctx, t); err != nil {
			return errors.Join(err, t.proxy.stop())
		}
		defer func() { err = errors.Join(err, t.proxy.stop()) }()
	}
	return st.attempt(ctx, s, t, r)
}

// attempt measures one run of pgbench or psql.
func (st *stage) attempt(ctx context.Context, s scenario, t *target, r *run) error {
	ctx, stop := context.WithTimeout(ctx, st.b.opts.duration()+runPatience+time.Duration(s.Clients)*clientPatience)
	defer stop()
	if s.writes {
		if err := st.tidy(ctx, t); err != nil {
			return err
		}
	}
	before, err := st.usage(ctx, t)
	if err != nil {
		return err
	}
	if r.outcome, err = st.work(ctx, s, t, st.amountOf(s)); err != nil {
		return err
	}
	after, err := st.usage(ctx, t)
	if err != nil {
		return err
	}
	if !st.alone { // or connecting would be most of it
		r.CPUMicros = float64((after.cpu - before.cpu).Microseconds()) / float64(r.Done)
	}
	r.Hits, r.Misses = after.hits-before.hits, after.misses-before.misses
	if st.cached {
		if r.Memory, err = t.memory(); err != nil {
			return err
		}
	}
	return t.inService(ctx)
}

// usage is what a target has used and done so far.
type usage struct {
	cpu time.Duration
	cacheUse
}

func (st *stage) usage(ctx context.Context, t *target) (u usage, err error) {
	if st.caches(t) {
		if u.cacheUse, err = askCache(ctx, dsn(t.ports[0], t.database)); err != nil {
			return u, err
		}
	}
	u.cpu, err = t.cpu()
	return u, err
}

// amount is how much work there is to do, as pgbench wants it.
type amount []string

func timed(seconds int) amount { return amount{"-T", strconv.Itoa(seconds)} }

func (st *stage) amountOf(s scenario) amount {
	if s.each > 0 {
		return counted(s.each)
	}
	return timed(st.b.opts.seconds)
}

// counted is a number of transactions for each client.
func counted(each int) amount { return amount{"-t", strconv.Itoa(each)} }

// work gives the same work to all ports of a target at once.
func (st *stage) work(ctx context.Context, s scenario, t *target, much amount) (outcome, error) {
	parts := make([]outcome, len(t.ports))
	errs := make([]error, len(t.ports))
	var all sync.WaitGroup
	for i, port := range t.ports {
		all.Go(func() { parts[i], errs[i] = st.b.workAt(ctx, s, port, t.database, much) })
	}
	all.Wait()
	return together(parts), errors.Join(errs...)
}

func (b *bench) workAt(ctx context.Context, s scenario, port int, database string, much amount) (outcome, error) {
	if !s.byTransactions() {
		return b.psqlWork(ctx, s, port, database)
	}
	prefix := b.latencyPrefix(port)
	args := slices.Concat(s.pgbenchArguments(), much, latencyArguments(prefix))
	said, err := b.client(ctx, "pgbench", port, database, args...)
	latencies, readErr := takeLatencies(prefix)
	if err != nil {
		return outcome{}, err
	}
	o, err := parsePgbench(said)
	o.latencies = latencies
	return o, errors.Join(err, readErr)
}

// psqlWork has psql run the commands; the last one's time counts.
func (b *bench) psqlWork(ctx context.Context, s scenario, port int, database string) (outcome, error) {
	last := len(s.psql) - 1
	args := []string{"-X", "-q", "-v", "ON_ERROR_STOP=1"}
	for _, command := range s.psql[:last] {
		args = append(args, "-c", command)
	}
	said, err := b.client(ctx, "psql", port, database, append(args, "-c", `\timing on`, "-c", s.psql[last])...)
	if err != nil {
		return outcome{}, err
	}
	return parseCopy(said, copyRows)
}

// pids are the process numbers of the target's proxy and its memcached.
func (t *target) pids() []int {
	var all []int
	if t.proxy != nil {
		all = append(all, t.proxy.pid())
	}
	if t.memcached != nil {
		all = append(all, t.memcached.pid())
	}
	return all
}

// cpu is the processor time of these so far.
func (t *target) cpu() (time.Duration, error) { return sumOf(t.pids(), cpuOf) }

// memory is the memory of these, in bytes (PSS).
func (t *target) memory() (int64, error) { return sumOf(t.pids(), memoryOf) }

// sumOf adds up a figure of several processes.
func sumOf[N int64 | time.Duration](pids []int, of func(pid int) (N, error)) (sum N, err error) {
	for _, pid := range pids {
		n, err := of(pid)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// inService is an error when a replicating proxy has lost a node: it would then be
// measured with less work than the others.
func (t *target) inService(ctx context.Context) error {
	if !replicates(t.name) {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, askPatience)
	defer stop()
	found, err := ask(ctx, dsn(t.ports[0], t.database), "SHOW POOL_NODES")
	if err != nil {
		return fmt.Errorf("SHOW POOL_NODES: %w", err)
	}
	return wantInService(found.column("status"), len(t.nodes))
}

// wantInService reads the column status of SHOW POOL_NODES; a node is "waiting" until
// its first connection.
func wantInService(status []string, nodes int) error {
	if len(status) != nodes {
		return fmt.Errorf("SHOW POOL_NODES shows %d nodes of %d", len(status), nodes)
	}
	if id := slices.IndexFunc(status, func(s string) bool { return s != "up" && s != "waiting" }); id >= 0 {
		return fmt.Errorf("node %d is out of service: %s", id, status[id])
	}
	return nil
}

// compare looks whether the nodes of each target still hold the same.
func (st *stage) compare(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, comparePatience)
	defer stop()
	if st.mode == streaming {
		if err := st.catchUp(ctx); err != nil {
			return err
		}
	}
	st.b.tell("comparing what the nodes hold")
	for _, t := range st.targets {
		if !replicates(t.name) {
			continue // one node, or each did work of its own
		}
		if err := t.equal(ctx); err != nil {
			st.b.result.Faults = append(st.b.result.Faults, fault{t.name, err.Error()})
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

// measureMemory is done apart from the rounds, since looking costs the machine time, and
// on the usual setup only.
func (st *stage) measureMemory(ctx context.Context) error {
	if st.name != "" {
		return nil
	}
	for _, t := range st.targets {
		if t.proxy == nil || t.broken != nil {
			continue
		}
		m, err := st.memoryOf(ctx, t)
		if err != nil {
			st.fault(t.name, "measure memory of", err)
			continue
		}
		st.b.result.Memory = append(st.b.result.Memory, m)
	}
	return ctx.Err()
}

func (st *stage) memoryOf(ctx context.Context, t *target) (m memory, err error) {
	m.Target = t.name
	if m.Idle, err = memoryOf(t.proxy.pid()); err != nil {
		return m, err
	}
	m.Busy, err = st.busyMemory(ctx, t)
	return m, err
}

// busyMemory looks in the middle of a short load.
func (st *stage) busyMemory(ctx context.Context, t *target) (int64, error) {
	const seconds = 2
	ctx, stop := context.WithTimeout(ctx, seconds*time.Second+runPatience)
	defer stop()
	load := scenario{Clients: memoryClients, args: []string{"-S"}}
	ended := make(chan error, 1) // the load says how it ended, also when nobody listens any more
	go func() {
		_, err := st.b.client(ctx, "pgbench", t.ports[0], t.database, slices.Concat(load.pgbenchArguments(), timed(seconds))...)
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
