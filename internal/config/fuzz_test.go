package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// FuzzParse looks for input that panics or is not bounded, and lets the package
// judge itself: what was accepted, written out again setting by setting, has to
// be read as the same configuration.
func FuzzParse(f *testing.F) {
	// Small seeds, one for each section of the sample: large ones take the fuzzer's
	// time for making them smaller.
	for _, section := range strings.Split(string(readTest(f, "../../configs/pgpool.conf.sample")), "\n#---") {
		f.Add([]byte("backend_port0=5432\n" + strings.ReplaceAll(section, "\n#", "\n")))
	}
	f.Add(readTest(f, "testdata/old.conf"))
	f.Add(readTest(f, "testdata/dangerous.conf"))
	f.Add([]byte("backend_port0=5432 lobj_lock_table='a\\' # '"))
	f.Add([]byte("backend_port0=5432\ninclude 'x'\nlobj_lock_table='c:\\'"))
	f.Add([]byte("backend_port0=5432 user_redirect_preference_list='(a|b):standby(.5)'"))
	f.Fuzz(func(t *testing.T, src []byte) {
		include := func(string) ([]byte, error) { return []byte("max_pool = 3\n"), nil }
		cfg, warnings, err := Parse("pgpool.conf", src, include)
		if len(warnings) > maxWarnings || len(errorLines(err)) > maxProblems {
			t.Fatalf("%d warnings, %d problems", len(warnings), len(errorLines(err)))
		}
		if err != nil {
			return
		}
		again, _, err := Parse("pgpool.conf", []byte(strings.Join(cfg.Settings(), "\n")), include)
		if err != nil {
			t.Fatalf("written out, it is refused: %v", err)
		}
		compare(t, cfg, again)
	})
}

func readTest(f *testing.F, name string) []byte {
	f.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	return src
}

// compare compares all fields, values by what they mean and not by their line.
func compare(t *testing.T, a, b *Config) {
	t.Helper()
	for k := range a.values {
		if !same(a.values[k], b.values[k]) || a.values[k].number != b.values[k].number {
			t.Errorf("%s is %q, then %q", k, a.values[k].text, b.values[k].text)
		}
	}
	if len(a.values) != len(b.values) || !reflect.DeepEqual(a.Backends, b.Backends) || !reflect.DeepEqual(a.Listen, b.Listen) ||
		!reflect.DeepEqual(a.Pool, b.Pool) || !reflect.DeepEqual(a.Watchdog, b.Watchdog) {
		t.Errorf("%v became %v", a.Settings(), b.Settings())
	}
}
