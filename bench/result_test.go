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

// sample is a result of two scenarios; Pgpool-II failed once, and the read has no
// three servers at once. pgchorus has a cache.
func sample() *result {
	of := func(scenario, target string, round int, rate, cpu float64) run {
		return run{Scenario: scenario, Target: target, Round: round, outcome: outcome{Rate: rate, LatencyMS: 1000 / rate, Done: 100, P50MS: 500 / rate, P99MS: 2000 / rate}, CPUMicros: cpu}
	}
	r := &result{
		Date: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), Seconds: 2, Rounds: 3, Command: []string{"-rounds", "3"},
		Machine:  machine{Cores: 2, CPU: "Some CPU", Kernel: "6.1", MemoryMB: 2048, LoadBefore: "0.10", LoadAfter: "1.50"},
		Versions: []version{{pgchorus, "commit abc"}},
		Targets:  targetNames(),
		Looks: []look{
			{Scenario: "read-simple-8", Target: pgbouncer, Syscalls: 5, IOSyscalls: 4},
			{Scenario: "read-simple-8", Target: pgpool, Error: "strace cannot attach to it"},
			{Scenario: "read-simple-8", Target: pgchorus, Syscalls: 8, IOSyscalls: 6, Allocs: 0.5, AllocBytes: 40, Counted: true},
		},
		Idle:   []idle{{Target: pgpool, Nodes: 3, Clients: 200, LoggedIn: 2 << 20, Used: 3 << 20}, {Target: pgchorus, Nodes: 1, Clients: 10_000, LoggedIn: 8 << 10, Used: 32 << 10}},
		Notes:  []string{`setup "cache" without pgpool: it answers nothing from memory`},
		Memory: []memory{{pgbouncer, 1 << 20, 2 << 20}, {pgpool, 3 << 20, 4 << 20}, {pgchorus, 5 << 20, 6 << 20}},
		Scenarios: []scenario{
			{Name: "read-simple-8", Unit: transactions},
			{Name: "update-simple-8", Unit: transactions, writes: true},
		},
	}
	for round := range 3 {
		rate := float64(100 * (round + 1)) // the machine gets faster meanwhile
		r.Runs = append(r.Runs,
			of("read-simple-8", bare, round, 2*rate, 0), of("read-simple-8", pgbouncer, round, rate, 9), of("read-simple-8", pgpool, round, rate/2, 40),
			of("read-simple-8", pgchorus, round, rate, 20),
			of("update-simple-8", bare, round, rate, 0), of("update-simple-8", pgchorus, round, rate/4, 60), of("update-simple-8", trio, round, rate/2, 0))
	}
	for i := range r.Runs {
		if x := &r.Runs[i]; x.Scenario == "read-simple-8" && x.Target == pgchorus {
			x.Hits, x.Misses, x.Memory = 90, 10, 7<<20
		}
	}
	r.Runs[2].Error = "node 1 is out of service: down"
	return r
}

func TestRatiosAreFormedWithinARound(t *testing.T) {
	r := sample()
	tests := []struct {
		scenario, other string
		want            string
	}{
		{"read-simple-8", bare, "0.50 (0.50 to 0.50)"},
		{"read-simple-8", pgpool, "2.00 (2.00 to 2.00)"},
		{"read-simple-8", trio, "-"},
		{"update-simple-8", trio, "0.50 (0.50 to 0.50)"},
		{"update-simple-8", pgbouncer, "-"},
		{"unknown", bare, "-"},
	}
	for _, tt := range tests {
		if got := showRatio(r.ratio(tt.scenario, tt.other)); got != tt.want {
			t.Errorf("%s to %s: %s, want %s", tt.scenario, tt.other, got, tt.want)
		}
	}
}

func TestARunThatFailedDoesNotCount(t *testing.T) {
	r := sample()
	if _, found := r.at("read-simple-8", pgpool, 0); found {
		t.Error("the failed run was found")
	}
	if s, _ := r.figure("read-simple-8", pgpool, func(x run) float64 { return x.Rate }); s != (spread{100, 125, 150}) {
		t.Errorf("the rates of the other rounds: %+v", s)
	}
	want := "read-simple-8, pgpool, round 1: node 1 is out of service: down\nread-simple-8, pgpool, system calls: strace cannot attach to it"
	if got := strings.Join(r.failures(), "\n"); got != want {
		t.Errorf("failures %q, want %q", got, want)
	}
}

