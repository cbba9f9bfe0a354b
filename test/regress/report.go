package regress

import (
	"bufio"
	"regexp"
	"strings"
)

// Report is what came of a suite: for each test that ran, whether it passed.
type Report map[string]bool

// lineOfTest is a line of pg_regress: "test boolean ... ok 12 ms", or without the first
// word in a group that runs in parallel. "failed (ignored)" is a failure here too.
var lineOfTest = regexp.MustCompile(`^(?:test| {4}) +(\S+) +\.\.\. (ok|FAILED|failed \(ignored\))`)

// ReadReport reads what pg_regress printed.
func ReadReport(output string) Report {
	report := Report{}
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		if found := lineOfTest.FindStringSubmatch(lines.Text()); found != nil {
			report[found[1]] = found[2] == "ok"
		}
	}
	return report
}

// Passed counts the tests that passed.
func (r Report) Passed() int {
	n := 0
	for _, passed := range r {
		if passed {
			n++
		}
	}
	return n
}
