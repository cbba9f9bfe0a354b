package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgchorus/pgchorus/internal/demo"
)

func newDemoCommand() *cobra.Command {
	var opts demo.Options
	var seconds int
	command := &cobra.Command{
		Use:   "demo",
		Short: "Kill one of several real PostgreSQL nodes under load, and prove that nothing was lost",
		Long: `Makes PostgreSQL nodes in a folder, serves them, has pgbench write through pgchorus,
kills a node in the middle, and compares what the others hold. It needs PostgreSQL's
programs on this machine, changes nothing outside the folder, and leaves nothing behind.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Load = time.Duration(seconds) * time.Second
			opts.Out = cmd.OutOrStdout()
			return runDemo(cmd.Context(), opts)
		},
	}
	own := command.Flags()
	own.IntVar(&opts.Nodes, "nodes", 3, "how many PostgreSQL servers")
	own.IntVar(&opts.Port, "port", 9999, "port of pgchorus; 0 takes any that is free")
	own.IntVar(&opts.Kill, "kill", 1, "the node that is killed; 0 is the main node")
	own.IntVar(&seconds, "load-seconds", 15, "how long pgbench works")
	own.StringVar(&opts.Dir, "dir", "", "empty or new folder for everything, which stays (default a temporary one)")
	own.BoolVar(&opts.Once, "once", false, "end after the proof instead of staying up")
	return command
}

// runDemo runs the demo until it has ended or somebody interrupts. A second signal
// ends us at once; the nodes' watcher still clears up.
func runDemo(ctx context.Context, opts demo.Options) error {
	var err error
	if opts.Server, err = os.Executable(); err != nil {
		return fmt.Errorf("find the program file of pgchorus: %w", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	return demo.Run(ctx, opts)
}
