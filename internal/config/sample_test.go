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
	if err != nil || len(warnings) != 1 || warnings[0].Name != "sr_check_user" { // the default mode needs one
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

// TestModeSamples loads each file as it is in configs/: nothing in it is odd, old
// or without effect.
func TestModeSamples(t *testing.T) {
	t.Parallel()
	seen := map[ClusteringMode]bool{}
	for _, s := range ModeSamples() {
		t.Run(s.Name, func(t *testing.T) {
			var out strings.Builder
			if err := s.Write(&out); err != nil {
				t.Fatal(err)
			}
			path := "../../configs/pgpool.conf.sample-" + s.Name
			golden(t, path, out.String())
			cfg, warnings, err := Load(path)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("warnings %v, error %v", warnings, err)
			}
			if list := WithoutEffect(cfg); len(list) > 0 || cfg.ClusteringMode != s.Mode {
				t.Errorf("mode %s, without effect %q", cfg.ClusteringMode, list)
			}
			if len(cfg.values) != len(s.values)+1 {
				t.Errorf("%d values are in the file, want %d and the mode", len(cfg.values), len(s.values))
			}
		})
		seen[s.Mode] = true
	}
	for _, word := range byName[clusteringMode].Words {
		if !seen[ClusteringMode(word)] {
			t.Errorf("%s has no sample", word)
		}
	}
}
