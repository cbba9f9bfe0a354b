package driver

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// scriptPatience ends a script that hangs.
const scriptPatience = 60 * time.Second

// The marks in a transcript; see doc.go.
const (
	sectionMark    = "## "
	unexpectedMark = "!! "
)

// program is a client that prints a transcript.
type program func(t *testing.T, s server) string

// wantSound fails the test unless the transcript of the bare server shows that the
// script itself is right.
func wantSound(t *testing.T, all []section) {
	t.Helper()
	if len(all) < 2 {
		t.Fatalf("the script has no sections:\n%v", all)
	}
	for _, s := range all {
		if slices.ContainsFunc(s.lines, func(line string) bool { return strings.HasPrefix(line, unexpectedMark) }) {
			t.Errorf("the script is wrong, in %q PostgreSQL itself gives:\n%s", s.name, strings.Join(s.lines, "\n"))
		}
	}
}

// compare compares two transcripts section by section.
func compare(t *testing.T, want, got []section) {
	for i, w := range want {
		t.Run(w.name, func(t *testing.T) { compareSection(t, w, find(got, w.name, i)) })
	}
}

func compareSection(t *testing.T, want, got section) {
	if slices.Equal(want.lines, got.lines) {
		return
	}
	t.Errorf("lines that only PostgreSQL (-) or only pgchorus (+) gives:\n%s", strings.Join(difference(want.lines, got.lines), "\n"))
}

// sourceLine is where in PostgreSQL's source an error was raised, as psql shows it.
// Errors that pgchorus raises itself have no such place.
var sourceLine = regexp.MustCompile(`^LOCATION: `)

// chosenOID is a number that a server has chosen for a large object: that depends on what
// other scripts do.
var chosenOID = regexp.MustCompile(`(lo_import|lo_unlink|large object) \d{5}\b`)

// raisedLevel is what snapshot_isolation makes of the two lower isolation levels.
var raisedLevel = regexp.MustCompile(`\bread (un)?committed\b`)

// atIsolation is the transcript that the clustering mode is to give where PostgreSQL
// itself gives this one.
func atIsolation(all []section, mode config.ClusteringMode) []section {
	if mode != config.SnapshotIsolation {
		return all
	}
	raised := slices.Clone(all)
	for i, s := range raised {
		raised[i].lines = slices.Clone(s.lines)
		for j, line := range s.lines {
			if strings.Contains(line, "SHOW transaction_isolation") {
				raised[i].lines[j] = raisedLevel.ReplaceAllString(line, "repeatable read")
			}
		}
	}
	return raised
}

// section is a part of a transcript.
type section struct {
	name  string
	lines []string
}

// sections divides a transcript. What stands before the first mark is the section
// "start", which is empty unless the client could not even begin.
func sections(transcript string) []section {
	all := []section{{name: "start"}}
	for line := range strings.Lines(transcript) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, sectionMark); ok {
			all = append(all, section{name: name})
			continue
		}
		if sourceLine.MatchString(line) {
			continue
		}
		last := &all[len(all)-1]
		last.lines = append(last.lines, chosenOID.ReplaceAllString(line, "$1 OID"))
	}
	return all
}

// find returns the section of that name; where a client came to an early end, one that
// says so.
func find(all []section, name string, i int) section {
	if i < len(all) && all[i].name == name {
		return all[i]
	}
	for _, s := range all {
		if s.name == name {
			return s
		}
	}
	return section{name: name, lines: []string{"(the client did not come this far)"}}
}

// contextLines is how many equal lines are shown before a difference.
const contextLines = 3

// difference is a line diff by the longest common subsequence; transcripts of a section
// are short.
func difference(a, b []string) []string {
	length := commonLengths(a, b)
	var out []string
	var before []string
	say := func(mark, line string) {
		out = append(out, before...)
		before = nil
		out = append(out, mark+line)
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			before = append(before, "  "+a[i])
			before = before[max(0, len(before)-contextLines):]
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			say("- ", a[i])
			i++
		default:
			say("+ ", b[j])
			j++
		}
	}
	return out
}

// commonLengths[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
func commonLengths(a, b []string) [][]int {
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	return length
}

// command runs a client as a child process in an empty folder of its own. What it
// prints is its transcript, also where it fails.
func command(name string, args ...string) program {
	return func(t *testing.T, s server) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), scriptPatience)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = t.TempDir()
		cmd.Env = s.environment()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(&output, "%s%s: %v (%v)\n", unexpectedMark, name, err, context.Cause(ctx))
		}
		return output.String()
	}
}
