package hazard

import (
	"fmt"
	"strings"
)

// hazard is one case.
type hazard struct {
	name    string
	steps   []step
	outcome string
	comment string // lines in front of it
}

// step is one line of a script.
type step struct {
	who string // setup, a, b, a&, a=, node 0, nodes, check, verify
	sql string // or the text that a report has to have
	// input is what stands behind <<: the parameters of an extended query, or the
	// data of a COPY.
	input string
}

// inputMark stands before the input of a statement.
const inputMark = " << "

func newStep(who, text string) step {
	sql, input, _ := strings.Cut(text, inputMark)
	return step{who, sql, input}
}

// String is the line that newStep reads.
func (s step) String() string {
	line := s.who + " " + s.sql
	if s.input != "" {
		line += inputMark + s.input
	}
	return line
}

// parse reads the cases of a file.
func parse(text string) ([]hazard, error) {
	var all []hazard
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		h, err := parseOne(block)
		if err != nil {
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

func parseOne(block string) (hazard, error) {
	var h hazard
	script, outcome, found := strings.Cut(block, "\n----\n")
	if !found {
		return h, fmt.Errorf("no ---- in:\n%s", block)
	}
	h.outcome = strings.TrimSpace(outcome)
	for line := range strings.SplitSeq(script, "\n") {
		who, sql, _ := strings.Cut(line, " ")
		switch who {
		case "#":
			h.comment += line + "\n"
		case "hazard":
			h.name = sql
		case "node":
			id, rest, _ := strings.Cut(sql, " ")
			h.steps = append(h.steps, newStep("node "+id, rest))
		case "setup", "a", "b", "a&", "b&", "a=", "b=", "nodes", "login", "check", "verify":
			h.steps = append(h.steps, newStep(who, sql))
		default:
			return h, fmt.Errorf("%q: expected hazard, setup, a, b, a&, b&, a=, b=, node, nodes, login, check or verify", line)
		}
	}
	if h.name == "" || len(h.steps) == 0 {
		return h, fmt.Errorf("no name or no steps in:\n%s", block)
	}
	return h, nil
}

// render is the form that parse reads.
func render(all []hazard) string {
	var b strings.Builder
	for i, h := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%shazard %s\n", h.comment, h.name)
		for _, s := range h.steps {
			fmt.Fprintln(&b, s)
		}
		fmt.Fprintf(&b, "----\n%s\n", h.outcome)
	}
	return b.String()
}
