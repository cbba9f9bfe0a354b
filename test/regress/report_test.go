package regress

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadReport(t *testing.T) {
	report := ReadReport(`(using postmaster on 127.0.0.1, port 5432)
============== creating database "regression"         ==============
CREATE DATABASE
test test_setup                   ... ok          412 ms
parallel group (3 tests):  char boolean random
     boolean                      ... ok          101 ms
     char                         ... FAILED       87 ms
     random                       ... failed (ignored)       87 ms
test stats                        ... FAILED (test process exited with exit code 2)     3 ms

=======================
 2 of 5 tests failed.
=======================
`)
	want := Report{"test_setup": true, "boolean": true, "char": false, "random": false, "stats": false}
	if !maps.Equal(report, want) {
		t.Errorf("ReadReport = %v, want %v", report, want)
	}
	if got := report.Passed(); got != 2 {
		t.Errorf("Passed = %d, want 2", got)
	}
}

func TestReadAccepted(t *testing.T) {
	tests := []struct {
		name string
		text string
		want Accepted
		err  string // a part of it
	}{
		{"rows of a table", "# Head\n\n| test | reason |\n|---|---|\n| `regress/temp` | because |\n", Accepted{"regress/temp": "because"}, ""},
		{"other tables", "| `make regress` | runs them |\n", Accepted{}, ""},
		{"no reason", "| `regress/temp` |  |\n", nil, "without a reason"},
		{"twice", "| `regress/temp` | a |\n| `regress/temp` | b |\n", nil, "twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "regression.md")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ReadAccepted(file)
			if err != nil && (tt.err == "" || !strings.Contains(err.Error(), tt.err)) || err == nil && tt.err != "" {
				t.Fatalf("ReadAccepted: %v, want %q in it", err, tt.err)
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("ReadAccepted = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSometimes(t *testing.T) {
	accepted := Accepted{"regress/always": "because", "regress/luck": "sometimes: a gap"}
	for name, want := range map[string]bool{"regress/always": false, "regress/luck": true, "regress/other": false} {
		if got := accepted.Sometimes(name); got != want {
			t.Errorf("Sometimes(%s) = %t", name, got)
		}
	}
}

// The list is read by `make regress`.
func TestListOfAcceptedDeviations(t *testing.T) {
	accepted, err := ReadAccepted("../../docs/regression.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range accepted {
		if suite, test, _ := strings.Cut(name, "/"); suite != "regress" && suite != "isolation" || test == "" {
			t.Errorf("docs/regression.md: %s is no test of a suite", name)
		}
	}
}
