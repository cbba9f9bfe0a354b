package localpg_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

func TestStandbyIsAPhysicalCopyThatCanTakeOver(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	start(t, cluster)
	primary := cluster.Nodes()[0]
	if err := primary.Promote(t.Context()); err == nil || !strings.Contains(err.Error(), "no standby") {
		t.Errorf("Promote of a primary = %v", err)
	}

	added, err := cluster.AddStandbys(t.Context(), primary, 1)
	if err != nil {
		t.Fatal(err)
	}
	standby := added[0]
	if standby.ID != 1 || len(cluster.Nodes()) != 2 || standby.Port == primary.Port {
		t.Errorf("the standby is node %d of %d on port %d", standby.ID, len(cluster.Nodes()), standby.Port)
	}
	if err := standby.Promote(t.Context()); !errors.Is(err, localpg.ErrNotRunning) {
		t.Errorf("Promote of a stopped standby = %v, want ErrNotRunning", err)
	}
	start(t, cluster)
	system := "SELECT system_identifier FROM pg_control_system()"
	if a, b := ask(t, primary, system), ask(t, standby, system); a != b {
		t.Errorf("the system identifiers are %s and %s", a, b)
	}
	if got := ask(t, standby, "SELECT pg_is_in_recovery()"); got != "t" {
		t.Error("the standby is no standby")
	}

	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, standby, "SELECT pg_is_in_recovery()"); got != "f" {
		t.Error("the promoted standby is still one")
	}
}

func TestOwnSystemsDiffer(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{Nodes: 2, OwnSystems: true})
	start(t, cluster)
	system := "SELECT system_identifier FROM pg_control_system()"
	if a, b := ask(t, cluster.Nodes()[0], system), ask(t, cluster.Nodes()[1], system); a == b {
		t.Errorf("both have the system identifier %s", a)
	}
}

func TestFilesAndScriptsAreTheServersUsers(t *testing.T) {
	t.Parallel()
	cluster := create(t, localpg.Options{})
	dir := filepath.Join(cluster.Dir, "etc")
	if err := cluster.MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "secret")
	if err := cluster.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := cluster.Shell(t.Context(), `id -un && cat "$1" && touch etc/more`, file).Output()
	if want := cluster.User + "\nx"; err != nil || string(out) != want {
		t.Errorf("the script said %q (%v), want %q", out, err, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v; want mode 0600", info, err)
	}
}
