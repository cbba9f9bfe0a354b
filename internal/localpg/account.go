package localpg

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is the operating-system user that runs the servers.
type account struct {
	name string
	uid  int
	gid  int
	drop bool // we are root, and the servers must not be
}

// serverAccount is ourselves, or for root postgres or nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		self := account{name: strconv.Itoa(os.Geteuid()), uid: os.Geteuid(), gid: os.Getegid()}
		if u, err := user.Current(); err == nil {
			self.name = u.Username
		}
		return self, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil && uid != 0 {
			return account{name: name, uid: uid, gid: gid, drop: true}, nil
		}
	}
	return account{}, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to run it as")
}

// attributes makes a program run as the account, in a session of its own, so
// that a terminal's Ctrl-C is left to us.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if a.drop {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// own gives path to the account.
func (a account) own(path string) error {
	if !a.drop {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// makeDir makes a folder that only the account can look into, as PostgreSQL
// demands of a data directory.
func (a account) makeDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return a.own(path)
}

// writeFile writes a file that only the account can read.
func (a account) writeFile(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return a.own(path)
}
