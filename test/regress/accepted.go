package regress

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// sometimes begins the reason of a deviation that hangs on what runs at the same moment.
const sometimes = "sometimes: "

// Accepted are the tests that may fail through pgchorus, with the reason of each, by
// "suite/test"; and by "suite/table NAME" the tables whose rows may differ afterwards.
type Accepted map[string]string

// ReadAccepted reads the tables of docs/regression.md whose rows are
//
//	| `suite/test` | reason |
//
// A reason that begins with "sometimes: " is one that a test may pass by luck.
func ReadAccepted(file string) (Accepted, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	accepted := Accepted{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "|")
		if len(cells) < 4 {
			continue
		}
		name, reason := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
		if !strings.HasPrefix(name, "`") || !strings.Contains(name, "/") {
			continue
		}
		name = strings.Trim(name, "`")
		if reason == "" {
			return nil, fmt.Errorf("%s: %s is accepted without a reason", file, name)
		}
		if accepted[name] != "" {
			return nil, fmt.Errorf("%s: %s is accepted twice", file, name)
		}
		accepted[name] = reason
	}
	return accepted, lines.Err()
}

// Sometimes reports whether the test is one that may pass as well.
func (a Accepted) Sometimes(name string) bool { return strings.HasPrefix(a[name], sometimes) }
