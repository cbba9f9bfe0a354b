package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pgchorus/pgchorus/internal/commitlog"
	"github.com/pgchorus/pgchorus/internal/setup"
)

func newSetupCommand() *cobra.Command {
	var opts setup.Options
	command := &cobra.Command{
		Use:   "setup -m r|i|s|l|n [-n NODES] [-d DIR] [-p PORT]",
		Short: "Make a cluster to keep, of real PostgreSQL nodes, with scripts that start and stop it",
		Long: `Makes PostgreSQL nodes of a clustering mode, a configuration that serves them, and
scripts (startall, shutdownall), as pgpool_setup does. It needs PostgreSQL's programs
on this machine and changes nothing outside the folder. The cluster is for trying things
out: it is open to everybody on this machine, and to nobody else.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Out = cmd.OutOrStdout()
			return runSetup(cmd.Context(), opts)
		},
	}
	own := command.Flags()
	own.StringVarP(&opts.Mode, "mode", "m", "s", "s streaming, r native replication, i snapshot isolation, l logical, n raw")
	own.IntVarP(&opts.Nodes, "nodes", "n", 2, "how many PostgreSQL servers")
	own.StringVarP(&opts.Dir, "dir", "d", ".", "empty or new folder for everything")
	own.IntVarP(&opts.Port, "port", "p", 11000, "port of pgchorus; PCP has the next one")
	own.IntVar(&opts.NodePort, "pg", 0, "port of the first server, the others follow (default port + 2)")
	own.BoolVar(&opts.KeepRunning, "no-stop", false, "leave everything running")
	return command
}

// runSetup makes the cluster, or nothing if somebody interrupts.
func runSetup(ctx context.Context, opts setup.Options) error {
	opts.Objects = commitlog.Schema()
	var err error
	if opts.Program, err = os.Executable(); err != nil {
		return fmt.Errorf("find the program file of pgchorus: %w", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return setup.Run(ctx, opts)
}
