package hazard

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the outcomes anew")

const pattern = "testdata/*.txt"

// book is a file of hazards.
type book struct {
	path, text string
	hazards    []hazard
}

// read returns the files and what is in them.
func read(t *testing.T) []book {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	var books []book
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all, err := parse(string(content))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		books = append(books, book{path, string(content), all})
	}
	return books
}

// readAll returns the hazards of all files.
func readAll(t *testing.T) []hazard {
	t.Helper()
	var all []hazard
	for _, b := range read(t) {
		all = append(all, b.hazards...)
	}
	return all
}

func TestHazards(t *testing.T) {
	s := newStage(t)
	n := 0
	for _, b := range read(t) {
		for i := range b.hazards {
			h := &b.hazards[i]
			n++
			t.Run(h.name, func(t *testing.T) {
				got := s.play(t, *h, fmt.Sprintf("h%d", n))
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
			if err := os.WriteFile(b.path, []byte(render(b.hazards)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSilentDifferencesAreListed keeps the list of broken promises in one place.
func TestSilentDifferencesAreListed(t *testing.T) {
	found := map[string]bool{}
	for _, h := range readAll(t) {
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
			t.Errorf("%s is in silent.go and in no %s", name, pattern)
		}
	}
}

func TestRenderIsWhatParseReads(t *testing.T) {
	for _, b := range read(t) {
		if strings.TrimSpace(render(b.hazards)) != strings.TrimSpace(b.text) {
			t.Errorf("%s is not in the form that -update writes", b.path)
		}
	}
}
