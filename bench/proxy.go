package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// proxy is a program between clients and servers.
type proxy struct {
	child
	database string // that it is ready when it serves
	port     *localpg.Port
	controls *localpg.Port // of the control protocol; nil where there is none
}

// makeProxy writes the configuration of the proxy of t, and does not start it.
func (st *stage) makeProxy(t *target) (*proxy, error) {
	dir := filepath.Join(st.dir(), t.name)
	if err := st.b.makeDir(dir); err != nil {
		return nil, err
	}
	port, err := localpg.ReservePort()
	if err != nil {
		return nil, err
	}
	p := &proxy{child: child{name: t.name, logFile: dir + ".log", stopSignal: syscall.SIGINT}, database: t.database, port: port}
	p.answers = func(ctx context.Context) error {
		_, err := ask(ctx, dsn(p.port.Number, p.database), "SELECT 1")
		return err
	}
	st.ends.add(port.Release)
	switch t.name {
	case pgbouncer:
		return p, st.configurePgBouncer(p, t, dir)
	case pgpool:
		return p, st.configurePgpool(p, t, dir)
	}
	return p, st.configurePgchorus(p, t, dir)
}

// findProgram looks on the PATH and in the folder of daemons, which is not on
// everybody's.
func findProgram(name, debianPackage string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := filepath.Join("/usr/sbin", name)
	if _, err := os.Stat(path); err != nil {
		return "", errors.New(name + " was not found: make bench installs it (Debian's package " + debianPackage + "), or leave it out with -targets or -scenario")
	}
	return path, nil
}
