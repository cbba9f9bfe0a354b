package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// superuser is the role that initdb makes, and its password.
const superuser = "postgres"

// patience bounds the making of one node, with initdb or a base backup.
const patience = time.Minute

// work is one run.
type work struct {
	opts    Options
	mode    string // backend_clustering_mode
	owner   string // operating-system user, role and database
	cluster *localpg.Cluster
	sockets string // folder of pgchorus's own Unix socket
}

// Run makes the cluster. When it fails, the folder is left as it was.
func Run(ctx context.Context, opts Options) error {
	opts, err := opts.complete()
	if err != nil {
		return err
	}
	w := &work{opts: opts}
	w.mode, _ = modeName(opts.Mode)
	if w.owner, err = owner(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, time.Duration(opts.Nodes+1)*patience)
	defer stop()
	if err := w.make(ctx); err != nil {
		return errors.Join(err, w.undo())
	}
	return w.finish(ctx)
}

func (w *work) say(format string, values ...any) {
	fmt.Fprintf(w.opts.Out, format+"\n", values...)
}

// make makes everything and stops the servers again.
func (w *work) make(ctx context.Context) error {
	if err := w.makeNodes(ctx); err != nil {
		return err
	}
	if err := w.findSockets(ctx); err != nil {
		return err
	}
	if err := w.mayRun(ctx); err != nil {
		return err
	}
	if err := w.writeFiles(); err != nil {
		return err
	}
	// With a checkpoint, and a primary waits until its standbys have everything.
	return w.cluster.Stop(ctx, localpg.StopFast)
}

// undo empties the folder again.
func (w *work) undo() error {
	if w.cluster == nil {
		return nil
	}
	err := w.cluster.Close()
	entries, readErr := os.ReadDir(w.cluster.Dir)
	errs := []error{err, readErr}
	for _, entry := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(w.cluster.Dir, entry.Name())))
	}
	return errors.Join(errs...)
}

// finish tells how to go on, and goes on if asked to.
func (w *work) finish(ctx context.Context) error {
	if err := w.cluster.Close(); err != nil {
		return err
	}
	if w.opts.KeepRunning {
		out, err := w.cluster.Shell(ctx, "./startall").CombinedOutput()
		if err != nil {
			return fmt.Errorf("startall: %w: %s", err, strings.TrimSpace(string(out)))
		}
		w.say("Everything runs. Stop it with:\n\n  %s/shutdownall\n\nConnect with:\n\n  %s\n", w.cluster.Dir, w.connect())
		return nil
	}
	w.say("Done. Start it and connect with:\n\n  cd %s\n  ./startall\n  %s\n\nREADME in that folder says more.", w.cluster.Dir, w.connect())
	return nil
}

// connect is the command line that reaches the cluster through pgchorus.
func (w *work) connect() string {
	command := fmt.Sprintf("psql -p %d", w.opts.Port)
	if w.sockets == w.cluster.Dir {
		command = fmt.Sprintf("psql -h localhost -p %d", w.opts.Port)
	}
	if w.opts.Mode == logical {
		command += " " + testDatabase // the one that replicates
	}
	return command
}

// findSockets decides where pgchorus's Unix socket is: where psql looks for it, if the
// servers' user may write there.
func (w *work) findSockets(ctx context.Context) error {
	w.sockets = w.cluster.Dir
	where, err := defaultSocketDir(w.cluster.Nodes()[0])
	if err != nil {
		return err
	}
	if where != "" && w.cluster.Shell(ctx, `test -d "$1" && test -w "$1"`, where).Run() == nil {
		w.sockets = where
	}
	return nil
}

// defaultSocketDir is the folder that was built into PostgreSQL's programs. initdb
// writes it into a comment of postgresql.conf.
func defaultSocketDir(node *localpg.Node) (string, error) {
	text, err := os.ReadFile(filepath.Join(node.DataDir, "postgresql.conf"))
	if err != nil {
		return "", err
	}
	_, rest, found := strings.Cut(string(text), "\n#unix_socket_directories = '")
	if !found {
		return "", nil
	}
	where, _, _ := strings.Cut(rest, "'")
	return where, nil
}

// mayRun makes sure that the servers' user can run pgchorus: a program below /root is
// the usual case where not.
func (w *work) mayRun(ctx context.Context) error {
	if w.cluster.Shell(ctx, `test -x "$1"`, w.opts.Program).Run() != nil {
		return fmt.Errorf("%s cannot be run by user %s, who runs everything because root must not: install pgchorus elsewhere",
			w.opts.Program, w.cluster.User)
	}
	return nil
}
