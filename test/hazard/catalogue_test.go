package hazard

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const catalogueFile = "testdata/catalogue.list"

// groups are the letters of the catalogue with the number of their rows.
var groups = []struct {
	letter byte
	rows   int
}{{'A', 11}, {'B', 8}, {'C', 17}, {'D', 19}, {'E', 15}, {'F', 20}, {'G', 11}, {'H', 23}, {'I', 16}, {'J', 20}, {'K', 15}}

// entry is a row of the catalogue.
type entry struct {
	id, title string
	// tests show it besides what the scripts do: folder.Name.
	tests []string
}

// readCatalogue reads lines of the form "A8 title: folder.Test folder.Test".
func readCatalogue(t *testing.T) []entry {
	t.Helper()
	content, err := os.ReadFile(catalogueFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []entry
	for line := range strings.Lines(string(content)) {
		what, tests, _ := strings.Cut(strings.TrimSpace(line), ": ")
		id, title, _ := strings.Cut(what, " ")
		all = append(all, entry{id, title, strings.Fields(tests)})
	}
	return all
}

// TestCatalogueIsComplete: every hazard that is known is in the list once.
func TestCatalogueIsComplete(t *testing.T) {
	var want []string
	for _, g := range groups {
		for n := 1; n <= g.rows; n++ {
			want = append(want, string(g.letter)+strconv.Itoa(n))
		}
	}
	var got []string
	for _, e := range readCatalogue(t) {
		got = append(got, e.id)
		if e.title == "" {
			t.Errorf("%s has no title", e.id)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s has\n%v, want\n%v", catalogueFile, got, want)
	}
}

// TestEveryHazardIsPlayed: each row of the catalogue has a script or a test that shows what
// becomes of it, and each script has a row.
func TestEveryHazardIsPlayed(t *testing.T) {
	played := map[string]bool{}
	for _, h := range readAll(t) {
		id, _, _ := strings.Cut(h.name, " ")
		played[id] = true
	}
	listed := map[string]bool{}
	for _, e := range readCatalogue(t) {
		listed[e.id] = true
		if !played[e.id] && len(e.tests) == 0 {
			t.Errorf("nothing shows %s (%s)", e.id, e.title)
		}
		for _, test := range e.tests {
			if !isTest(t, test) {
				t.Errorf("%s: there is no test %s", e.id, test)
			}
		}
	}
	for id := range played {
		if !listed[id] {
			t.Errorf("%s is played and not in %s", id, catalogueFile)
		}
	}
}

// isTest reports whether a folder of the repository has a test of that name.
func isTest(t *testing.T, test string) bool {
	t.Helper()
	folder, name, found := strings.Cut(test, ".")
	if !found {
		return false
	}
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(`)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if declared.Match(content) {
			return true
		}
	}
	return false
}
