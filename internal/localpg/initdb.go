package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// template returns a data directory that was made by initdb and never started.
func (c *Cluster) template(ctx context.Context) (string, error) {
	if c.opts.TemplateDir == "" {
		dir := filepath.Join(c.Dir, "template")
		return dir, c.initDB(ctx, dir)
	}
	if err := c.ownFolder(c.opts.TemplateDir); err != nil {
		return "", err
	}
	key, err := c.templateKey()
	if err != nil {
		return "", err
	}
	return c.sharedTemplate(ctx, filepath.Join(c.opts.TemplateDir, key))
}

// dropTemplate removes a template that only this cluster had.
func (c *Cluster) dropTemplate(template string) error {
	if c.opts.TemplateDir != "" {
		return nil
	}
	return os.RemoveAll(template)
}

// ownFolder makes dir, and refuses one that somebody else could have prepared:
// it usually lies in /tmp under a name that can be guessed.
func (c *Cluster) ownFolder(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		err = os.Chmod(dir, 0o755) // whatever the umask: the servers' user has to get in
	}
	if err != nil && !os.IsExist(err) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("template folder %s belongs to another user", dir)
	}
	return nil
}

// templateKey differs where initdb would make something else.
func (c *Cluster) templateKey() (string, error) {
	version, err := os.Stat(filepath.Join(c.BinDir, "postgres"))
	if err != nil {
		return "", err
	}
	facts := append([]string{
		c.BinDir, version.ModTime().String(), c.account.name, c.opts.Superuser, c.opts.Password,
	}, c.opts.InitDBArgs...)
	sum := sha256.Sum256([]byte(strings.Join(facts, "\x00")))
	return hex.EncodeToString(sum[:8]), nil
}

// sharedTemplate makes the template under a file lock if no other process has
// done so. The rename at the end makes an interrupted initdb invisible.
func (c *Cluster) sharedTemplate(ctx context.Context, dir string) (string, error) {
	unlock, err := lockFile(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	unfinished := dir + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	if err := c.account.makeDir(unfinished); err != nil {
		return "", err
	}
	if err := c.initDB(ctx, unfinished); err != nil {
		return "", err
	}
	return dir, os.Rename(unfinished, dir)
}

// lockFile waits for an exclusive lock on path, which the kernel also drops when
// this process dies.
func lockFile(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

// initDB runs initdb. Strings sort by code point, as they do alike on every
// machine; upper() and its relatives know all of Unicode.
func (c *Cluster) initDB(ctx context.Context, dataDir string) error {
	args := []string{
		"--pgdata=" + dataDir,
		"--username=" + c.opts.Superuser,
		"--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8",
		"--auth=" + c.opts.AuthMethod,
	}
	if c.opts.Settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	if c.opts.Password != "" {
		file := filepath.Join(c.Dir, "password")
		if err := c.account.writeFile(file, []byte(c.opts.Password+"\n")); err != nil {
			return err
		}
		defer os.Remove(file)
		args = append(args, "--pwfile="+file)
	}
	out, err := c.Command(ctx, "initdb", append(args, c.opts.InitDBArgs...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// copyTemplate copies a data directory with cp, which keeps owner and mode and
// shares the blocks where the file system can.
func (c *Cluster) copyTemplate(ctx context.Context, from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s exists already", to)
	}
	cp := c.command(ctx, "/bin/cp", "-a", "--reflink=auto", from, to)
	if out, err := cp.CombinedOutput(); err != nil {
		return fmt.Errorf("copy the template: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
