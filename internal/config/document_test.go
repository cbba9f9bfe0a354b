package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// described is a row of a table of parameters in docs/compatibility.md.
type described struct {
	state, scope, text string
	ours               bool
}

var (
	documentRow  = regexp.MustCompile("^\\| (`.+?`) \\| ([^|]*) \\| (.*)\\|$")
	documentName = regexp.MustCompile("`(\\w+)`")
)

// document reads the rows of docs/compatibility.md from "## Parameters" on, by
// parameter. Rows may stand for several.
func document(t *testing.T) map[string]described {
	t.Helper()
	src, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, found := strings.Cut(string(src), "\n## Parameters\n")
	if !found {
		t.Fatal("docs/compatibility.md has no section Parameters")
	}
	theirs, ours, _ := strings.Cut(tables, "\n## Parameters that Pgpool-II does not have\n")
	rows := map[string]described{}
	for i, text := range []string{theirs, ours} {
		for _, line := range strings.Split(text, "\n") {
			cells := documentRow.FindStringSubmatch(line)
			if cells == nil {
				continue
			}
			state, scope, _ := strings.Cut(cells[2], ", ")
			for _, name := range documentName.FindAllStringSubmatch(cells[1], -1) {
				if _, twice := rows[name[1]]; twice {
					t.Errorf("%s has two rows", name[1])
				}
				rows[name[1]] = described{state, scope, strings.TrimSpace(cells[3]), i == 1}
			}
		}
	}
	return rows
}

// documentedState is what the document may say of a parameter.
func documentedState(p *Param) []string {
	switch {
	case p.AliasOf != "" || p.Name == replicationMode:
		return []string{"old name"}
	case p.NotYet():
		return []string{"not yet"}
	case p.NoEffect != "":
		return []string{"no effect"}
	case p.Ours:
		return []string{"works"}
	}
	return []string{"same", "better", "differs"}
}

func TestEveryParameterIsInTheDocument(t *testing.T) {
	t.Parallel()
	scopes := map[Scope]string{EveryMode: "", Replicating: "R", WithPrimary: "SL", StreamingOnly: "S"}
	rows := document(t)
	for i := range table {
		p := &table[i]
		name := p.Name
		if p.Index != NoIndex {
			name += "N"
		}
		row, ok := rows[name]
		delete(rows, name)
		switch {
		case !ok:
			t.Errorf("%s is not in the document", name)
		case !slices.Contains(documentedState(p), row.state):
			t.Errorf("%s is %q, want one of %q", name, row.state, documentedState(p))
		case row.scope != scopes[p.Scope] || row.ours != p.Ours:
			t.Errorf("%s is for %q, want %q; ours: %v", name, row.scope, scopes[p.Scope], row.ours)
		case (row.state == "better" || row.state == "differs") && row.text == "":
			t.Errorf("%s is %s, but not how", name, row.state)
		case p.NoEffect != notYet && row.state != "old name" && !strings.Contains(row.text, p.NoEffect):
			t.Errorf("%s has no effect because %q, the document says %q", name, p.NoEffect, row.text)
		}
	}
	for name := range rows {
		t.Errorf("%s is in the document and no parameter", name)
	}
}
