package hazard

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the outcomes anew")

const file = "testdata/hazards.txt"

// read returns the file and what is in it.
func read(t *testing.T) (text string, all []hazard) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if all, err = parse(string(content)); err != nil {
		t.Fatal(err)
	}
	return string(content), all
}

func TestHazards(t *testing.T) {
	_, all := read(t)
	s := newStage(t)
	for i := range all {
		h := &all[i]
		t.Run(h.name, func(t *testing.T) {
			got := s.play(t, *h, fmt.Sprintf("h%d", i))
			if *update {
				h.outcome = got
				return
			}
			if got != h.outcome {
				t.Errorf("outcome is %q, want %q (go test -update writes it anew)", got, h.outcome)
			}
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(render(all)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSilentDifferencesAreListed keeps the list of broken promises in one place.
func TestSilentDifferencesAreListed(t *testing.T) {
	_, all := read(t)
	found := map[string]bool{}
	for _, h := range all {
		if found[h.name] {
			t.Errorf("%s is there twice", h.name)
		}
		silent := h.outcome == "differs"
		found[h.name] = true
		switch _, listed := silently[h.name]; {
		case silent && !listed:
			t.Errorf("%s: nodes differ in silence, and it is not in silent.go", h.name)
		case listed && !silent:
			t.Errorf("%s is in silent.go and its outcome is %q", h.name, h.outcome)
		}
	}
	for name := range silently {
		if !found[name] {
			t.Errorf("%s is in silent.go and not in %s", name, file)
		}
	}
}

func TestRenderIsWhatParseReads(t *testing.T) {
	text, all := read(t)
	if strings.TrimSpace(render(all)) != strings.TrimSpace(text) {
		t.Error("the file is not in the form that -update writes")
	}
}
