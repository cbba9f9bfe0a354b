package main

import (
	"errors"
	"flag"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-rounds 0", "-rounds 0: expected at least 1"},
		{"-seconds 0", "-seconds 0: expected at least 1"},
		{"-clients 1,x", `-clients: "x": expected numbers from 1 to 64`},
		{"-clients 65", `-clients: "65": expected numbers from 1 to 64`},
		{"-clients -1", `-clients: "-1": expected numbers from 1 to 64`},
		{"-targets bare,haproxy", `-targets: "haproxy": expected some of bare,pgbouncer,pgpool,pgchorus,trio`},
		{"-scenario (", "-scenario: error parsing regexp: missing closing ): `(`"},
		{"-profile gpu", `-profile "gpu": expected one of cpu, heap, allocs, goroutine, mutex, block, trace`},
		{"-profile cpu -server x", "-profile needs a pgchorus that is built for it; leave out -server"},
		{"-name ../x", `-name "../x": expected letters, digits, '.', '_' and '-'`},
		{"read", `unexpected argument "read"`},
	}
	for _, tt := range tests {
		_, err := parseOptions(strings.Fields(tt.args), io.Discard)
		if got := textOf(err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	if _, err := parseOptions([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestTargetsKeepTheirOrder(t *testing.T) {
	opts := mustParse(t, "-targets trio,pgchorus,bare")
	if want := []string{bare, pgchorus, trio}; !reflect.DeepEqual(opts.targets, want) {
		t.Errorf("targets %v, want %v", opts.targets, want)
	}
}

func mustParse(t *testing.T, args string) options {
	t.Helper()
	opts, err := parseOptions(strings.Fields(args), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return opts
}

func TestScenariosAreChosenByNameAndClients(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-scenario ^read-simple", "read-simple-1 read-simple-8 read-simple-32"},
		{"-scenario ^read-simple -clients 4", "read-simple-4"},
		{"-scenario ^(tpcb|copy) -clients 2,3", "tpcb-simple-2 tpcb-simple-3 copy-1 copy-out-1"},
		{"-scenario ^nodes", "nodes-1/read-simple-8 nodes-1/update-simple-8 nodes-2/read-simple-8 nodes-2/update-simple-8 nodes-5/read-simple-8 nodes-5/update-simple-8"},
		{"-scenario ^clients/update -clients 8", "clients/update-simple-256 clients/update-simple-1000"},
		{"-scenario nonsense", ""},
	}
	for _, tt := range tests {
		opts := mustParse(t, tt.args)
		var names []string
		for _, s := range scenarios(opts.scenario, opts.clients) {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestPgbenchArguments(t *testing.T) {
	tests := []struct{ scenario, want string }{
		{"read-prepared-1", "-n -c 1 -j 1 -S -M prepared"},
		{"update-simple-8", "-n -c 8 -j 2 -f update.sql -D scale=10 -M simple"},
		{"connect-8", "-n -c 8 -j 2 -S -C -M simple"},
		{"mix-90-10-simple-8", "-n -c 8 -j 2 -b select-only@9 -f update.sql@1 -D scale=10 -M simple"},
		{"snapshot/read-simple-8", "-n -c 8 -j 2 --max-tries=10 -S -M simple"},
	}
	for _, tt := range tests {
		opts := mustParse(t, "-scenario ^"+tt.scenario+"$")
		found := scenarios(opts.scenario, nil)
		if got := strings.Join(found[0].pgbenchArguments(), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.scenario, got, tt.want)
		}
	}
}

func TestThreeServersAtOnceAreAYardstickForWritesOnly(t *testing.T) {
	b := newBench(mustParse(t, "-scenario ^(read-simple-1|tpcb-simple-8)$ -rounds 2"), nil, io.Discard)
	if got := b.runs(); got != 2*4+2*5 {
		t.Errorf("%d runs, want 18", got)
	}
}

func TestTheDefaultRunTakesAtMostTwentyFiveMinutes(t *testing.T) {
	if got := newBench(mustParse(t, ""), nil, io.Discard).estimate(); got.Minutes() > 25 {
		t.Errorf("about %v", got)
	}
}

func TestOnlyWhatIsChosenIsStarted(t *testing.T) {
	tests := []struct {
		args               string
		nodes, connections int
	}{
		{"-scenario ^read-simple-8$", 3, 4*40 + 20},
		{"-scenario ^nodes-5/", 5, 3*40 + 20},
		{"-scenario ^raw/", 1, 4*40 + 20},
		{"-scenario ^streaming/", 1, 3*40 + 20},
		{"-scenario ^clients/read-simple", 3, 2*1008 + 20}, // one proxy at a time
		{"-scenario ^idle", 1, minConnections},
	}
	for _, tt := range tests {
		b := newBench(mustParse(t, tt.args), nil, io.Discard)
		if n, c := b.nodesWanted(), b.maxConnections(); n != tt.nodes || c != tt.connections {
			t.Errorf("%s: %d nodes for %d connections, want %d for %d", tt.args, n, c, tt.nodes, tt.connections)
		}
	}
}

func TestMemcachedIsWantedForItsSetupOnly(t *testing.T) {
	for args, want := range map[string]bool{"": false, "-scenario ^memcached/hit": true, "-scenario ^cache/": false, "-scenario ^memcached/nonsense": false} {
		if got := newBench(mustParse(t, args), nil, io.Discard).wants(memcachedProgram); got != want {
			t.Errorf("%q: %v, want %v", args, got, want)
		}
	}
}

func TestIdleClientsAreCountedForProxiesOnly(t *testing.T) {
	tests := []struct {
		args string
		want bool
	}{
		{"", true},
		{"-scenario idle", true},
		{"-scenario idle -targets bare,trio", false},
		{"-scenario ^read", false},
	}
	for _, tt := range tests {
		if got := mustParse(t, tt.args).wantsIdle(); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.args, got, tt.want)
		}
	}
}
