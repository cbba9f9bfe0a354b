package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptionsThatCannotWork(t *testing.T) {
	good := Options{Nodes: 3, Port: 9999, Load: 15 * time.Second, Kill: 1}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"one node", func(o *Options) { o.Nodes, o.Kill = 1, 0 }, "--nodes 1: expected 2 to 32"},
		{"too many nodes", func(o *Options) { o.Nodes = 33 }, "--nodes 33: expected 2 to 32"},
		{"kill of a node that is not there", func(o *Options) { o.Kill = 3 }, "--kill 3: expected a node from 0 to 2"},
		{"kill of a negative node", func(o *Options) { o.Kill = -1 }, "--kill -1: expected"},
		{"load that is too short for a kill in its middle", func(o *Options) { o.Load = time.Second }, "--load-seconds 1: expected at least 4"},
		{"port that is none", func(o *Options) { o.Port = 65536 }, "--port 65536: expected 0 to 65535"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := good
			tt.change(&opts)
			if err := Run(t.Context(), opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run = %v, want %q", err, tt.want)
			}
		})
	}
}

// TestDemo is the demo itself, with real nodes, as `make demo ARGS=--once` runs it.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	program := filepath.Join(t.TempDir(), "pgchorus")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/pgchorus").CombinedOutput(); err != nil {
		t.Fatalf("build pgchorus: %v\n%s", err, out)
	}
	var said bytes.Buffer
	err := Run(t.Context(), Options{Nodes: 3, Load: minLoad, Kill: 0, Once: true, Server: program, Out: &said})
	if err != nil {
		t.Fatalf("Run = %v\n%s", err, said.String())
	}
	for _, want := range []string{
		"Node 0 is killed now", "0 failed, 0 clients aborted", "each transaction is there, and there once", "public.pgbench_accounts",
		"Node 0 died under load, no client noticed, and the nodes left are equal.",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the demo did not say %q", want)
		}
	}
	if strings.Contains(said.String(), "\x1b") {
		t.Error("the demo uses colours where there is no terminal")
	}
	wantGone(t, said.String())
	if t.Failed() {
		t.Log(said.String())
	}
}

// wantGone looks for the folder that the demo named.
func wantGone(t *testing.T, said string) {
	t.Helper()
	_, rest, found := strings.Cut(said, "Each is a server of its own, in ")
	dir, _, _ := strings.Cut(rest, ",")
	if _, err := os.Stat(dir); !found || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %q is still there: %v", dir, err)
	}
}

func TestServerThatEndsByItselfIsNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("needs PostgreSQL servers, which -short leaves out")
	}
	var said bytes.Buffer
	err := Run(t.Context(), Options{Nodes: 2, Load: minLoad, Once: true, Server: "/bin/false", Out: &said})
	if err == nil || !strings.Contains(err.Error(), "pgchorus ended by itself: exit status 1") {
		t.Errorf("Run = %v\n%s", err, said.String())
	}
	wantGone(t, said.String())
}

func TestInterruptedBeforeTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var said bytes.Buffer
	err := Run(ctx, Options{Nodes: 2, Load: minLoad, Once: true, Server: "/bin/false", Out: &said})
	if err == nil || err.Error() != "interrupted before the end" {
		t.Errorf("Run = %v\n%s", err, said.String())
	}
}