func TestSpread(t *testing.T) {
	tests := []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{3, 1}, spread{1, 2, 3}},
		{[]float64{9, 1, 2}, spread{1, 2, 9}},
		{[]float64{4, 1, 2, 9}, spread{1, 3, 9}},
	}
	for _, tt := range tests {
		if got := spreadOf(tt.values); got != tt.want {
			t.Errorf("spreadOf(%v) = %+v, want %+v", tt.values, got, tt.want)
		}
	}
}

func TestOnlyOurOwnFailureIsAnError(t *testing.T) {
	r := sample()
	if err := r.ourFailure(); err != nil {
		t.Errorf("Pgpool-II's failure: %v", err)
	}
	r.Runs[3].Error = "2 transactions failed"
	if got := textOf(r.ourFailure()); got != "pgchorus failed in scenario read-simple-8: 2 transactions failed" {
		t.Errorf("our own failure: %q", got)
	}
}

// wantTable is tested whole, since people read it whole.
const wantTable = `pgchorus benchmark of 2026-03-01 10:00 UTC

  machine    2 cores, Some CPU, 2048 MB, Linux 6.1
  load       0.10 before, 1.50 after (one minute's average)
  pgchorus   commit abc
  measured   3 rounds of 2 s, fsync off; arguments: -rounds 3
  data       pgbench scale 10 in memory, COPY of 1000000 rows; 3 nodes; everything on this machine

Ratios: rate of pgchorus / rate of the other, in the same round; median (least to greatest) of the rounds

  scenario         to bare server       to PgBouncer         to Pgpool-II         to all bare at once
  read-simple-8    0.50 (0.50 to 0.50)  1.00 (1.00 to 1.00)  2.00 (2.00 to 2.00)  -
  update-simple-8  0.25 (0.25 to 0.25)  -                    -                    0.50 (0.50 to 0.50)

Rates: units a second, median of the rounds (trio: each of the bare servers that are worked at once)

  scenario         unit          bare  pgbouncer  pgpool  pgchorus  trio
  read-simple-8    transactions  400   200        125     200       -
  update-simple-8  transactions  200   -          -       50        100

Latency: ms for a transaction, on average; median of the rounds (COPY: the whole)

  scenario         unit          bare   pgbouncer  pgpool  pgchorus  trio
  read-simple-8    transactions  2.500  5.000      8.333   5.000     -
  update-simple-8  transactions  5.000  -          -       20.000    10.000

Latency: ms, half of the transactions / 99 of 100 took at most; median of the rounds

  scenario         unit          bare            pgbouncer       pgpool          pgchorus         trio
  read-simple-8    transactions  1.250 / 5.000   2.500 / 10.000  4.167 / 16.667  2.500 / 10.000   -
  update-simple-8  transactions  2.500 / 10.000  -               -               10.000 / 40.000  5.000 / 20.000

Processor time of the proxy, with its memcached: µs for a unit, median of the rounds

  scenario         unit          pgbouncer  pgpool  pgchorus
  read-simple-8    transactions  9.00       40.00   20.00
  update-simple-8  transactions  -          -       60.00

Answered from memory: share of the reads of a turn that could have been; median of the rounds

  scenario       unit          pgbouncer  pgpool  pgchorus
  read-simple-8  transactions  -          -       0.900

Memory after a turn with a cache: MB of the proxy and its memcached (PSS); median of the rounds

  scenario       unit          pgbouncer  pgpool  pgchorus
  read-simple-8  transactions  -          -       7.0

System calls of the proxy for a unit: those of I/O / all; and heap allocations of pgchorus; counted apart from the rounds

  scenario       unit          pgbouncer  pgpool  pgchorus   allocations  bytes
  read-simple-8  transactions  4.0 / 5.0  -       6.0 / 8.0  0.50         40

Memory of the proxy: MB, what its processes share counted once (PSS); busy is with 32 clients

  proxy      idle  busy
  pgbouncer  1.0   2.0
  pgpool     3.0   4.0
  pgchorus   5.0   6.0

Memory for each idle client: KiB (PSS; the kernel's part of a socket is not in it), before servers that are stand-ins

  proxy     nodes  clients  logged in  after a query
  pgpool    3      200      2048.0     3072.0
  pgchorus  1      10000    8.0        32.0

Goals: what pgchorus is meant to reach on a machine of two cores; of goal: 1 is reached, more is better

  work                          measure                 goal           reached  of goal
  reads, simple, 8 clients      rate to PgBouncer       at least 1.3   1.00     0.77
  reads, simple, 8 clients      rate to bare            at least 0.9   0.50     0.56
  reads over three nodes        rate to Pgpool-II       at least 2     2.00     1.00
  UPDATE of one row, 8 clients  rate to 3 bare at once  at least 0.85  0.50     0.59
  idle client, one node         KiB                     at most 16     32.00    0.50
  read                          I/O system calls        at most 6      6.00     1.00
  read                          allocations             at most 0      0.50     -
  read                          µs of processor time    at most 25     20.00    1.25
  UPDATE on three nodes         µs of processor time    at most 70     60.00    1.17

What was left out

  setup "cache" without pgpool: it answers nothing from memory

What failed, and does not count above

  read-simple-8, pgpool, round 1: node 1 is out of service: down
  read-simple-8, pgpool, system calls: strace cannot attach to it
`

