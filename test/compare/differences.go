package compare

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// Case is one statement of a script as it was played: what comes before it in its
// script is part of it, since it may change where it runs.
type Case struct {
	Mode     string // of backend_clustering_mode
	Group    string // the configuration, by the name of its group
	Protocol string // simple or extended
	Script   string // the statements up to this one, with "; " in between
}

// Outcome is where a statement ran and how it ended: such as "1", "0,1,2", "none" or
// "0!25006".
type Outcome string

// Pair is what came of a statement at Pgpool-II and at pgchorus.
type Pair struct {
	Pgpool, Ours Outcome
}

// Difference is a reason for which cases end differently.
type Difference struct {
	Line    int
	Title   string
	Reason  string
	Section string // of docs/compatibility.md
}

// List is differences.txt: the known differences by case.
type List struct {
	Differences []*Difference
	Cases       map[Case]Known
}

// Known is a case of the list.
type Known struct {
	Pair
	Line       int
	Difference *Difference
}

// LoadList reads a list. It has paragraphs of
//
//	difference TITLE
//	reason TEXT             may go on in further lines of "reason"
//	section HEADING         of docs/compatibility.md
//	in MODE...: GROUP
//	PROTOCOL PGPOOL OURS SCRIPT
//
// where the last two repeat. PROTOCOL is simple, extended or both. Lines that begin
// with # and empty ones are skipped.
func LoadList(file string) (*List, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := listReader{list: &List{Cases: map[Case]Known{}}}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		r.line++
		if err := r.read(lines.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, r.line, err)
		}
	}
	return r.list, lines.Err()
}

// listReader is where in a file LoadList is.
type listReader struct {
	list    *List
	line    int
	current *Difference
	modes   []string
	group   string
}

func (r *listReader) read(text string) error {
	if text == "" || strings.HasPrefix(text, "#") {
		return nil
	}
	word, rest, _ := strings.Cut(text, " ")
	if word == "difference" {
		r.current = &Difference{Line: r.line, Title: rest}
		r.list.Differences = append(r.list.Differences, r.current)
		r.modes, r.group = nil, ""
		return nil
	}
	if r.current == nil {
		return fmt.Errorf("%q before the first difference", word)
	}
	switch word {
	case "reason":
		r.current.Reason = strings.TrimSpace(r.current.Reason + " " + rest)
	case "section":
		r.current.Section = rest
	case "in":
		modes, group, _ := strings.Cut(rest, ": ")
		r.modes, r.group = strings.Fields(modes), group
	case "simple", "extended":
		return r.add(rest, word)
	case "both":
		return r.add(rest, "simple", "extended")
	default:
		return fmt.Errorf("%q is nothing of this list", word)
	}
	return nil
}

// add enters a statement as a case of each mode and protocol.
func (r *listReader) add(text string, protocols ...string) error {
	fields := strings.SplitN(text, " ", 3)
	if len(fields) < 3 || r.group == "" {
		return fmt.Errorf("%q is no case of a group", text)
	}
	pair := Pair{Pgpool: Outcome(fields[0]), Ours: Outcome(fields[1])}
	for _, mode := range r.modes {
		for _, protocol := range protocols {
			c := Case{Mode: mode, Group: r.group, Protocol: protocol, Script: fields[2]}
			if known, twice := r.list.Cases[c]; twice {
				return fmt.Errorf("line %d has this case already", known.Line)
			}
			r.list.Cases[c] = Known{Pair: pair, Line: r.line, Difference: r.current}
		}
	}
	return nil
}
