package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (rewrite it with -update, then read the diff); got:\n%s", path, got)
	}
}

func report(t *testing.T, name string) string {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	cfg, warnings, err := Parse("testdata/"+filepath.Base(name), src, readFile)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Report(&out, cfg, warnings); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestReport(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"old.conf", "dangerous.conf"} {
		golden(t, "testdata/"+strings.TrimSuffix(name, ".conf")+".report", report(t, "testdata/"+name))
	}
}

// TestFilesOfOldReleases loads a file for each release since 3.7, with the names
// that were current then, and compares what is said about it.
func TestFilesOfOldReleases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/versions/*.conf")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg, warnings, err := Parse(filepath.Base(name), src, noIncludes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var out strings.Builder
		if err := Report(&out, cfg, warnings); err != nil {
			t.Fatal(err)
		}
		golden(t, strings.TrimSuffix(name, ".conf")+".report", out.String())
	}
}

func TestReportNamesTrust(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hba := filepath.Join(dir, "pool_hba.conf")
	text := "local all all trust\n# host all all all trust\nhost all all 10.0.0.0/8 trust # all of them\nhost all all all scram-sha-256\n"
	if err := os.WriteFile(hba, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := Parse(filepath.Join(dir, "pgpool.conf"), []byte(twoNodes+"enable_pool_hba = on"), noIncludes)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Report(&out, cfg, nil); err != nil {
		t.Fatal(err)
	}
	want := hba + ":3: trust: whoever comes from there is let in as any user that the line names\n"
	if got := out.String(); strings.Count(got, "trust:") != 1 || !strings.Contains(got, want) {
		t.Errorf("report is\n%s", got)
	}
}

func TestReportOfTheMinimalFile(t *testing.T) {
	t.Parallel()
	got := report(t, "../../configs/minimal.conf")
	for _, part := range []string{"Set, but without effect", "Warnings"} {
		if strings.Contains(got, part) {
			t.Errorf("report has %q:\n%s", part, got)
		}
	}
	if !strings.Contains(got, "clustering mode native_replication, 3 nodes") {
		t.Errorf("report is\n%s", got)
	}
}