func TestTable(t *testing.T) {
	if got := sample().table(); got != wantTable {
		t.Errorf("table:\n%s\nwant:\n%s", got, wantTable)
	}
}

func TestChartIsWellFormedAndHasABarForEachRatio(t *testing.T) {
	r := sample()
	r.Scenarios[0].Name = "a<b&c" // nothing that is found, and has to be escaped
	chart := r.chart()
	decoder := xml.NewDecoder(strings.NewReader(chart))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, chart)
		}
	}
	// The background, four in the legend, two of update-simple-8.
	if got := strings.Count(chart, "<rect"); got != 1+4+2 {
		t.Errorf("%d rectangles in\n%s", got, chart)
	}
}

func TestChartFieldCutsOffWhatIsTooLong(t *testing.T) {
	f := chartField{limit: 2}
	for ratio, want := range map[float64]float64{0: chartLabel, 1: chartLabel + chartWidth/2, 2: chartLabel + chartWidth, 100: chartLabel + chartWidth} {
		if got := f.x(ratio); got != want {
			t.Errorf("x(%v) = %v, want %v", ratio, got, want)
		}
	}
}

func TestAnEarlierResultOfTheSameNameStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	for _, want := range []string{"2026-03-01-x", "2026-03-01-x-2", "2026-03-01-x-3"} {
		base, err := sample().write(dir, "x")
		if err != nil || filepath.Base(base) != want {
			t.Fatalf("written %s, %v, want %s", base, err, want)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 9 {
		t.Errorf("%d files, %v, want 9", len(files), err)
	}
}

func TestNodesOutOfServiceSpoilARun(t *testing.T) {
	tests := []struct {
		status []string
		want   string
	}{
		{[]string{"up", "waiting", "up"}, ""},
		{[]string{"up", "up", "down"}, "node 2 is out of service: down"},
		{[]string{"up", "up"}, "SHOW POOL_NODES shows 2 nodes of 3"},
		{nil, "SHOW POOL_NODES shows 0 nodes of 3"},
	}
	for _, tt := range tests {
		if got := textOf(wantInService(tt.status, 3)); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.status, got, tt.want)
		}
	}
}

func TestFieldOf(t *testing.T) {
	cpuinfo := "processor\t: 0\nmodel name\t: Some CPU @ 2.0 GHz: fast\n\nprocessor\t: 1\nmodel name\t: Other\n"
	if got := fieldOf(cpuinfo, "model name"); got != "Some CPU @ 2.0 GHz: fast" {
		t.Errorf("model name %q", got)
	}
	if got := fieldOf(cpuinfo, "flags"); got != "unknown" {
		t.Errorf("flags %q", got)
	}
	if got := megabytes("2097152 kB"); got != 2048 {
		t.Errorf("%d MB", got)
	}
}
