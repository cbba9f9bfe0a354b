package config

import (
	"regexp"
	"strings"
	"testing"
)

func sample(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	if err := WriteSample(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSampleFileIsTheTable(t *testing.T) {
	t.Parallel()
	golden(t, "../../configs/pgpool.conf.sample", sample(t))
}

func TestSampleIsCommentedOut(t *testing.T) {
	t.Parallel()
	for i, line := range strings.Split(sample(t), "\n") {
		if line != "" && line[0] != '#' {
			t.Errorf("line %d is %q", i+1, line)
		}
	}
}

// TestSampleHasTheDefaults takes the comment signs away: what is left must be
// the defaults, every one of them.
func TestSampleHasTheDefaults(t *testing.T) {
	t.Parallel()
	lines := regexp.MustCompile(`(?m)^#([a-zA-Z_0-9]+ = )`).ReplaceAllString(sample(t), "$1")
	lines = strings.Replace(lines, "wd_listen_port = 9000", "", 1)
	cfg, warnings, err := Parse("pgpool.conf", []byte(lines), noIncludes)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %v, error:\n%v", warnings, err)
	}
	for _, p := range Params() {
		if p.AliasOf != "" || p.Name == replicationMode || p.Name == "wd_listen_port" {
			continue
		}
		index := 0
		if p.Index == NoIndex || p.IndexFree {
			index = noIndex
		}
		v, given := cfg.values[key{p.Name, index}]
		if !given {
			t.Errorf("%s is not in the sample", p.Name)
		} else if p.Example == "" && !same(v, convertDefault(&p)) {
			t.Errorf("%s is %q, its default is %q", p.Name, v.text, p.Default)
		}
	}
}
