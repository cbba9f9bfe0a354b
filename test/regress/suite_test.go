//go:build regress

package regress

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// testSeconds is how long one test may take before its psql is ended. The longest takes
// 10 s directly, on a machine with nothing else to do.
const testSeconds = "180"

// stepSeconds is how long isolationtester waits for a step that should have gone on.
const stepSeconds = "30"

// suite is one of PostgreSQL's: a program with a folder of tests.
type suite struct {
	name     string // of the folder below src/test
	program  string // below lib/pgxs/src/test
	database string // that the tests use
	schedule string
	// before are tests that make what the others use: they run before chosen ones.
	before []string
	// alone are tests of the schedule that run behind those which they would have run beside.
	alone  []string
	config []string // of pgchorus
}

var suites = []suite{
	{name: "regress", program: "regress/pg_regress", database: "regression", schedule: "parallel_schedule", before: []string{"test_setup"},
		// Where DDL of others spoils one of its SERIALIZABLE transactions, it leaves a prepared one, whose locks
		// and snapshot all that comes behind it waits for.
		alone: []string{"prepared_xacts"}},
	{name: "isolation", program: "isolation/pg_isolation_regress", database: "isolation_regression", schedule: "isolation_schedule",
		// isolationtester sees who waits for whom in the locks of one server: that of main.
		config: []string{"load_balance_mode = off"}},
}

// configuration is for all suites. They copy from files of the server, which are the same for
// all nodes here, reload its configuration, and list schemas and numbers.
var configuration = []string{"function_policy = 'filesystem:broadcast'", "admin_broadcast = on", "commit_marker = off", "sequence_lease_size = 1", "health_check_timeout = 30"}

// server is where a suite runs.
type server struct {
	name string // of the folder of its results
	host string
	port int
	user string
}

// home is the folder that scripts/need-regress.sh has prepared.
func home(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PGCHORUS_REGRESS")
	if dir == "" {
		t.Fatal("PGCHORUS_REGRESS does not name the folder of PostgreSQL's suites: use `make regress`")
	}
	return dir
}

// run runs the suite, or chosen tests of it, and returns what it reports. The output is
// written beside the results too.
func (s suite) run(t *testing.T, at server, owner *syscall.Credential, chosen []string) Report {
	t.Helper()
	results := filepath.Join(home(t), "results", s.name+"-"+at.name)
	freshFolder(t, results, owner)
	cmd := s.command(t, at, results, chosen)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGKILL}
	output, err := cmd.CombinedOutput()
	report := ReadReport(string(output))
	if writeErr := os.WriteFile(filepath.Join(results, "report"), output, 0o644); writeErr != nil {
		t.Fatal(writeErr)
	}
	if err != nil && len(report) == 0 {
		t.Fatalf("%s on %s: %v\n%s", s.name, at.name, err, output)
	}
	return report
}

func (s suite) command(t *testing.T, at server, results string, chosen []string) *exec.Cmd {
	bindir, err := localpg.FindBinDir()
	if err != nil {
		t.Fatal(err)
	}
	input := filepath.Join(home(t), "src/src/test", s.name)
	args := []string{
		"--inputdir=" + input, "--outputdir=" + results, "--bindir=" + bindir, "--dlpath=" + filepath.Join(home(t), "lib"),
		"--host=" + at.host, "--port=" + strconv.Itoa(at.port), "--user=" + at.user, "--dbname=" + s.database,
		"--no-locale", "--launcher=timeout -k 10 " + testSeconds,
	}
	if len(chosen) == 0 {
		args = append(args, "--schedule="+s.scheduleIn(t, results, filepath.Join(input, s.schedule)))
	}
	cmd := exec.CommandContext(context.Background(), filepath.Join(filepath.Dir(bindir), "lib/pgxs/src/test", s.program), append(args, chosen...)...)
	cmd.Dir = results
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + results, "LC_ALL=C", "PGSSLMODE=disable", "PGISOLATIONTIMEOUT=" + stepSeconds}
	return cmd
}

// scheduleIn writes the schedule that is run into a folder.
func (s suite) scheduleIn(t *testing.T, folder, schedule string) string {
	t.Helper()
	text, err := os.ReadFile(schedule)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "schedule")
	if err := os.WriteFile(file, []byte(apart(string(text), s.alone)), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// freshFolder makes an empty folder that the owner may write to.
func freshFolder(t *testing.T, dir string, owner *syscall.Credential) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// ownerOf is who runs the servers, as whom the suite has to run: the servers write files
// into the folder of the results. It is nil for ourselves.
func ownerOf(t *testing.T, dataDir string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("the owner of %s is not known", dataDir)
	}
	return &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
}

// chosen are the tests of the suite that TESTS names, those of all suites in one list; a
// suite's own name stands for all of it. Nothing runs of a suite that is not in the list.
func (s suite) chosen(t *testing.T) (tests []string, some bool) {
	t.Helper()
	names := strings.Fields(os.Getenv("TESTS"))
	if len(names) == 0 {
		return nil, true
	}
	for _, name := range names {
		if name == s.name {
			return nil, true
		}
		if s.has(t, name) {
			tests = append(tests, name)
		}
	}
	if len(tests) == 0 {
		return nil, false
	}
	return append(append([]string{}, s.before...), tests...), true
}

func (s suite) has(t *testing.T, test string) bool {
	for _, pattern := range []string{"sql/%s.sql", "specs/%s.spec"} {
		if _, err := os.Stat(filepath.Join(home(t), "src/src/test", s.name, fmt.Sprintf(pattern, test))); err == nil {
			return true
		}
	}
	return false
}
