package compare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// compatibility is the page that the list refers to.
const compatibility = "../../docs/compatibility.md"

func TestEveryDifferenceIsExplained(t *testing.T) {
	list, err := LoadList("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(compatibility)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[*Difference]int{}
	for _, known := range list.Cases {
		cases[known.Difference]++
	}
	for _, d := range list.Differences {
		if d.Reason == "" || cases[d] == 0 {
			t.Errorf("line %d: %q has no reason or no case", d.Line, d.Title)
		}
		if !strings.Contains(string(page), "# "+d.Section+"\n") {
			t.Errorf("line %d: docs/compatibility.md has no section %q", d.Line, d.Section)
		}
	}
}

func TestLoadList(t *testing.T) {
	const head = "difference D\nreason because\nreason it is so\nsection S\n"
	tests := []struct{ name, text, fails string }{
		{"a case", head + "in raw: defaults\nboth 0 1 BEGIN; SELECT 1\n", ""},
		{"a case twice", head + "in raw: defaults\nboth 0 1 SELECT 1\nsimple 0 1 SELECT 1\n", "already"},
		{"a case without a group", head + "both 0 1 SELECT 1\n", "no case"},
		{"a case without a statement", head + "in raw: defaults\nboth 0 1\n", "no case"},
		{"a case without a difference", "both 0 1 SELECT 1\n", "before the first difference"},
		{"a word that means nothing", head + "none 0 1 SELECT 1\n", "nothing of this list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "list")
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			list, err := LoadList(file)
			switch {
			case tt.fails == "" && err != nil:
				t.Errorf("LoadList: %v", err)
			case tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)):
				t.Errorf("LoadList: %v, want an error with %q", err, tt.fails)
			case tt.fails == "":
				known := list.Cases[Case{"raw", "defaults", "extended", "BEGIN; SELECT 1"}]
				if (known.Pair != Pair{"0", "1"}) || known.Difference.Reason != "because it is so" {
					t.Errorf("the case is %+v", known)
				}
			}
		})
	}
}
