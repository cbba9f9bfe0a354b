package demo

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/localpg"
)

func TestParseResult(t *testing.T) {
	tests := []struct {
		name string
		said string
		want result
	}{
		{"good run", `
transaction type: <builtin: TPC-B (sort of)>
number of clients: 8
number of transactions actually processed: 26012
number of failed transactions: 0 (0.000%)
latency average = 4.610 ms
tps = 1736.405709 (without initial connection time)`,
			result{processed: 26012, rate: "1736 a second", complete: true}},
		{"good run before PostgreSQL 15", `
number of transactions actually processed: 8001
tps = 99.1 (including connections establishing)`,
			result{processed: 8001, rate: "99 a second", complete: true}},
		{"bounded number of transactions", "number of transactions actually processed: 80/80", result{processed: 80, complete: true}},
		{"failed transactions", `
number of transactions actually processed: 10
number of failed transactions: 3 (23.077%)`,
			result{processed: 10, failed: 3, complete: true}},
		{"aborted clients", `
pgbench: error: client 3 aborted in command 9 (SQL) of script 0; perhaps the backend died while processing
pgbench: error: client 12 script 0 aborted in command 5 query 0: ERROR:  no
number of transactions actually processed: 10
number of failed transactions: 0 (0.000%)
pgbench: error: Run was aborted; the above results are incomplete.`,
			result{processed: 10, aborted: 2, complete: true}},
		{"aborted without a client's word", "pgbench: error: Run was aborted; the above results are incomplete.", result{aborted: 1}},
		{"no connection", "pgbench: error: connection to server failed", result{}},
		{"number beyond all numbers", "number of transactions actually processed: 99999999999999999999999", result{processed: 1<<63 - 1}},
		{"nothing", "", result{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseResult(strings.Split(tt.said, "\n")); got != tt.want {
				t.Errorf("parseResult = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	tests := []struct {
		line string
		want time.Duration
		ok   bool
	}{
		{"progress: 7.5 s, 1373.6 tps, lat 5.826 ms stddev 2.155, 0 failed", 7500 * time.Millisecond, true},
		{"progress: 12.0 s, 0.0 tps, lat 0.000 ms stddev 0.000", 12 * time.Second, true},
		{"progress: 1.2.3 s, 0.0 tps", 0, false},
		{"starting vacuum...end.", 0, false},
		{"number of clients: 8", 0, false},
	}
	for _, tt := range tests {
		if got, ok := progress(tt.line); ok != tt.ok || ok && got != tt.want {
			t.Errorf("progress(%q) = %v, %v, want %v, %v", tt.line, got, ok, tt.want, tt.ok)
		}
	}
}

func TestNodesOutOfService(t *testing.T) {
	status := [][]string{{"node_id", "port", "status"}, {"0", "1", "up"}, {"1", "2", "down"}, {"2", "3", "quarantine"}}
	if got := without(status, "up"); !reflect.DeepEqual(got, []int{1, 2}) {
		t.Errorf("without = %v, want [1 2]", got)
	}
}

func TestPickKeepsColumnsThatAreThere(t *testing.T) {
	rows := [][]string{{"a", "b", "c"}, {"1", "2", "3"}}
	if got, want := pick(rows, "c", "missing", "a"), [][]string{{"c", "a"}, {"3", "1"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("pick = %v, want %v", got, want)
	}
}

func TestComparison(t *testing.T) {
	a := listing{[]string{"t", "u"}, map[string]content{"t": {"2", "x"}, "u": {"0", "y"}}}
	tests := []struct {
		name   string
		others []listing
		faults []string
		says   string
	}{
		{"equal", []listing{a, a}, nil, "t  2 rows  digest x  equal"},
		{"other rows on the last", []listing{a, {a.tables, map[string]content{"t": {"2", "z"}, "u": {"0", "y"}}}},
			[]string{"nodes 0 and 2: table t has 2 rows with digest x, and 2 rows with digest z"}, "t  2 rows  digest x  DIFFERENT"},
		{"table missing", []listing{{[]string{"t"}, map[string]content{"t": {"2", "x"}}}, a},
			[]string{"nodes 0 and 1: one has the tables [t u], the other [t]"}, "u  0 rows  digest y  DIFFERENT"},
		{"table too many", []listing{a, {[]string{"t", "u", "v"}, map[string]content{"t": {"2", "x"}, "u": {"0", "y"}, "v": {"1", "q"}}}},
			[]string{"nodes 0 and 2: one has the tables [t u], the other [t u v]"}, "u  0 rows  digest y  equal"},
		{"nobody else", nil, nil, "t  2 rows  digest x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var said bytes.Buffer
			s := &story{out: newPrinter(&said)}
			nodes := []*localpg.Node{{ID: 0}, {ID: 1}, {ID: 2}}
			s.compareListings(nodes[:1+len(tt.others)], append([]listing{a}, tt.others...))
			if !reflect.DeepEqual(s.faults, tt.faults) {
				t.Errorf("faults %q, want %q", s.faults, tt.faults)
			}
			if !strings.Contains(said.String(), tt.says) {
				t.Errorf("said\n%swant %q", said.String(), tt.says)
			}
		})
	}
}

func TestComparisonOfNothing(t *testing.T) {
	s := &story{out: newPrinter(&bytes.Buffer{})}
	s.compareListings([]*localpg.Node{{ID: 0}, {ID: 1}}, []listing{{}, {}})
	if len(s.faults) != 1 {
		t.Errorf("faults %q, want one: a database without tables proves nothing", s.faults)
	}
}

func TestVerdictIsAnErrorAfterAFault(t *testing.T) {
	var said bytes.Buffer
	s := &story{opts: Options{Nodes: 3}, out: newPrinter(&said)}
	s.fault("%d transactions failed", 2)
	if err := s.verdict(t.Context()); err == nil {
		t.Error("the verdict is good")
	}
	if got := said.String(); got != "WRONG: 2 transactions failed\n" {
		t.Errorf("said %q", got)
	}
}

func TestConfigurationIsRead(t *testing.T) {
	cluster := &localpg.Cluster{Dir: `/tmp/a \folder # of "mine"`}
	text := configuration(cluster, 9998)
	for i := range 2 {
		text += fmt.Sprintf("backend_hostname%d = '127.0.0.1'\nbackend_port%d = %d\n", i, i, 5432+i)
	}
	cfg, warnings, err := config.Parse("pgpool.conf", []byte(text), nil)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Parse: %v, %v\n%s", err, warnings, text)
	}
	if cfg.ClusteringMode != config.NativeReplication || cfg.Listen.Port != 9998 || cfg.Files.WorkDir != cluster.Dir {
		t.Errorf("mode %s, port %d, work_dir %q", cfg.ClusteringMode, cfg.Listen.Port, cfg.Files.WorkDir)
	}
}

func TestFolderThatNoConfigurationCanName(t *testing.T) {
	for _, dir := range []string{"/tmp/it's", "/tmp/a,b", "/tmp/a\nport = 1"} {
		if _, err := startServer(t.Context(), "/bin/false", &localpg.Cluster{Dir: dir}, 9998); err == nil || !strings.Contains(err.Error(), "cannot name") {
			t.Errorf("startServer in %q = %v", dir, err)
		}
	}
}

func TestPortThatIsTaken(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	number := listener.Addr().(*net.TCPAddr).Port
	want := fmt.Sprintf("port %d is taken by another program: choose another with --port", number)
	if _, err := takePort(number); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("takePort = %v, want %q", err, want)
	}
}

func TestAnyPortThatIsFree(t *testing.T) {
	p, err := takePort(0)
	if err != nil || p.number == 0 {
		t.Fatalf("takePort(0) = %+v, %v", p, err)
	}
	if err := p.release(); err != nil {
		t.Error(err)
	}
}

func TestProcessThatIgnoresItsSignalIsKilled(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "trap '' INT; echo ready; while :; do sleep 60; done")
	cmd.Stdout = write
	p, err := spawn(cmd)
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }() // its sleep
	if _, err := read.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := p.stop(syscall.SIGINT, time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("stop = %v, want word of the kill", err)
	}
	if err := p.stop(syscall.SIGINT, time.Millisecond); err != nil {
		t.Errorf("stop of what has ended = %v", err)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	if _, err := spawn(exec.CommandContext(t.Context(), "/does/not/exist")); err == nil {
		t.Error("spawn started a program that is not there")
	}
}

func TestLogTail(t *testing.T) {
	s := &server{logFile: filepath.Join(t.TempDir(), "log")}
	if got := s.logTail(2); !strings.Contains(got, "no such file") {
		t.Errorf("logTail without a log = %q", got)
	}
	text := strings.Repeat("long ago\n", maxLogTail) + "one\ntwo\nthree\n"
	if err := os.WriteFile(s.logFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.logTail(2); got != "two\nthree" {
		t.Errorf("logTail = %q, want the last two lines", got)
	}
}
