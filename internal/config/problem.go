package config

import (
	"fmt"
	"strings"
)

// Problem is one thing in a configuration that is refused.
type Problem struct {
	File  string // empty when no single place is to blame
	Line  int    // counted from 1; 0 when no line is to blame
	Name  string // the parameter; empty for errors of syntax
	Value string // as written; secrets are masked
	Text  string // what is wrong and what would be accepted
}

func (p *Problem) Error() string {
	text := place(p.File, p.Line)
	switch {
	case p.Name != "" && p.Value != "":
		text += fmt.Sprintf("%s = %q: ", p.Name, p.Value)
	case p.Name != "":
		text += p.Name + ": "
	}
	return text + p.Text
}

// Problems is everything that is wrong, at most maxProblems of it.
type Problems []*Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each Problem, for errors.As.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// Warning is something that is accepted although the operator should know of it.
type Warning struct {
	File string
	Line int // 0 when no line is meant
	Name string
	Text string
}

func (w Warning) String() string {
	text := place(w.File, w.Line)
	if w.Name != "" {
		text += w.Name + ": "
	}
	return text + w.Text
}

func place(file string, line int) string {
	switch {
	case file == "":
		return ""
	case line == 0:
		return file + ": "
	}
	return fmt.Sprintf("%s:%d: ", file, line)
}
