package demo

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// result is what pgbench's closing lines say.
type result struct {
	processed int
	failed    int
	aborted   int    // clients that gave up, each with a line of its own
	rate      string // such as "812 transactions a second"
	complete  bool   // the number of transactions was there
}

// The lines of pgbench.c's printProgressReport, printResults, and the several places
// that abort a client. Before PostgreSQL 15 no transaction failed without aborting its
// client, and there is no line about it.
var (
	progressLine  = regexp.MustCompile(`^progress: ([0-9.]+) s, `)
	processedLine = regexp.MustCompile(`^number of transactions actually processed: ([0-9]+)`)
	failedLine    = regexp.MustCompile(`^number of failed transactions: ([0-9]+)`)
	abortedLine   = regexp.MustCompile(`client [0-9]+ (?:script [0-9]+ )?aborted`)
	rateLine      = regexp.MustCompile(`^tps = ([0-9]+)`)
)

// progress is how far into the load pgbench was when it wrote the line.
func progress(line string) (time.Duration, bool) {
	found := progressLine.FindStringSubmatch(line)
	if found == nil {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(found[1], 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}

func parseResult(said []string) result {
	var r result
	for _, line := range said {
		switch {
		case processedLine.MatchString(line):
			r.processed, r.complete = number(processedLine, line)
		case failedLine.MatchString(line):
			r.failed, _ = number(failedLine, line)
		case abortedLine.MatchString(line):
			r.aborted++
		case rateLine.MatchString(line):
			r.rate = rateLine.FindStringSubmatch(line)[1] + " a second"
		case strings.Contains(line, "Run was aborted"):
			r.aborted = max(r.aborted, 1)
		}
	}
	return r
}

func number(pattern *regexp.Regexp, line string) (int, bool) {
	n, err := strconv.Atoi(pattern.FindStringSubmatch(line)[1])
	return n, err == nil
}
