package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteSample writes configs/pgpool.conf.sample: every parameter in the order of
// Pgpool-II's documentation, commented out, with its default and a description.
func WriteSample(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, sampleHead)
	for _, s := range sections {
		fmt.Fprintf(out, "\n#%s\n# %s\n#%s\n", strings.Repeat("-", 78), s.title, strings.Repeat("-", 78))
		for i := range s.params {
			if p := &s.params[i]; p.AliasOf == "" && p.Name != replicationMode {
				fmt.Fprintf(out, "\n# %s\n#%s\n", p.sampleComment(), p.sampleSetting())
			}
		}
	}
	return out.Flush()
}

const sampleHead = `# pgpool.conf of pgchorus, with every parameter at its default.
#
# The syntax is Pgpool-II's: name = value. Text with anything but letters, digits
# and . _ - : / stands in single quotes. Sizes take the units B kB MB GB TB, times
# us ms s min h d. "Restart" marks what only a new start changes; the rest follows
# a reload (SIGHUP). See minimal.conf for a file to begin with, and try
# "pgchorus check FILE" on yours.
`

// sampleComment describes p in one line, with where it has no effect.
func (p *Param) sampleComment() string {
	parts := []string{p.comment()}
	if p.Scope != EveryMode {
		parts = append(parts, "Only in "+p.Scope.String()+".")
	}
	switch {
	case p.NotYet():
		parts = append(parts, "No effect yet: "+p.NoEffect+".")
	case p.NoEffect != "":
		parts = append(parts, "No effect: "+p.NoEffect+".")
	}
	return strings.Join(parts, " ")
}

// comment is the description, with the words or the unit, and whether a new value
// needs a restart.
func (p *Param) comment() string {
	parts := []string{p.Description}
	switch {
	case p.Type == Enum:
		parts = append(parts, "One of "+strings.Join(p.Words, ", ")+".")
	case p.Unit != NoUnit:
		parts = append(parts, "Without a unit: "+string(p.Unit)+".")
	}
	if p.Context == AtStart {
		parts = append(parts, "Restart.")
	}
	return strings.Join(parts, " ")
}

// sampleSetting is p's line without the comment sign.
func (p *Param) sampleSetting() string {
	name, text := p.Name, p.Default
	if p.Index != NoIndex && !p.IndexFree {
		name += "0"
	}
	if p.Example != "" {
		text = p.Example
	}
	return p.line(name, text)
}

// line is a setting as it stands in a sample, numbers in their largest unit.
func (p *Param) line(name, text string) string {
	switch p.Type {
	case Int, Duration:
		if !p.Octal {
			n, _ := parseNumber(p, text)
			text = p.Unit.format(n.value)
		}
	case String, List:
		text = "'" + text + "'"
	}
	return name + " = " + text
}
