package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// Options says what the demo does.
type Options struct {
	// Dir is the folder of nodes, configuration and logs; it has to be empty, and
	// stays. Empty means a temporary one, which is removed at the end.
	Dir string
	// Nodes is how many PostgreSQL servers there are, 2 to localpg.MaxNodes.
	Nodes int
	// Port is where pgchorus listens; 0 means any that is free.
	Port int
	// Load is how long pgbench works, at least minLoad; it counts whole seconds.
	Load time.Duration
	// Kill is the node that is killed in the middle of the load.
	Kill int
	// Once ends the demo after the proof.
	Once bool
	// Server is the program file of pgchorus.
	Server string
	// Out is where the story goes.
	Out io.Writer
}

const (
	database  = "demo" // not postgres: connections to that one are never kept in the pool
	superuser = "postgres"

	// minLoad leaves some load on either side of the kill.
	minLoad = 4 * time.Second
	// startPatience bounds making and starting the nodes, and the server's start.
	startPatience = 2 * time.Minute
	// queryPatience bounds one look at a node or at the server.
	queryPatience = 30 * time.Second
	// comparePatience bounds the comparison of all tables.
	comparePatience = 5 * time.Minute
)

// check refuses what cannot work before anything is made.
func (o Options) check() error {
	switch {
	case o.Nodes < 2 || o.Nodes > localpg.MaxNodes:
		return fmt.Errorf("--nodes %d: expected 2 to %d, since one is killed and another has to go on", o.Nodes, localpg.MaxNodes)
	case o.Kill < 0 || o.Kill >= o.Nodes:
		return fmt.Errorf("--kill %d: expected a node from 0 to %d", o.Kill, o.Nodes-1)
	case o.Load < minLoad:
		return fmt.Errorf("--load-seconds %d: expected at least %d", int(o.Load.Seconds()), int(minLoad.Seconds()))
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("--port %d: expected 0 to 65535", o.Port)
	}
	return nil
}

// story is one run of the demo.
type story struct {
	opts Options
	out  printer

	port    *port
	cluster *localpg.Cluster
	server  *server
	faults  []string // what was not as promised
}

// Run runs the demo. It returns nil when all was as promised, and when ctx ends after
// that; else an error. Whatever it started has ended when it returns.
func Run(ctx context.Context, opts Options) (err error) {
	if err := opts.check(); err != nil {
		return err
	}
	s := &story{opts: opts, out: newPrinter(opts.Out)}
	defer func() { err = errors.Join(err, s.cleanUp()) }()

	for _, step := range []func(context.Context) error{
		s.takePort, s.startNodes, s.startServer, s.makeDatabase, s.fill, s.load, s.compare, s.verdict, s.stay,
	} {
		if err := step(ctx); err != nil {
			return s.explain(ctx, err)
		}
	}
	return nil
}

// explain adds to an error what the server last logged, which is gone with the folder.
func (s *story) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before the end")
	}
	if s.server == nil {
		return err
	}
	s.out.log("pgchorus logged last:", s.server.logTail(logLines))
	if ended := s.server.ended(endPatience); ended != nil {
		return ended
	}
	return err
}

// logLines is how much of pgchorus's log is shown when something went wrong.
const logLines = 15

// cleanUp ends and removes what the story made, in reverse.
func (s *story) cleanUp() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.stop())
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Close())
	}
	if s.port != nil {
		errs = append(errs, s.port.release())
	}
	if s.opts.Dir != "" && s.cluster != nil {
		s.out.line("Everything has ended; the data and logs are in %s.", s.cluster.Dir)
	}
	return errors.Join(errs...)
}

// fault notes what was not as promised. The story goes on, since the rest of it is
// worth knowing.
func (s *story) fault(format string, values ...any) {
	text := fmt.Sprintf(format, values...)
	s.faults = append(s.faults, text)
	s.out.bad(text)
}

func (s *story) takePort(context.Context) (err error) {
	s.port, err = takePort(s.opts.Port)
	return err
}

func (s *story) startNodes(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, startPatience)
	defer stop()
	s.out.line("Making %d PostgreSQL nodes ...", s.opts.Nodes)
	cluster, err := localpg.Create(ctx, localpg.Options{Dir: s.opts.Dir, Nodes: s.opts.Nodes, Superuser: superuser})
	if err != nil {
		return err
	}
	s.cluster = cluster
	if err := cluster.Start(ctx); err != nil {
		return err
	}
	s.out.line("Each is a server of its own, in %s, run by user %s:", cluster.Dir, cluster.User)
	for _, n := range cluster.Nodes() {
		s.out.line("  node %d  port %d  process %d", n.ID, n.Port, n.PID())
	}
	return nil
}

func (s *story) startServer(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, startPatience)
	defer stop()
	server, err := startServer(ctx, s.opts.Server, s.cluster, s.port.number)
	if err != nil {
		return err
	}
	s.server = server
	if err := server.waitReady(ctx); err != nil {
		return err
	}
	s.out.line("pgchorus serves them all on port %d, with %s.", s.port.number, server.configFile)
	return nil
}

func (s *story) makeDatabase(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, queryPatience)
	defer stop()
	if _, err := s.server.ask(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// verdict is an error when something was not as promised.
func (s *story) verdict(context.Context) error {
	if len(s.faults) > 0 {
		return fmt.Errorf("the demo did not end as promised: %d of the checks above failed", len(s.faults))
	}
	s.out.blank()
	if s.opts.Nodes == 2 {
		s.out.good("Node %d died under load, no client noticed, and the other one has every transaction.", s.opts.Kill)
	} else {
		s.out.good("Node %d died under load, no client noticed, and the nodes left are equal.", s.opts.Kill)
	}
	return nil
}

// stay serves until ctx ends, or the server does.
func (s *story) stay(ctx context.Context) error {
	if s.opts.Once {
		return nil
	}
	s.out.blank()
	s.out.line("pgchorus stays up. Try it from another terminal (SHOW POOL_NODES works there too):")
	s.out.blank()
	s.out.line("  psql -h 127.0.0.1 -p %d -U %s %s", s.port.number, superuser, database)
	s.out.blank()
	s.out.line("Ctrl-C ends it and removes everything%s.", s.butFolder())
	select {
	case <-ctx.Done():
		s.out.blank()
		return nil
	case <-s.server.process.done:
		return s.server.ended(endPatience)
	}
}

func (s *story) butFolder() string {
	if s.opts.Dir == "" {
		return ""
	}
	return " but " + s.cluster.Dir
}
