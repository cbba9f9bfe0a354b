package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// outcome is what pgbench or psql said about its work.
type outcome struct {
	Rate      float64 // units a second
	LatencyMS float64 // of one transaction, on average; 0 where nobody said
	Done      int     // units
	// P50MS and P99MS are what half and 99 of 100 transactions took at most, of a sample;
	// 0 where nobody looked.
	P50MS, P99MS float64

	latencies []time.Duration // the sample, in no order
}

// The closing lines of pgbench (printResults in pgbench.c). With -C the rate includes
// connecting; without, it does not.
var (
	rateLine    = regexp.MustCompile(`(?m)^tps = ([0-9.]+) `)
	latencyLine = regexp.MustCompile(`(?m)^latency average = ([0-9.]+) ms`)
	doneLine    = regexp.MustCompile(`(?m)^number of transactions actually processed: ([0-9]+)`)
	// Before PostgreSQL 15 no transaction could fail without aborting its client.
	failedLine = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+)`)
	faultLine  = regexp.MustCompile(`(?m)^.*(?:error|fatal|ERROR|FATAL|PANIC|aborted).*$`)
)

// parsePgbench reads pgbench's words. A single failed transaction or aborted client is
// an error: such a run did other work than the others.
func parsePgbench(said string) (outcome, error) {
	var o outcome
	o.Rate = number(rateLine, said)
	o.LatencyMS = number(latencyLine, said)
	o.Done = int(number(doneLine, said))
	if failed := int(number(failedLine, said)); failed > 0 {
		return o, fmt.Errorf("%d transactions failed", failed)
	}
	if fault := firstFault(said); fault != "" {
		return o, errors.New(fault)
	}
	if o.Done == 0 || o.Rate == 0 {
		return o, errors.New("pgbench reported no transactions")
	}
	return o, nil
}

// timeLine is psql's \timing (PrintTiming in common.c).
var timeLine = regexp.MustCompile(`(?m)^Time: ([0-9.]+) ms`)

// parseCopy reads psql's words about a COPY of so many rows.
func parseCopy(said string, count int) (outcome, error) {
	if fault := firstFault(said); fault != "" {
		return outcome{}, errors.New(fault)
	}
	ms := number(timeLine, said)
	if ms == 0 {
		return outcome{}, errors.New("psql did not say how long COPY took")
	}
	return outcome{Rate: float64(count) * 1000 / ms, LatencyMS: ms, Done: count}, nil
}

// firstFault is the first line that tells of an error.
func firstFault(said string) string { return strings.TrimSpace(faultLine.FindString(said)) }

// number is what the first group of pattern matched, 0 where it did not.
func number(pattern *regexp.Regexp, text string) float64 {
	found := pattern.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return 0
	}
	return value
}

// together is the outcome of the same work done on several servers at once: what one
// of them did on average.
func together(parts []outcome) outcome {
	var sum outcome
	for _, p := range parts {
		sum.Rate += p.Rate
		sum.LatencyMS += p.LatencyMS
		sum.Done += p.Done
		sum.latencies = append(sum.latencies, p.latencies...)
	}
	n := len(parts)
	o := outcome{Rate: sum.Rate / float64(n), LatencyMS: sum.LatencyMS / float64(n), Done: sum.Done / n}
	o.P50MS, o.P99MS = percentile(sum.latencies, 50), percentile(sum.latencies, 99)
	return o
}
