package parser_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden is one case of a golden file: a command, its input, the output.
type golden struct {
	comment, command, input, output string
}

// readGolden reads the form that datadriven made known: the command on a line,
// the input, ----, the output, and an empty line.
func readGolden(t testing.TB, path string) []golden {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	for _, block := range strings.Split(strings.TrimSpace(string(data)), "\n\n") {
		var g golden
		for strings.HasPrefix(block, "#") {
			line, rest, _ := strings.Cut(block, "\n")
			g.comment += line + "\n"
			block = rest
		}
		head, output, _ := strings.Cut(block+"\n", "\n----\n")
		g.command, g.input, _ = strings.Cut(head, "\n")
		g.output = strings.TrimRight(output, "\n")
		if g.command == "" {
			g.comment += "\n"
		}
		cases = append(cases, g)
	}
	return cases
}

func writeGolden(t *testing.T, path string, cases []golden) {
	t.Helper()
	var blocks []string
	for _, g := range cases {
		blocks = append(blocks, g.comment+g.command+"\n"+g.input+"\n----\n"+g.output)
	}
	if err := os.WriteFile(path, []byte(strings.Join(blocks, "\n\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestClassifyGolden runs the cases of testdata/classify. Every case goes through
// a Cache twice as well, so that a text is judged alike however it is answered.
func TestClassifyGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/classify/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("golden files: %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cases := readGolden(t, path)
			for i, g := range cases {
				got := runGolden(t, g)
				if *rewrite {
					cases[i].output = got
				} else if got != g.output {
					t.Errorf("%s %s\n got:\n%s\n want:\n%s", g.command, g.input, got, g.output)
				}
			}
			if *rewrite {
				writeGolden(t, path, cases)
			}
		})
	}
}

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 678901999, time.UTC)

func runGolden(t *testing.T, g golden) string {
	t.Helper()
	script := parser.Classify(g.input)
	cache := parser.NewCache(1<<20, 1)
	for range 2 {
		if diff := compareScripts(parser.Resolved(cache.Script(g.input), g.input), script); diff != "" {
			t.Errorf("cache answers %q otherwise: %s", g.input, diff)
		}
	}
	if g.command != "classify" {
		t.Fatalf("unknown command %q", g.command)
	}
	return render(g.input, script)
}

// render shows what a Script says that is not the ordinary.
func render(sql string, s *parser.Script) string {
	var b strings.Builder
	for i := range s.Statements {
		renderStatement(&b, sql, "", &s.Statements[i], len(s.Statements) > 1)
	}
	var e *pgerr.Error
	if errors.As(s.Err, &e) {
		fmt.Fprintf(&b, "error: %s at %d: %s\n", e.Code, e.Position, e.Message)
	}
	if s.LiteralSensitive {
		b.WriteString("literal sensitive\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func renderStatement(b *strings.Builder, sql, indent string, st *parser.Statement, place bool) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "%s%s: %s\n", indent, name, value)
		}
	}
	kind := st.Kind.String()
	if st.Kind == parser.DDL || st.Kind == parser.Utility {
		kind += " (" + st.Node + ")"
	}
	line("kind", kind)
	if place {
		line("text", st.Text(sql))
	}
	if st.Block != parser.BlockAny {
		line("block", st.Block.String())
	}
	line("is", strings.Join(flags(st), ", "))
	line("name", st.Name)
	line("data", data(st.CopyInput))
	line("values", strings.Join(st.Values, " | "))
	line("isolation", st.Isolation)
	if st.LockMode > 0 {
		line("lock mode", fmt.Sprint(st.LockMode))
	}
	line("reads", list(st.Reads))
	line("writes", list(st.Writes))
	line("calls", calls(st.Functions))
	line("time", times(sql, st.TimeCalls))
	if st.MaxParam > 0 {
		line("parameters", fmt.Sprint(st.MaxParam))
	}
	if st.Inner != nil {
		fmt.Fprintf(b, "%sinner:\n", indent)
		renderStatement(b, sql, indent+"  ", st.Inner, false)
	}
}

func flags(st *parser.Statement) []string {
	var set []string
	for _, f := range []struct {
		on   bool
		name string
	}{
		{st.ReadOnly, "read only"},
		{st.ReadBySyntax && !st.ReadOnly, "read by syntax"},
		{st.HasLockingClause, "locks rows"},
		{st.Returning, "returning"},
		{st.NodeLocal, "node local"},
		{st.Identifiers, "identifiers"},
		{st.Binary, "binary"},
		{st.All, "all"},
		{st.Conditional, "conditional"},
		{st.Onward, "onward"},
		{st.Default, "default"},
		{st.Holds, "with hold"},
		{st.ToStdout, "to stdout"},
		{st.FromStdin, "from stdin"},
		{st.Analyze, "analyze"},
		{st.Chain, "chain"},
		{st.Deferrable, "deferrable"},
		{st.ReadOnlyTransaction, "read only transaction"},
		{st.ReadWriteTransaction, "read write transaction"},
		{st.UntypedTimeString, "untyped time string"},
	} {
		if f.on {
			set = append(set, f.name)
		}
	}
	return set
}

// data is how a COPY is written, where that is not as by default.
func data(in *parser.CopyInput) string {
	if in == nil || *in == (parser.CopyInput{Delimiter: "\t", Quote: `"`, Escape: `"`}) {
		return ""
	}
	return fmt.Sprintf("%+v", *in)
}

func list(relations []parser.Relation) string {
	var names []string
	for _, r := range relations {
		name := r.String()
		if r.Temporary {
			name += " (temporary)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func calls(functions []parser.Function) string {
	var names []string
	for _, f := range functions {
		name := f.String()
		if f.Args != nil {
			name += "(" + strings.Join(f.Args, ", ") + ")"
		}
		names = append(names, name+" ("+f.Class.String()+")")
	}
	return strings.Join(names, ", ")
}

func times(sql string, calls []parser.TimeCall) string {
	var parts []string
	for _, c := range calls {
		part := fmt.Sprintf("%s [%s]", c.Kind, sql[c.Start:c.End])
		if c.Precision >= 0 {
			part += fmt.Sprintf(" precision %d", c.Precision)
		}
		if c.Column != "" {
			part += " column " + c.Column
		}
		if c.Nested {
			part += " nested"
		}
		if !c.Spliceable() {
			part += " (kept)"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}
