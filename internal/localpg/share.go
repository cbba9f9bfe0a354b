package localpg

import (
	"context"
	"os"
	"os/exec"
)

// WriteFile makes or replaces a file that belongs to the servers' user.
func (c *Cluster) WriteFile(path string, content []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, content, mode); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		return err
	}
	return c.account.own(path)
}

// MakeDir makes a folder that belongs to the servers' user and that others can look
// into.
func (c *Cluster) MakeDir(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return c.account.own(path)
}

// Shell is a script for /bin/sh, to be run as the servers' user in the cluster's
// folder. The caller runs it.
func (c *Cluster) Shell(ctx context.Context, script string, args ...string) *exec.Cmd {
	return c.command(ctx, "/bin/sh", append([]string{"-c", script, "sh"}, args...)...)
}
