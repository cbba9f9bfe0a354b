package routing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leastScripts is what the routing table promises to have at least.
const leastScripts = 300

func TestTableIsLarge(t *testing.T) {
	files, err := filepath.Glob("testdata/*.routes")
	if err != nil {
		t.Fatal(err)
	}
	scripts, statements := 0, 0
	for _, file := range files {
		table, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range table.Groups {
			for _, script := range group.Scripts {
				scripts += len(table.Modes)
				statements += len(table.Modes) * len(script.Protocols) * len(script.Statements)
			}
		}
	}
	t.Logf("%d scripts, %d statements", scripts, statements)
	if scripts < leastScripts {
		t.Errorf("the table has %d scripts, want %d", scripts, leastScripts)
	}
}

func TestTablesThatAreWrong(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no mode", "lb SELECT 1\n", "no mode"},
		{"a word that is no node", "mode raw\nslave SELECT 1\n", `:2: "slave" is no node`},
		{"a node that cannot be", "mode raw\n0,99 SELECT 1\n", `"99" is no node`},
		{"an indented line first", "mode raw\n  lb SELECT 1\n", "without a script"},
		{"a setting behind statements", "mode raw\nlb SELECT 1\nset a = 1\n", "behind statements"},
		{"a setting without a value", "mode raw\nset a\n", "no setting"},
		{"an unknown protocol", "mode raw\nprotocol both ways\n", "no protocol"},
		{"an unknown field of a login", "mode raw\nlogin host=x\n", "nothing of a login"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.routes")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(file); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Load: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestWantAllows(t *testing.T) {
	tests := []struct {
		want        string
		got, before Nodes
		allowed     bool
	}{
		{"lb", NodesOf(1), 0, true},
		{"lb", NodesOf(0), 0, false},
		{"all", NodesOf(0, 1, 2), 0, true},
		{"all", NodesOf(0, 1), 0, false},
		{"none", 0, 0, true},
		{"none", NodesOf(0), 0, false},
		{"0,2", NodesOf(0, 2), 0, true},
		{"-", NodesOf(2), 0, true},
		{"session", NodesOf(0, 1), NodesOf(1), true},
		{"session", NodesOf(0), NodesOf(1), false},
		{"session", 0, 0, false},
	}
	for _, tt := range tests {
		w, err := parseWant(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Allows(tt.got, tt.before); got != tt.allowed {
			t.Errorf("%q allows %s after %s: %t, want %t", tt.want, tt.got, tt.before, got, tt.allowed)
		}
	}
}

func TestStatementsOfALog(t *testing.T) {
	log := strings.Join([]string{
		"12 |> LOG:  statement: SELECT 1",
		"12 |> LOG:  execute <unnamed>: SELECT $1,",
		"\t2",
		"12 |> DETAIL:  parameters: $1 = 'statement: no'",
		"12 |> LOG:  execute p/c: SELECT 'a: b'",
		"12 |> ERROR:  syntax error",
		"12 |> STATEMENT:  FROBNICATE",
		"12 |> LOG:  checkpoint starting",
		"\tno statement",
	}, "\n") + "\n"
	want := []string{"SELECT 1", "SELECT $1,\n2", "SELECT 'a: b'", "FROBNICATE"}
	got := statements(log)
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("statements = %q, want %q", got, want)
	}
}
