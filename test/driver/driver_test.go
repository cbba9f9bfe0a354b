package driver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// Debian's packages are for Debian's Python, which need not be the one on the PATH.
	python = "/usr/bin/python3"
	// jdbcJar is where Debian has the JDBC driver.
	jdbcJar = "/usr/share/java/postgresql.jar"
)

func TestPsql(t *testing.T) {
	compare(t, command(need(t, "psql", "--version"), "--no-psqlrc", "--echo-all", "--file="+script(t, "psql.sql")))
}

func TestPsycopg2(t *testing.T) {
	need(t, python, "-c", "import psycopg2")
	compare(t, command(python, "-u", script(t, "psycopg_2.py")))
}

func TestPsycopg3(t *testing.T) {
	need(t, python, "-c", "import psycopg")
	compare(t, command(python, "-u", script(t, "psycopg_3.py")))
}

func TestAsyncpg(t *testing.T) {
	need(t, python, "-c", "import asyncpg")
	compare(t, command(python, "-u", script(t, "asyncpg_.py")))
}

func TestJDBC(t *testing.T) {
	need(t, "java", "-version")
	need(t, "test", "-e", jdbcJar)
	compare(t, command("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jdbcJar, script(t, "JDBC.java")))
}

func TestNodePostgres(t *testing.T) {
	t.Setenv("NODE_PATH", nodePath())
	need(t, "node", "-e", "require('pg')")
	compare(t, command("node", "--no-deprecation", script(t, "node_postgres.js")))
}

// need fails the test unless the command succeeds, which shows that a driver is
// installed. It returns the program's name.
func need(t *testing.T, name string, args ...string) string {
	t.Helper()
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s\nscripts/need-drivers.sh installs what is missing",
			name, strings.Join(args, " "), err, output)
	}
	return name
}

// script is the path of a script. Clients run in another folder.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return path
}

// nodePath is where scripts/need-drivers.sh puts node-postgres, and where Debian does.
func nodePath() string {
	npm, err := filepath.Abs("../../.cache/node/node_modules")
	if err != nil {
		return "/usr/share/nodejs"
	}
	return npm + ":/usr/share/nodejs"
}
