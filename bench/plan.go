package main

import (
	"fmt"
	"io"
	"time"
)

const (
	// runOverhead is what a run takes besides its seconds: connecting, tidying up.
	runOverhead = 400 * time.Millisecond
	// clientOverhead is what each client costs where the proxy starts with the run.
	clientOverhead = 6 * time.Millisecond
	// copyDuration is about what a bulk load takes.
	copyDuration = 2 * time.Second
	// overhead is what comes before and after everything.
	overhead = 30 * time.Second
	// setupOverhead is making the databases of a setup, starting its proxies, comparing.
	setupOverhead = 10 * time.Second
	// lookDuration is about what counting system calls and allocations of one target takes.
	lookDuration = 2 * time.Second
	// idleDuration is about what counting idle clients of one target takes.
	idleDuration = 15 * time.Second
)

// newBench plans a benchmark and starts nothing.
func newBench(opts options, args []string, progress io.Writer) *bench {
	return &bench{opts: opts, out: progress, result: result{
		Date:      time.Now(),
		Command:   args,
		Seconds:   opts.seconds,
		Rounds:    opts.rounds,
		Fsync:     opts.fsync,
		Machine:   thisMachine(),
		Targets:   opts.targets,
		Scenarios: scenarios(opts.scenario, opts.clients),
	}}
}

// runs is how often a target will have its turn.
func (b *bench) runs() int {
	n := 0
	for _, u := range setups() {
		for _, s := range b.scenariosOf(u) {
			n += b.turnsOf(u, s)
		}
	}
	return n
}

func (b *bench) turnsOf(u setup, s scenario) int {
	n := 0
	for _, target := range u.chosen(b.opts.targets) {
		if s.suits(target) {
			n += u.rounds(b.opts)
		}
	}
	return n
}

// estimate is about how long all will take.
func (b *bench) estimate() time.Duration {
	sum := overhead
	for _, u := range setups() {
		own := b.scenariosOf(u)
		if own == nil {
			continue
		}
		sum += setupOverhead
		for _, s := range own {
			sum += time.Duration(b.turnsOf(u, s))*b.turnDuration(u, s) + b.lookAt(u, s)
		}
	}
	if b.opts.wantsIdle() {
		sum += time.Duration(len(idleCases(b.opts.targets))) * idleDuration
	}
	return sum
}

func (b *bench) turnDuration(u setup, s scenario) time.Duration {
	each := b.opts.duration() + runOverhead
	if !s.byTransactions() {
		each = copyDuration + runOverhead
	}
	if u.alone {
		each += time.Duration(s.Clients) * clientOverhead
	}
	return each
}

// lookAt is how long looking at a scenario takes beside the rounds.
func (b *bench) lookAt(u setup, s scenario) time.Duration {
	var sum time.Duration
	for _, target := range u.chosen(b.opts.targets) {
		if b.opts.look && u.looked && s.isLookedAt() && isProxy(target) {
			sum += lookDuration
		}
		if b.opts.profile != "" && target == pgchorus {
			sum += b.opts.duration() + runOverhead
		}
	}
	return sum
}

// listScenarios names them.
func listScenarios(out io.Writer, all []scenario) {
	for _, s := range all {
		fmt.Fprintln(out, s)
	}
}
