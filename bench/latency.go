package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// latencySample is the share of transactions whose time pgbench writes down: enough for a
// percentile, and too few for the writing to be felt.
const latencySample = "0.1"

// latencyPrefix begins the names of pgbench's log files of a run at a port.
func (b *bench) latencyPrefix(port int) string {
	return filepath.Join(b.cluster.Dir, latencyDir, strconv.Itoa(port))
}

// latencyDir is a folder that pgbench, as the servers' user, may write into.
const latencyDir = "latency"

func latencyArguments(prefix string) []string {
	return []string{"--log", "--log-prefix=" + prefix, "--sampling-rate=" + latencySample}
}

// takeLatencies reads and removes the log files of a run: one for each of its threads.
func takeLatencies(prefix string) ([]time.Duration, error) {
	files, err := filepath.Glob(prefix + ".*")
	if err != nil {
		return nil, err
	}
	var all []time.Duration
	var errs []error
	for _, file := range files {
		own, err := readLatencies(file)
		all = append(all, own...)
		errs = append(errs, err, os.Remove(file))
	}
	return all, errors.Join(errs...)
}

func readLatencies(path string) ([]time.Duration, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []time.Duration
	for lines := bufio.NewScanner(file); lines.Scan(); {
		latency, err := parseLatency(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("pgbench's log: %q: %w", lines.Text(), err)
		}
		all = append(all, latency)
	}
	return all, nil
}

// parseLatency reads a line of pgbench's log: client, transaction, microseconds and more
// (pgbench, "Per-Transaction Logging").
func parseLatency(line string) (time.Duration, error) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return 0, errors.New("fewer than three fields")
	}
	micros, err := strconv.ParseInt(fields[2], 10, 64)
	return time.Duration(micros) * time.Microsecond, err
}

// percentile is what so many of a hundred are not above, in milliseconds; 0 for nothing.
func percentile(all []time.Duration, percent int) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	at := (len(sorted)*percent + 99) / 100
	return float64(sorted[max(at, 1)-1].Microseconds()) / 1000
}
