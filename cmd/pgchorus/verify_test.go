package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/verify"
)

func TestVerifySaysWhoKeepsOtherModesEqual(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{
		"streaming_replication": "PostgreSQL itself keeps the nodes equal",
		"logical_replication":   "PostgreSQL itself keeps the nodes equal",
		"raw":                   "not replicas of each other",
	} {
		file := filepath.Join(t.TempDir(), "pgpool.conf")
		if err := os.WriteFile(file, []byte("backend_clustering_mode = "+mode+"\nbackend_hostname0 = 'x'\nbackend_port0 = 5432\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := verifyNodes(t.Context(), serveFlags{configFile: file}, verify.Options{}, "", io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", mode, err, want)
		}
	}
}

func TestVerifyErrorsCarryTheirExitCode(t *testing.T) {
	t.Parallel()
	var coded interface{ ExitCode() int }
	if err := error(&verifyError{exitUnchecked, io.EOF}); !errors.As(err, &coded) || coded.ExitCode() != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("%v does not carry code and cause", err)
	}
}

func TestVerifyMeter(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	m := newVerifyMeter(&out)
	m.show(verify.Progress{Database: "shop", Tables: 1, TablesTotal: 4, Bytes: 10, BytesTotal: 40})
	m.end()
	if out.Len() > 0 {
		t.Errorf("a short comparison shows %q where there is no terminal", out.String())
	}
	m.terminal, m.shown = true, m.shown.Add(-lineInterval)
	m.show(verify.Progress{Database: "shop", Tables: 2, TablesTotal: 4, Bytes: 20, BytesTotal: 40})
	want := "\r[" + strings.Repeat("#", 15) + strings.Repeat(" ", 15) + "] database shop: 2 of 4 tables, 50 %"
	if out.String() != want {
		t.Errorf("bar %q, want %q", out.String(), want)
	}
	if m.end(); !strings.HasSuffix(out.String(), " \r") {
		t.Errorf("the bar is not wiped: %q", out.String())
	}
}
