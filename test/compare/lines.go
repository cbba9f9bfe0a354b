package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Lines writes cases as the list has them: one line for a statement in all of its modes
// and protocols.
func Lines(cases map[Case]Pair) []string {
	protocols := map[string][]string{} // by the line without its protocol
	headings := map[Case]string{}
	for _, c := range slices.SortedFunc(maps.Keys(cases), compareCases) {
		statement := Case{Mode: c.Mode, Group: c.Group, Script: c.Script}
		headings[statement] = c.Group
		key := lineKey(statement, cases[c])
		protocols[key] = append(protocols[key], c.Protocol)
	}
	modes := map[string][]string{} // by group and line
	for _, statement := range slices.SortedFunc(maps.Keys(headings), compareCases) {
		for _, protocol := range []string{"simple", "extended"} {
			c := statement
			c.Protocol = protocol
			pair, differs := cases[c]
			if !differs {
				continue
			}
			word := protocol
			if both := protocols[lineKey(statement, pair)]; len(both) == 2 {
				word = "both"
			}
			line := fmt.Sprintf("%s\x00%s %s %s %s", c.Group, word, pair.Pgpool, pair.Ours, c.Script)
			if !slices.Contains(modes[line], c.Mode) {
				modes[line] = append(modes[line], c.Mode)
			}
		}
	}
	return underHeadings(modes)
}

// lineKey tells statements of a mode apart.
func lineKey(c Case, pair Pair) string {
	return strings.Join([]string{c.Mode, c.Group, c.Script, string(pair.Pgpool), string(pair.Ours)}, "\x00")
}

func compareCases(a, b Case) int {
	return slices.Compare([]string{a.Group, a.Script, a.Mode, a.Protocol}, []string{b.Group, b.Script, b.Mode, b.Protocol})
}

// underHeadings puts lines below "in MODE...: GROUP".
func underHeadings(modes map[string][]string) []string {
	below := map[string][]string{}
	for key, names := range modes {
		group, line, _ := strings.Cut(key, "\x00")
		heading := "in " + strings.Join(names, " ") + ": " + group
		below[heading] = append(below[heading], line)
	}
	var lines []string
	for _, heading := range slices.Sorted(maps.Keys(below)) {
		lines = append(lines, heading)
		lines = append(lines, slices.Sorted(slices.Values(below[heading]))...)
	}
	return lines
}
