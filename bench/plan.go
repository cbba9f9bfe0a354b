package main

import (
	"fmt"
	"io"
	"time"
)

const (
	// runOverhead is what a run takes besides its seconds: connecting, tidying up.
	runOverhead = 400 * time.Millisecond
	// copyDuration is about what a bulk load takes.
	copyDuration = 2 * time.Second
	// overhead is what comes before and after the runs.
	overhead = 40 * time.Second
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
	for _, s := range b.result.Scenarios {
		n += b.turnsOf(s)
	}
	return n
}

func (b *bench) turnsOf(s scenario) int {
	n := 0
	for _, target := range b.opts.targets {
		if s.suits(target) {
			n += b.opts.rounds
		}
	}
	return n
}

// estimate is about how long all will take.
func (b *bench) estimate() time.Duration {
	sum := overhead
	for _, s := range b.result.Scenarios {
		each := b.opts.duration()
		if s.args == nil {
			each = copyDuration
		}
		sum += time.Duration(b.turnsOf(s)) * (each + runOverhead)
	}
	return sum
}

// list names the scenarios.
func list(out io.Writer, all []scenario) {
	for _, s := range all {
		fmt.Fprintf(out, "%-26s %s\n", s.Name, s.Unit)
	}
}
