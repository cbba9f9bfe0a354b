package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// result is all that a run of the benchmark found, as it is written to the JSON file.
type result struct {
	Date     time.Time
	Command  []string // the arguments
	Seconds  int
	Rounds   int
	Fsync    bool
	Machine  machine
	Versions []version
	Targets  []string
	Runs     []run
	Memory   []memory
	Idle     []idle
	Looks    []look
	Faults   []fault
	Notes    []string // what was left out, and why

	Scenarios []scenario
}

// fault is something that went wrong beside the runs: nodes that differ at the end, a
// setup that did not come up.
type fault struct {
	Target string // empty where it is nobody's own
	Text   string
}

// spread is the median of some values, and how far they lie from it.
type spread struct{ Min, Median, Max float64 }

// spreadOf needs at least one value.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{Min: sorted[0], Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Max: sorted[n-1]}
}

// at finds a run that counts.
func (r *result) at(scenario, target string, round int) (run, bool) {
	i := slices.IndexFunc(r.Runs, func(x run) bool {
		return x.Scenario == scenario && x.Target == target && x.Round == round && x.Error == ""
	})
	if i < 0 {
		return run{}, false
	}
	return r.Runs[i], true
}

// ratio is how many times as fast as another target pgchorus was, in each round in
// which both worked; false when there is none.
func (r *result) ratio(scenario, other string) (spread, bool) {
	return r.ratioOf(scenario, other, func(x run) float64 { return x.Rate })
}

// ratioOf is ratio of another figure.
func (r *result) ratioOf(scenario, other string, of func(run) float64) (spread, bool) {
	var values []float64
	for round := range r.Rounds {
		ours, ok := r.at(scenario, pgchorus, round)
		theirs, found := r.at(scenario, other, round)
		if ok && found && of(theirs) > 0 {
			values = append(values, of(ours)/of(theirs))
		}
	}
	if values == nil {
		return spread{}, false
	}
	return spreadOf(values), true
}

// figure is the spread of one figure over the rounds; false when there is none.
func (r *result) figure(scenario, target string, of func(run) float64) (spread, bool) {
	var values []float64
	for round := range r.Rounds {
		if x, ok := r.at(scenario, target, round); ok {
			values = append(values, of(x))
		}
	}
	if values == nil {
		return spread{}, false
	}
	return spreadOf(values), true
}

// failures lists what went wrong, one line each.
func (r *result) failures() []string {
	var lines []string
	for _, f := range r.Faults {
		lines = append(lines, f.Text)
	}
	for _, x := range r.Runs {
		if x.Error != "" {
			lines = append(lines, fmt.Sprintf("%s, %s, round %d: %s", x.Scenario, x.Target, x.Round+1, x.Error))
		}
	}
	for _, l := range r.Looks {
		if l.Error != "" {
			lines = append(lines, fmt.Sprintf("%s, %s, system calls: %s", l.Scenario, l.Target, l.Error))
		}
	}
	for _, c := range r.Idle {
		if c.Error != "" {
			lines = append(lines, fmt.Sprintf("%s, %s with %d nodes: %s", idleName, c.Target, c.Nodes, c.Error))
		}
	}
	return lines
}

// ourFailure is an error when pgchorus itself failed; that the others do so is a
// result like any other.
func (r *result) ourFailure() error {
	for _, x := range r.Runs {
		if base(x.Target) == pgchorus && x.Error != "" {
			return fmt.Errorf("pgchorus failed in scenario %s: %s", x.Scenario, x.Error)
		}
	}
	for _, f := range r.Faults {
		if f.Target == "" || base(f.Target) == pgchorus {
			return errors.New(f.Text)
		}
	}
	return nil
}

// write puts table, chart and raw figures into a folder and returns the name that the
// files share. Files of another run of the same day and name stay.
func (r *result) write(folder, name string) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return "", err
	}
	name = freeName(filepath.Join(folder, r.Date.Format(time.DateOnly)+"-"+name))
	for ending, text := range map[string]string{".txt": r.table(), ".svg": r.chart(), ".growth.svg": r.growthChart(), ".json": string(raw) + "\n"} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(name+ending, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return name, nil
}

// freeName is base, or base-2 and so on where there is such a result already.
func freeName(base string) string {
	name := base
	for i := 2; ; i++ {
		if _, err := os.Stat(name + ".txt"); err != nil {
			return name
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}
