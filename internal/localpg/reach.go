package localpg

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// reachable tells whether the account can enter dir. A folder below /root is the
// usual case where it cannot, and the server's own message about it is obscure.
func (a account) reachable(dir string) error {
	if !a.drop {
		return nil
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return err
		}
		if !a.mayEnter(info) {
			return fmt.Errorf("%s cannot be entered by user %s, who runs the servers because root must not: choose a folder elsewhere", parent, a.name)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
	}
}

// mayEnter reads the x bit that applies to the account.
func (a account) mayEnter(info os.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	bit := os.FileMode(0o001)
	switch {
	case int(owner.Uid) == a.uid:
		bit = 0o100
	case int(owner.Gid) == a.gid:
		bit = 0o010
	}
	return info.Mode().Perm()&bit != 0
}
