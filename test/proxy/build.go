package proxy

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// binaries are what this test process has built: each the open file of an
// executable, so that another test process may build anew at the same place while
// this one's servers run.
var binaries = struct{ plain, race, door func() (*os.File, error) }{
	plain: sync.OnceValues(func() (*os.File, error) { return build("pgchorus") }),
	race:  sync.OnceValues(func() (*os.File, error) { return build("pgchorus-race", "-race") }),
	door:  sync.OnceValues(func() (*os.File, error) { return build("pgchorus-door", "-tags", "pprof") }),
}

// binary returns the executable that the options ask for, open.
func binary(t testing.TB, o *options) *os.File {
	t.Helper()
	get := binaries.plain
	switch {
	case o.race:
		get = binaries.race
	case o.door:
		get = binaries.door
	}
	file, err := get()
	if err != nil {
		t.Fatalf("build pgchorus: %v", err)
	}
	return file
}

// build makes the binary in the repository's .cache. Test binaries run at the same
// time, so a lock lets one build while the others wait; they then find that nothing
// is left to do, which costs them a fraction of a second.
func build(name string, flags ...string) (*os.File, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, ".cache", "proxy")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(dir, name+".lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", path, "./cmd/pgchorus")...)
	cmd.Dir = root
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, output)
	}
	return os.Open(path)
}

// lock waits for a lock that processes agree on; the kernel drops it when one dies.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

// repository is the folder of go.mod. Tests run in the folder of their package.
func repository() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod in the working directory or above")
		}
	}
	return "", err
}
