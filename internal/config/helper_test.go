package config

import (
	"fmt"
	"strings"
	"testing"
)

// twoNodes is the least that is accepted, for tests to add lines to.
const twoNodes = `
backend_clustering_mode = native_replication
backend_hostname0 = '10.0.0.1'
backend_port0 = 5432
backend_hostname1 = '10.0.0.2'
backend_port1 = 5432
`

// parse reads lines behind those of two nodes; the first of them is line 1.
func parse(lines string) (*Config, []Warning, error) {
	return Parse("pgpool.conf", []byte(lines+"\n"+twoNodes), noIncludes)
}

func mustParse(t testing.TB, lines string) *Config {
	t.Helper()
	cfg, _, err := parse(lines)
	if err != nil {
		t.Fatalf("parse %q: %v", lines, err)
	}
	return cfg
}

func noIncludes(path string) ([]byte, error) { return nil, fmt.Errorf("open %s: no such file", path) }

// errorLines is an error as its lines, none for nil.
func errorLines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func warningLines(warnings []Warning) []string {
	var lines []string
	for _, w := range warnings {
		lines = append(lines, w.String())
	}
	return lines
}
