package lb

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestRouteGolden runs the tables in testdata/route. A table is a text of
//
//	@ NAME = VALUE   a parameter of pgpool.conf
//	@ state WORDS    what the session and its transaction are in, as stateOf reads it
//	@ modes WORDS    the modes to decide in; all if it is left out
//	@ -              forget all of the above
//	# words          a comment
//	STATEMENT        one on each line; \n is the end of a line in it
//	  MODE: DECISION the answer for each mode; modes with the same answer share a line
//
// Three nodes are up: 0 is the main node and primary, 1 the load balance node.
func TestRouteGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/route/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("golden files: %v, %v", paths, err)
	}
	rows := 0
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		g := goldenTable{t: t}
		got := g.run(string(data))
		rows += g.rows
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if got != string(data) {
			t.Errorf("%s differs (go test -update writes it anew):\n%s", path, firstDifference(string(data), got))
		}
	}
	if least := 300; rows < least {
		t.Errorf("%d rows, want at least %d", rows, least)
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	statement := ""
	for i := 0; i < len(w) && i < len(g); i++ {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d, %s\n got: %s\nwant: %s", i+1, statement, g[i], w[i])
		}
		if !strings.HasPrefix(w[i], "  ") {
			statement = w[i]
		}
	}
	return "one is longer"
}

var goldenModes = []struct{ short, long string }{
	{"native", "native_replication"}, {"snapshot", "snapshot_isolation"},
	{"streaming", "streaming_replication"}, {"logical", "logical_replication"}, {"raw", "raw"},
}

// goldenTable is the state of a run over one table.
type goldenTable struct {
	t      *testing.T
	params []string
	state  string
	modes  string
	rows   int
}

func (g *goldenTable) run(table string) string {
	var out strings.Builder
	for line := range strings.Lines(table) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "  "):
			continue // an answer, given anew
		case strings.HasPrefix(line, "@"):
			g.directive(strings.TrimSpace(line[1:]))
		}
		out.WriteString(line + "\n")
		if line != "" && line[0] != '@' && line[0] != '#' {
			out.WriteString(g.answers(strings.ReplaceAll(line, `\n`, "\n")))
		}
	}
	return out.String()
}

func (g *goldenTable) directive(text string) {
	switch word, rest, _ := strings.Cut(text, " "); word {
	case "-":
		g.params, g.state, g.modes = nil, "", ""
	case "state":
		g.state = rest
	case "modes":
		g.modes = rest
	default:
		g.params = append(g.params, text)
	}
}

// answers decides in each mode.
func (g *goldenTable) answers(sql string) string {
	var answers, modes []string
	for _, mode := range goldenModes {
		if g.modes != "" && !strings.Contains(g.modes, mode.short) || g.modes == "" && mode.short == "raw" {
			continue
		}
		g.rows++
		answer := g.decide(mode.long, sql)
		if n := len(answers); n > 0 && answers[n-1] == answer {
			modes[n-1] += ", " + mode.short
			continue
		}
		answers, modes = append(answers, answer), append(modes, mode.short)
	}
	text := ""
	for i := range answers {
		text += "  " + modes[i] + ": " + answers[i] + "\n"
	}
	return text
}

func (g *goldenTable) decide(mode, sql string) string {
	in := g.stateOf(policyOf(g.t, mode, g.params...))
	script := parser.Classify(sql)
	stmt := &script.Statements[len(script.Statements)-1] // of several, the last
	traits, missing := Examine(stmt, sql, in.Policy, someCatalogue())
	if missing != nil {
		g.t.Errorf("%s: misses %+v", sql, *missing)
	}
	in.Traits = traits
	d := Route(&in)
	steps := Explain(&in)
	if last := steps[len(steps)-1]; last.Decision != d || !last.Decides {
		g.t.Errorf("%s: Explain ends with %+v, Route says %v", sql, last, d)
	}
	return d.String()
}

// stateOf reads the words of "@ state".
func (g *goldenTable) stateOf(p *Policy) Input {
	in := Input{Policy: p, Main: 0, LoadBalanceNode: 1, Txn: Txn{ReadNode: NoNode}, View: viewOf(0, 1, 2)}
	lags := lagging{}
	in.Lags = lags
	for word := range strings.FieldsSeq(g.state) {
		name, value, _ := strings.Cut(word, ":")
		switch name {
		case "transaction":
			in.Txn.Open, in.Txn.Explicit = true, true
		case "implicit":
			in.Txn.Open = true
		case "wrote":
			in.Txn.Wrote = true
		case "pinned":
			in.Txn.Pinned = true
		case "failed":
			in.Txn.Failed = true
		case "read-only":
			in.Txn.ReadOnly = true
		case "repeatable-read":
			in.Txn.RepeatableRead = true
		case "serializable":
			in.Txn.Serializable = true
		case "read-on-2":
			in.Txn.ReadNode = 2
		case "session-wrote":
			in.Past.Wrote = true
		case "session-wrote-in-transaction":
			in.Past = Past{Wrote: true, WroteInTransaction: true}
		case "stale":
			in.Stale = true
		case "local":
			in.Local = true
		case "no-primary":
			if p.Mode.HasPrimary() {
				in.Main, in.View = NoNode, cluster.NewPrimaryView(1, nodesOf(0, 1, 2), NoNode)
			}
		case "node1-down":
			in.View = viewOf(0, 2)
		case "lag1", "lag2":
			d, err := time.ParseDuration(value)
			if err != nil {
				g.t.Fatal(err)
			}
			lags[config.NodeID(name[3]-'0')] = Lag{Known: true, Time: d, Bytes: d.Milliseconds()}
		default:
			g.t.Fatalf("state %q is not known", word)
		}
	}
	return in
}
