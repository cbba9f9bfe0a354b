package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSystemCallsOfASummary(t *testing.T) {
	const summary = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.40    0.001225           1       840       420 read
 30.10    0.000601           1       420           write
  5.00    0.000100           5        20           epoll_pwait
  3.50    0.000070           7        10         3 futex
------ ----------- ----------- --------- --------- ----------------
100.00    0.001996           1      1290       423 total
`
	got, err := parseSyscalls(summary)
	if want := (syscalls{all: 1290, io: 1280}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := parseSyscalls("strace: nothing\n"); textOf(err) != `strace counted nothing: "strace: nothing"` {
		t.Errorf("no summary: %v", err)
	}
}

func TestUseOfACacheIsRead(t *testing.T) {
	columns := []string{"num_cache_hits", "num_selects", "cache_hit_ratio"}
	got, err := parseCache(answer{columns: columns, rows: [][]string{{"90", "10", "0.9"}}})
	if want := (cacheUse{hits: 90, misses: 10}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, rows := range [][][]string{nil, {{"", "10", "0"}}} {
		if _, err := parseCache(answer{columns: columns, rows: rows}); err == nil {
			t.Errorf("%q is no error", rows)
		}
	}
}

func TestStraceSaysWhetherItIsAttached(t *testing.T) {
	tests := []struct {
		said  string
		count int
		want  string
	}{
		{"strace: Process 7 attached with 9 threads\n", 1, ""},
		{"strace: Process 7 attached\nstrace: Process 8 attached\n", 2, ""},
		{"strace: Process 7 attached\n", 2, "strace cannot attach to it: "},
		{"strace: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted\n", 1, "strace cannot attach to it: strace: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted"},
	}
	for _, tt := range tests {
		if got := textOf(waitAttached(strings.NewReader(tt.said), tt.count)); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.said, got, tt.want)
		}
	}
}

func TestAllocationsOfAHeapProfile(t *testing.T) {
	got, err := parseAllocations("heap profile: 0: 0 [0: 0] @ heap/2\n\n# runtime.MemStats\n# Alloc = 5\n# TotalAlloc = 9000\n# Mallocs = 120\n# Frees = 20\n")
	if want := (allocations{objects: 120, bytes: 9000}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := parseAllocations("heap profile: 0: 0 [0: 0] @ heap/2\n"); err == nil {
		t.Error("a profile without counts is no error")
	}
}

func TestLatenciesAreTakenFromAllThreadsAndRemoved(t *testing.T) {
	dir := t.TempDir()
	prefix := filepath.Join(dir, "5432")
	for name, text := range map[string]string{"5432.77": "0 1 1500 0 1700000000 1\n1 1 2500 0 1700000000 2\n", "5432.77.1": "2 1 500 0 1700000000 3\n", "5433.77": "0 1 9 0 1 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := takeLatencies(prefix)
	if err != nil || len(all) != 3 || percentile(all, 50) != 1.5 || percentile(all, 99) != 2.5 {
		t.Errorf("%v, %v", all, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	tests := []struct {
		all     []time.Duration
		percent int
		want    float64
	}{
		{nil, 50, 0},
		{hundred[:1], 99, 100},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	}
	for _, tt := range tests {
		if got := percentile(tt.all, tt.percent); got != tt.want {
			t.Errorf("percentile %d of %d values: %v, want %v", tt.percent, len(tt.all), got, tt.want)
		}
	}
}

func TestGoalsAreSharesOfWhatIsReached(t *testing.T) {
	tests := []struct {
		goal    goal
		reached float64
		want    string
	}{
		{goal{value: 0.8}, 0.4, "0.50"},
		{goal{value: 0.8}, 1.6, "2.00"},
		{goal{value: 16, most: true}, 32, "0.50"},
		{goal{value: 16, most: true}, 8, "2.00"},
		{goal{value: 0, most: true}, 3, nothing},
		{goal{value: 6, most: true}, 0, nothing},
	}
	for _, tt := range tests {
		if got := tt.goal.share(tt.reached); got != tt.want {
			t.Errorf("%v of %s: %s, want %s", tt.reached, tt.goal.wanted(), got, tt.want)
		}
	}
}

func TestGoalsAndCurvesNameScenariosThatExist(t *testing.T) {
	known := map[string]bool{idleName: true}
	for _, u := range setups() {
		for _, s := range scenariosOf(u, mustParse(t, "").scenario, nil) {
			if known[s.Name] {
				t.Errorf("two scenarios are called %s", s.Name)
			}
			known[s.Name] = true
		}
	}
	for _, g := range goals() {
		if !known[g.scenario] {
			t.Errorf("goal %q is about %s, which nobody measures", g.work, g.scenario)
		}
	}
	for _, c := range growthPanels() {
		for _, p := range c.points {
			if !known[p.scenario] {
				t.Errorf("curve %q has a point at %s, which nobody measures", c.title, p.scenario)
			}
		}
	}
}

func TestEveryScriptOfAScenarioIsWritten(t *testing.T) {
	for _, s := range scenarios(mustParse(t, "").scenario, nil) {
		for i, arg := range s.args {
			if arg != "-f" {
				continue
			}
			file, _, _ := strings.Cut(s.args[i+1], "@") // and its weight
			if scripts()[file] == "" {
				t.Errorf("%s wants %s", s.Name, file)
			}
		}
	}
}

func TestGrowthChartHasALineForEachTarget(t *testing.T) {
	r := sample()
	if got := r.growthChart(); got != "" {
		t.Errorf("a chart of nothing: %s", got)
	}
	for _, n := range []int{1, 8} {
		for _, target := range []string{bare, pgchorus} {
			r.Runs = append(r.Runs, run{Scenario: scenarioName("clients", "read-simple", 256*n), Target: target, outcome: outcome{Rate: float64(n)}},
				run{Scenario: scenarioName(nodesName(n), "update-simple", 8), Target: target, outcome: outcome{Rate: float64(n)}})
		}
	}
	chart := r.growthChart()
	decoder := xml.NewDecoder(strings.NewReader(chart))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, chart)
		}
	}
	// Reads by clients have two points (8 and 256); so have UPDATEs by nodes (1 and 3).
	if got := strings.Count(chart, "<g "); got != 2 {
		t.Errorf("%d panels in\n%s", got, chart)
	}
	if got := strings.Count(chart, "<polyline"); got < 4 {
		t.Errorf("%d lines in\n%s", got, chart)
	}
}

func TestRoundUp(t *testing.T) {
	for value, want := range map[float64]float64{1: 1, 1.5: 2, 3: 5, 7: 10, 61929: 100_000, 20_000: 20_000} {
		if got := roundUp(value); got != want {
			t.Errorf("roundUp(%v) = %v, want %v", value, got, want)
		}
	}
}

func TestRoundsAreFewerOnlyWhereNobodySaidHowMany(t *testing.T) {
	few := setup{maxRounds: 1}
	for args, want := range map[string]int{"": 1, "-rounds 5": 5} {
		if got := few.rounds(mustParse(t, args)); got != want {
			t.Errorf("%q: %d rounds, want %d", args, got, want)
		}
	}
}

func TestAStandInLetsClientsInAndAnswers(t *testing.T) {
	server, err := startStandIn()
	if err != nil {
		t.Fatal(err)
	}
	defer server.close()
	p := &proxy{port: server.port, database: "any"}
	clients, err := logInAll(t.Context(), p, 20)
	defer closeAll(clients)
	if err != nil {
		t.Fatal(err)
	}
	if err := queryAll(clients); err != nil {
		t.Error(err)
	}
}

func TestPgBouncerGetsNoShareOfACluster(t *testing.T) {
	for name, want := range map[string]bool{bare: false, pgbouncer: false, pgpool: true, pgchorus: true, uncached: true, locking: true, trio: false} {
		if got := replicates(name); got != want {
			t.Errorf("replicates(%s) = %v", name, got)
		}
	}
}
