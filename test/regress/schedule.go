package regress

import (
	"slices"
	"strings"
)

// groupMark begins a line of a schedule (pg_regress): the tests behind it run at the same time.
const groupMark = "test:"

// apart has some tests of a schedule run behind their group, each alone.
func apart(schedule string, alone []string) string {
	var b strings.Builder
	for line := range strings.Lines(schedule) {
		group, isGroup := strings.CutPrefix(line, groupMark)
		if !isGroup {
			b.WriteString(line)
			continue
		}
		var beside, behind []string
		for _, test := range strings.Fields(group) {
			if slices.Contains(alone, test) {
				behind = append(behind, test)
			} else {
				beside = append(beside, test)
			}
		}
		if len(beside) > 0 {
			b.WriteString(groupMark + " " + strings.Join(beside, " ") + "\n")
		}
		for _, test := range behind {
			b.WriteString(groupMark + " " + test + "\n")
		}
	}
	return b.String()
}
