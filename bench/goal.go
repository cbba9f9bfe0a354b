package main

import "fmt"

// goal is what a figure of pgchorus is meant to be. It is a mark to measure by, never a
// failure: times are the machine's too.
type goal struct {
	work     string
	scenario string // what has to be measured
	of       string // the measure in words
	figure   func(*result, string) (spread, bool)
	value    float64
	most     bool // value is the most that it may be, not the least
}

// goals are in the order of the table. The first part are rates as multiples of the
// others'; the second what an idle client and a unit of work may cost the proxy.
func goals() []goal {
	return append(rateGoals(), costGoals()...)
}

func rateGoals() []goal {
	return []goal{
		{"reads, simple, 8 clients", "read-simple-8", "rate to PgBouncer", rateTo(pgbouncer), 1.3, false},
		{"reads, simple, 8 clients", "read-simple-8", "rate to bare", rateTo(bare), 0.9, false},
		{"reads, simple, 32 clients", "read-simple-32", "rate to PgBouncer", rateTo(pgbouncer), 1.3, false},
		{"reads, simple, 32 clients", "read-simple-32", "rate to bare", rateTo(bare), 0.9, false},
		{"reads, prepared, 8 clients", "read-prepared-8", "rate to PgBouncer", rateTo(pgbouncer), 1.3, false},
		{"reads over three nodes", "read-simple-8", "rate to Pgpool-II", rateTo(pgpool), 2, false},
		{"UPDATE of one row, 8 clients", "update-simple-8", "rate to 3 bare at once", rateTo(trio), 0.85, false},
		{"-N, simple, 8 clients", "simple-update-simple-8", "rate to 3 bare at once", rateTo(trio), 0.9, false},
		{"-N, prepared, 8 clients", "simple-update-prepared-8", "rate to 3 bare at once", rateTo(trio), 0.9, false},
		{"INSERT with serial, 8 clients", "insert-serial-simple-8", "rate to 3 bare at once", rateTo(trio), 0.75, false},
		{"UPDATE of one row, 1 client", "update-simple-1", "latency to bare", latencyTo(bare), 2.2, true},
		{"cache hit", "cache/hit-8", "rate to bare", rateTo(bare), 2, false},
		{"cache miss", "cache/miss-8", "rate to cache off", rateTo(uncached), 0.9, false},
		{"connect and one query", "connect-8", "rate to PgBouncer", rateTo(pgbouncer), 0.8, false},
	}
}

func costGoals() []goal {
	const read, hit, write = "read-simple-8", "cache/hit-8", "update-simple-8"
	return []goal{
		{"idle client, one node", idleName, "KiB", idleKiB, 16, true},
		{"read", read, "I/O system calls", ioCalls, 6, true},
		{"read", read, "allocations", allocs, 0, true},
		{"read", read, "µs of processor time", cpuMicros, 25, true},
		{"cache hit", hit, "I/O system calls", ioCalls, 3, true},
		{"cache hit", hit, "allocations", allocs, 0, true},
		{"cache hit", hit, "µs of processor time", cpuMicros, 12, true},
		{"UPDATE on three nodes", write, "I/O system calls", ioCalls, 21, true},
		{"UPDATE on three nodes", write, "allocations", allocs, 2, true},
		{"UPDATE on three nodes", write, "µs of processor time", cpuMicros, 70, true},
	}
}

func rateTo(other string) func(*result, string) (spread, bool) {
	return func(r *result, scenario string) (spread, bool) { return r.ratio(scenario, other) }
}

func latencyTo(other string) func(*result, string) (spread, bool) {
	return func(r *result, scenario string) (spread, bool) {
		return r.ratioOf(scenario, other, func(x run) float64 { return x.LatencyMS })
	}
}

func cpuMicros(r *result, scenario string) (spread, bool) {
	return r.figure(scenario, pgchorus, func(x run) float64 { return x.CPUMicros })
}

func ioCalls(r *result, scenario string) (spread, bool) {
	l := r.lookOf(scenario, pgchorus)
	if l == nil || l.Error != "" {
		return spread{}, false
	}
	return spreadOf([]float64{l.IOSyscalls}), true
}

func allocs(r *result, scenario string) (spread, bool) {
	l := r.lookOf(scenario, pgchorus)
	if l == nil || !l.Counted {
		return spread{}, false
	}
	return spreadOf([]float64{l.Allocs}), true
}

// idleKiB is that of a client with one node: its share does not grow with the nodes of
// this machine.
func idleKiB(r *result, _ string) (spread, bool) {
	for _, c := range r.Idle {
		if c.Target == pgchorus && c.Nodes == 1 && c.Error == "" {
			return spreadOf([]float64{c.Used / 1024}), true
		}
	}
	return spread{}, false
}

// wanted is the goal as it is shown.
func (g goal) wanted() string {
	if g.most {
		return fmt.Sprintf("at most %g", g.value)
	}
	return fmt.Sprintf("at least %g", g.value)
}

// share is how far the goal is reached: 1 is just so, more is better. There is none for a
// goal of nothing at all.
func (g goal) share(reached float64) string {
	switch {
	case g.value == 0 || reached <= 0:
		return nothing
	case g.most:
		return fmt.Sprintf("%.2f", g.value/reached)
	}
	return fmt.Sprintf("%.2f", reached/g.value)
}

// goalRows are the goals of which something was measured.
func (r *result) goalRows() [][]string {
	table := [][]string{{"work", "measure", "goal", "reached", "of goal"}}
	for _, g := range goals() {
		if s, found := g.figure(r, g.scenario); found {
			table = append(table, []string{g.work, g.of, g.wanted(), g.reached(s), g.share(s.Median)})
		}
	}
	return table
}

func (g goal) reached(s spread) string {
	if s.Min == s.Max {
		return fmt.Sprintf("%.2f", s.Median)
	}
	return showRatio(s, true)
}
