package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// documented reads testdata/documented_defaults.tsv: what Pgpool-II documents.
func documented(t *testing.T) [][]string {
	t.Helper()
	src, err := os.ReadFile("testdata/documented_defaults.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimRight(string(src), "\n"), "\n") {
		if !strings.HasPrefix(line, "#") {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

// documentedForm is a row of the table in the form of the golden file.
func documentedForm(p *Param) []string {
	kind := map[Type]string{Bool: "bool", Int: "int", Duration: "int", Float: "float", String: "string", Enum: "enum",
		List: "list `" + p.Separator + "`"}[p.Type]
	if _, ok := convertDefault(p).typed.(Patterns); ok {
		kind += " of regex"
	}
	index := ""
	switch {
	case p.IndexFree:
		index = "free"
	case p.Index != NoIndex:
		index = "indexed"
	}
	return []string{p.Name, kind, string(p.Unit), p.Default, documentedRange(p), p.Context.String(), index}
}

func documentedRange(p *Param) string {
	switch {
	case p.Type == Bool:
		return "on/off"
	case p.Type == Enum:
		return strings.Join(p.Words, ", ")
	case p.Name == "unix_socket_permissions":
		return "0000..0777"
	case p.Type == Float:
		return fmt.Sprintf("%.1f..%.1f", float64(p.Min), float64(p.Max))
	case p.Type == Int || p.Type == Duration:
		return fmt.Sprintf("%d..%d", p.Min, p.Max)
	}
	return ""
}

func TestTableIsWhatPgpoolDocuments(t *testing.T) {
	t.Parallel()
	rows := documented(t)
	if len(rows) != 193 {
		t.Fatalf("%d documented parameters, want 193", len(rows))
	}
	for _, want := range rows {
		t.Run(want[0], func(t *testing.T) {
			p, ok := byName[want[0]]
			if !ok {
				t.Fatal("not in the table")
			}
			want[3] = plainDefault(want[3])
			if got := documentedForm(p); !reflect.DeepEqual(got, want) {
				t.Errorf("table has  %q\ndocumented %q", got, want)
			}
		})
	}
	for _, p := range Params() {
		if !p.Ours {
			rows = rows[1:]
		}
	}
	if len(rows) != 0 {
		t.Errorf("%d more documented parameters than rows that are not ours", len(rows))
	}
}

// plainDefault takes the documentation's marks off a default.
func plainDefault(text string) string {
	switch text {
	case "unset (0)", "0 (= unset)":
		return "0"
	}
	return strings.Trim(strings.TrimSuffix(text, " (unset)"), "'")
}

// TestDocumentedDefaultsAreTheDefaults loads a file that sets everything to what
// Pgpool-II documents as its default. It must mean the same as a file that leaves
// all of it out.
func TestDocumentedDefaultsAreTheDefaults(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, row := range documented(t) {
		p := byName[row[0]]
		switch {
		case p == nil || p.AliasOf != "" || p.Name == replicationMode || p.Name == "backend_hostname" || p.Name == "backend_port":
			continue
		case p.Default == "0" && p.Min > 0: // a port that is not set
			continue
		}
		name := p.Name
		if p.Index != NoIndex && !p.IndexFree {
			name += "0"
		}
		lines = append(lines, name+" = '"+plainDefault(row[3])+"'")
	}
	const node = "\nbackend_hostname0 = 'a' backend_port0 = 5432"
	all, _, err := Parse("pgpool.conf", []byte(strings.Join(lines, "\n")+node), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	none, _, err := Parse("pgpool.conf", []byte("hostname0 = 'localhost' heartbeat_hostname0 = ''"+node), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 180 || len(WithoutEffect(all)) > 0 {
		t.Errorf("%d lines, without effect %q", len(lines), WithoutEffect(all))
	}
	for _, change := range changes(none, all) {
		t.Errorf("%s is %q by default, %q is documented", change.Name, change.Old, change.New)
	}
	all.values, none.values, all.warnings, none.warnings = nil, nil, nil, nil
	if !reflect.DeepEqual(all, none) {
		t.Errorf("fields differ:\n%+v\n%+v", all, none)
	}
}

func TestDefaultsReachTheirFields(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "heartbeat_port1 = 9694\nwd_port1 = 9000")
	for i := range table {
		p := &table[i]
		if p.at == nil || givenByTest(p.Name) {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			index := 1
			if p.Index == NoIndex {
				index = noIndex
			}
			want := convertDefault(p)
			if p.File {
				want.typed = want.text
			}
			got := reflect.ValueOf(p.at(cfg, index)).Elem()
			if want.typed == nil {
				t.Fatal("default has no value")
			}
			if converted := reflect.ValueOf(want.typed).Convert(got.Type()); !reflect.DeepEqual(got.Interface(), converted.Interface()) {
				t.Errorf("field is %v, default %q is %v", got, p.Default, converted)
			}
		})
	}
}

// givenByTest reports whether the test's own settings have the parameter, so that
// it is not at its default.
func givenByTest(name string) bool {
	settings := twoNodes + "heartbeat_port1 \nwd_port1 \n"
	return strings.Contains(settings, "\n"+name+"1 ") || strings.Contains(settings, "\n"+name+" ")
}

func TestEveryParameterHasAFieldOfItsOwn(t *testing.T) {
	t.Parallel()
	cfg := mustParse(t, "heartbeat_port1 = 9694\nwd_port1 = 9000")
	seen := map[any]string{}
	for i := range table {
		p := &table[i]
		if p.at == nil {
			if p.AliasOf == "" && p.Name != replicationMode {
				t.Errorf("%s has no field", p.Name)
			}
			continue
		}
		index := 1
		if p.Index == NoIndex {
			index = noIndex
		}
		field := p.at(cfg, index)
		if other, taken := seen[field]; taken {
			t.Errorf("%s and %s have the same field", p.Name, other)
		}
		seen[field] = p.Name
	}
}

func TestRowsAreComplete(t *testing.T) {
	t.Parallel()
	const longestName, longestDescription = 63, 79 // SHOW POOL_STATUS
	if len(byName) != len(table) {
		t.Errorf("%d names for %d rows", len(byName), len(table))
	}
	for i := range table {
		p := &table[i]
		switch {
		case p.Description == "" || len(p.Description) > longestDescription:
			t.Errorf("%s: description of %d bytes", p.Name, len(p.Description))
		case len(p.Name) > longestName:
			t.Errorf("%s: name of %d bytes", p.Name, len(p.Name))
		case p.Type == List && p.Separator == "":
			t.Errorf("%s: list without separator", p.Name)
		case p.Type == Duration && !p.Unit.isTime():
			t.Errorf("%s: duration in %q", p.Name, p.Unit)
		case p.AliasOf != "" && byName[p.AliasOf] == nil:
			t.Errorf("%s: alias of unknown %s", p.Name, p.AliasOf)
		}
	}
}
