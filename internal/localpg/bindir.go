package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNoPostgreSQL says that no server programs were found and what to install.
var ErrNoPostgreSQL = errors.New("PostgreSQL's server programs (initdb, postgres) were not found: " +
	"install them, on Debian and Ubuntu with `apt-get install postgresql`, elsewhere so that pg_config is on the PATH")

// FindBinDir returns the folder of the newest PostgreSQL server programs on this
// machine: Debian's versioned folders first, then Red Hat's, then what pg_config
// names.
func FindBinDir() (string, error) {
	var newest string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("look for PostgreSQL: %w", err)
		}
		for _, dir := range dirs {
			if hasServer(dir) && (newest == "" || versionOf(dir) > versionOf(newest)) {
				newest = dir
			}
		}
	}
	if newest != "" {
		return newest, nil
	}
	out, err := exec.Command("pg_config", "--bindir").Output()
	if dir := strings.TrimSpace(string(out)); err == nil && hasServer(dir) {
		return dir, nil
	}
	return "", ErrNoPostgreSQL
}

// hasServer tells whether dir holds a server and not only client programs.
func hasServer(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, program)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// versionOf reads 15 from /usr/lib/postgresql/15/bin and 9.6 from /usr/pgsql-9.6/bin;
// 0 where there is no number.
func versionOf(binDir string) float64 {
	name := filepath.Base(filepath.Dir(binDir))
	version, err := strconv.ParseFloat(strings.TrimPrefix(name, "pgsql-"), 64)
	if err != nil {
		return 0
	}
	return version
}
