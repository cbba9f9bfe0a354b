package verify

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Result is the outcome in a word.
type Result string

// The outcomes.
const (
	Equal     Result = "equal"
	Different Result = "different"
	Unchecked Result = "unchecked" // no difference, but not everything could be compared
)

// Report is what a comparison has found. See the package comment for its JSON.
type Report struct {
	Result       Result           `json:"result"`
	Nodes        []config.NodeID  `json:"nodes"`
	Held         bool             `json:"held"` // commits were held at the common points
	Databases    []DatabaseReport `json:"databases"`
	Differences  []Difference     `json:"differences"`
	Warnings     []Difference     `json:"warnings"`
	Unchecked    []Gap            `json:"unchecked"`
	Notes        []string         `json:"notes"`
	RepairedRows int              `json:"repairedRows"`
	Started      time.Time        `json:"started"`
	DurationMS   float64          `json:"durationMS"`
}

// DatabaseReport is how much was compared in a database.
type DatabaseReport struct {
	Name      string  `json:"name"`
	Tables    int     `json:"tables"`
	Rows      int64   `json:"rows"` // of the main node
	Sequences int     `json:"sequences"`
	HoldMS    float64 `json:"holdMS"` // how long commits were held for it
}

// The kinds of differences.
const (
	KindRow      = "row"
	KindCount    = "row count"
	KindSequence = "sequence"
	// Others are the kinds of listings: table, column, index, role, setting and so on.
)

// What is wrong with a node, seen from the reference.
const (
	Missing = "missing"
	Extra   = "extra"
	Changed = "changed"
	Behind  = "behind" // of sequences
	Ahead   = "ahead"  // of sequences
)

// Difference is one thing that a node has otherwise than the reference node.
type Difference struct {
	Kind      string        `json:"kind"`
	Database  string        `json:"database,omitempty"` // empty for what all databases share
	Object    string        `json:"object"`
	Key       string        `json:"key,omitempty"`     // of a row, such as (id)=(7)
	Columns   []string      `json:"columns,omitempty"` // of a row, that differ
	Node      config.NodeID `json:"node"`
	Reference config.NodeID `json:"reference"`
	What      string        `json:"what"`
	Expected  string        `json:"expected,omitempty"`
	Found     string        `json:"found,omitempty"`
	// Proven: main and a majority agree against the node (of two nodes, main is right).
	Proven   bool `json:"proven"`
	Repaired bool `json:"repaired,omitempty"`
}

// Gap is something that could not be compared.
type Gap struct {
	Database string `json:"database,omitempty"`
	Object   string `json:"object"`
	Reason   string `json:"reason"`
}

// maxText bounds a value in a report, in bytes.
const maxText = 200

// shorten cuts a text at maxText, at the end of a character.
func shorten(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "..."
}

// String says it in a line.
func (d Difference) String() string {
	var b strings.Builder
	if d.Database != "" {
		fmt.Fprintf(&b, "database %s: ", d.Database)
	}
	if d.Key != "" {
		fmt.Fprintf(&b, "table %s: %s: ", d.Object, d.Key)
	} else {
		fmt.Fprintf(&b, "%s %s: ", d.Kind, d.Object)
	}
	fmt.Fprintf(&b, "%s on node %d", d.What, d.Node)
	if len(d.Columns) > 0 {
		fmt.Fprintf(&b, " in %s", strings.Join(d.Columns, ", "))
	}
	expected, found := fromDifference(d.Expected, d.Found)
	if expected != "" {
		fmt.Fprintf(&b, "; node %d has %s", d.Reference, expected)
	}
	if found != "" {
		fmt.Fprintf(&b, "; node %d has %s", d.Node, found)
	}
	switch {
	case d.Repaired:
		b.WriteString(" (repaired)")
	case !d.Proven:
		b.WriteString(" (unproven which is right)")
	}
	return b.String()
}

// contextBytes is what is shown in front of the first difference of two long texts, in bytes.
const contextBytes = 40

// fromDifference makes lines of two texts; of long ones the part from where they differ.
func fromDifference(a, b string) (string, string) {
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	cut := func(text string) string {
		if skip := same - contextBytes; len(text) > maxText && skip > 0 {
			text = "..." + strings.ToValidUTF8(text[skip:], "")
		}
		return strings.ReplaceAll(shorten(text), "\n", " ")
	}
	return cut(a), cut(b)
}

// WriteText tells a person.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	for _, d := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", d)
	}
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "%s\n", d)
	}
	for _, gap := range r.Unchecked {
		fmt.Fprintf(&b, "not checked: %s\n", gap)
	}
	b.WriteString(r.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

// String says it in a line.
func (g Gap) String() string {
	if g.Database == "" {
		return g.Object + ": " + g.Reason
	}
	return "database " + g.Database + ": " + g.Object + ": " + g.Reason
}

func (r *Report) summary() string {
	var tables, sequences int
	var rows int64
	var longest float64
	for _, db := range r.Databases {
		tables, rows, sequences = tables+db.Tables, rows+db.Rows, sequences+db.Sequences
		longest = max(longest, db.HoldMS)
	}
	text := fmt.Sprintf("%s: nodes %s, %d databases, %d tables, %d rows, %d sequences", r.Result, join(r.Nodes), len(r.Databases), tables, rows, sequences)
	if r.RepairedRows > 0 {
		text += fmt.Sprintf(", %d rows repaired", r.RepairedRows)
	}
	if r.Held {
		text += fmt.Sprintf("; commits were held for at most %.1f ms", longest)
	}
	return text + "\n"
}

func join(ids []config.NodeID) string {
	var texts []string
	for _, id := range ids {
		texts = append(texts, fmt.Sprint(int(id)))
	}
	return strings.Join(texts, ", ")
}
