package localpg

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// familyPatience bounds how long processes may take to die of SIGKILL or to stop
// at SIGSTOP: the kernel does both at once, unless one of them waits for a disk.
const familyPatience = 10 * time.Second

// family returns the processes that work in dataDir: the postmaster, everything
// that it forked, and their own children. Dead ones that wait for their parent
// have no working directory any more and are not among them.
func family(dataDir string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if dir, err := os.Readlink(filepath.Join("/proc", entry.Name(), "cwd")); err == nil && dir == dataDir {
			pids = append(pids, pid)
		}
	}
	return pids
}

// signalAll passes over processes that have gone meanwhile.
func signalAll(pids []int, signal syscall.Signal) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("send %s to process %d: %w", signal, pid, err)
		}
	}
	return nil
}

// killFamily returns when no process works in dataDir any more.
func killFamily(dataDir string) error {
	return patiently(func() (bool, error) {
		pids := family(dataDir)
		return len(pids) == 0, signalAll(pids, syscall.SIGKILL)
	})
}

// stopAndWait returns when all pids are stopped or gone.
func stopAndWait(pids []int) error {
	if err := signalAll(pids, syscall.SIGSTOP); err != nil {
		return err
	}
	return patiently(func() (bool, error) {
		for _, pid := range pids {
			if !standsStill(pid) {
				return false, nil
			}
		}
		return true, nil
	})
}

// standsStill reads the state letter from /proc/PID/stat, where it follows the
// name in parentheses: T is stopped, Z and X are dead.
func standsStill(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return true
	}
	_, rest, found := strings.Cut(string(text), ") ")
	return found && rest != "" && strings.ContainsAny(rest[:1], "TtZX")
}

// patiently calls done every pollInterval until it says so, for familyPatience.
func patiently(done func() (bool, error)) error {
	deadline := time.NewTimer(familyPatience)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-deadline.C:
			return fmt.Errorf("processes did not react to a signal within %s", familyPatience)
		case <-tick.C:
		}
	}
}

// removeSharedMemory gives back the small System V segment by which PostgreSQL
// notices a second server on a data directory. A killed server leaves it behind,
// and Linux has room for 4096 of them. It may be gone already.
func removeSharedMemory(id int) {
	_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
}
