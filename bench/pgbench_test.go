package main

import (
	"reflect"
	"testing"
)

const pgbenchSaid = `pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: <builtin: select only>
scaling factor: 10
query mode: simple
number of clients: 8
number of threads: 2
maximum number of tries: 1
duration: 2 s
number of transactions actually processed: 84123
number of failed transactions: 0 (0.000%)
latency average = 0.190 ms
initial connection time = 9.512 ms
tps = 42105.263158 (without initial connection time)
`

func TestParsePgbench(t *testing.T) {
	tests := []struct {
		name, said, fault string
		want              outcome
	}{
		{"ordinary run", pgbenchSaid, "", outcome{Rate: 42105.263158, LatencyMS: 0.19, Done: 84123}},
		{"reconnecting", "number of transactions actually processed: 700\nlatency average = 11.4 ms\naverage connection time = 2.1 ms\ntps = 350.5 (including reconnection times)\n",
			"", outcome{Rate: 350.5, LatencyMS: 11.4, Done: 700}},
		{"failed transactions", "number of transactions actually processed: 7\nnumber of failed transactions: 2 (22.222%)\ntps = 3.5 (without initial connection time)\n",
			"2 transactions failed", outcome{Rate: 3.5, Done: 7}},
		{"aborted client", "pgbench: error: client 3 aborted in command 0 (SQL) of script 0; perhaps the backend died while processing\n" + pgbenchSaid,
			"pgbench: error: client 3 aborted in command 0 (SQL) of script 0; perhaps the backend died while processing",
			outcome{Rate: 42105.263158, LatencyMS: 0.19, Done: 84123}},
		{"nothing", "", "pgbench reported no transactions", outcome{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePgbench(tt.said)
			checkOutcome(t, got, tt.want, err, tt.fault)
		})
	}
}

func TestParseCopy(t *testing.T) {
	tests := []struct {
		name, said, fault string
		want              outcome
	}{
		{"ordinary run", "Timing is on.\nCOPY 1000\nTime: 500.000 ms\n", "", outcome{Rate: 2000, LatencyMS: 500, Done: 1000}},
		{"longer than a second", "Time: 2000.000 ms (00:02.000)\n", "", outcome{Rate: 500, LatencyMS: 2000, Done: 1000}},
		{"refused", "psql:x:1: ERROR:  relation \"bench_copy\" does not exist\n", `psql:x:1: ERROR:  relation "bench_copy" does not exist`, outcome{}},
		{"silent", "", "psql did not say how long COPY took", outcome{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCopy(tt.said, 1000)
			checkOutcome(t, got, tt.want, err, tt.fault)
		})
	}
}

func checkOutcome(t *testing.T, got, want outcome, err error, fault string) {
	t.Helper()
	if said := textOf(err); said != fault {
		t.Errorf("error %q, want %q", said, fault)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("outcome %+v, want %+v", got, want)
	}
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestTogetherIsWhatOneOfSeveralServersDid(t *testing.T) {
	got := together([]outcome{{Rate: 100, LatencyMS: 1, Done: 10}, {Rate: 200, LatencyMS: 2, Done: 20}, {Rate: 300, LatencyMS: 3, Done: 30}})
	if want := (outcome{Rate: 200, LatencyMS: 2, Done: 20}); !reflect.DeepEqual(got, want) {
		t.Errorf("together = %+v, want %+v", got, want)
	}
}
