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

// drivers are the clients that have a script; make fails the test if one is not
// installed. Each has a database of its own, which is called like it.
var drivers = []struct {
	name string
	make func(t *testing.T) program
}{
	{"jdbc", jdbc},
	{"psql", psql},
	{"psycopg2", func(t *testing.T) program { return pythonScript(t, "psycopg2", "psycopg_2.py") }},
	{"psycopg3", func(t *testing.T) program { return pythonScript(t, "psycopg", "psycopg_3.py") }},
	{"asyncpg", func(t *testing.T) program { return pythonScript(t, "asyncpg", "asyncpg_.py") }},
	{"node_postgres", nodePostgres},
	{"pgx", func(*testing.T) program { return runPgx }},
}

// TestDrivers has each script print the same through pgchorus, in every clustering mode
// in which a cluster has to be like one server, as with a bare PostgreSQL.
func TestDrivers(t *testing.T) {
	scripts := make([]program, len(drivers))
	want := make([][]section, len(drivers))
	for i, d := range drivers {
		scripts[i] = d.make(t)
	}
	bare := newBare(t)
	t.Run("PostgreSQL", func(t *testing.T) {
		for i, d := range drivers {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				want[i] = sections(scripts[i](t, bare.with(d.name)))
				wantSound(t, want[i])
			})
		}
	})
	for _, mode := range clusterings {
		t.Run(string(mode), func(t *testing.T) {
			c := newCluster(t, mode)
			t.Run("scripts", func(t *testing.T) {
				for i, d := range drivers {
					t.Run(d.name, func(t *testing.T) {
						t.Parallel()
						compare(t, atIsolation(want[i], mode), sections(scripts[i](t, c.server(d.name))))
					})
				}
			})
			t.Run("the nodes are equal", c.wantEqual)
		})
	}
}

func psql(t *testing.T) program {
	return command(need(t, "psql", "--version"), "--no-psqlrc", "--echo-all", "--file="+script(t, "psql.sql"))
}

func pythonScript(t *testing.T, module, name string) program {
	need(t, python, "-c", "import "+module)
	return command(python, "-u", script(t, name))
}

// jdbc compiles the script once for all its runs.
func jdbc(t *testing.T) program {
	need(t, "java", "-version")
	need(t, "test", "-e", jdbcJar)
	classes := t.TempDir()
	need(t, "javac", "-cp", jdbcJar, "-d", classes, script(t, "JDBC.java"))
	return command("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jdbcJar+":"+classes, "JDBC")
}

func nodePostgres(t *testing.T) program {
	t.Setenv("NODE_PATH", nodePath())
	need(t, "node", "-e", "require('pg')")
	return command("node", "--no-deprecation", script(t, "node_postgres.js"))
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
