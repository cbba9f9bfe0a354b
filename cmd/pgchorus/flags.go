package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/pgchorus/pgchorus/internal/config"
)

// version is what SHOW POOL_VERSION begins with: the version of Pgpool-II whose
// interfaces are served, which monitoring tools look at, and then our own.
const version = "4.8 (pgchorus 0.1)"

// serveFlags are Pgpool-II's letters.
type serveFlags struct {
	configFile, pcpFile, hbaFile string
	discardStatus                bool
	foreground, debug            bool
}

// exitCode is 3 for a configuration with errors, as Pgpool-II has it, and 1 otherwise.
func exitCode(err error) int {
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		return 3
	}
	return 1
}

func newRootCommand() *cobra.Command {
	var flags serveFlags
	root := &cobra.Command{
		Use:           "pgchorus",
		Short:         "One PostgreSQL to the client, several to the operator",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), flags) },
	}
	own := root.PersistentFlags()
	own.StringVarP(&flags.configFile, "config-file", "f", "/etc/pgpool2/pgpool.conf", "configuration file")
	own.StringVarP(&flags.pcpFile, "pcp-file", "F", "", "pcp.conf (default beside the configuration file)")
	own.StringVarP(&flags.hbaFile, "hba-file", "a", "", "pool_hba.conf (default beside the configuration file)")
	root.Flags().BoolVarP(&flags.discardStatus, "discard-status", "D", false, "forget which nodes were down")
	root.Flags().BoolVarP(&flags.foreground, "dont-detach", "n", true, "stay in the foreground (pgchorus always does)")
	root.Flags().BoolVarP(&flags.debug, "debug", "d", false, "log at level debug")
	root.AddCommand(newCheckCommand(&flags), newReloadCommand(&flags), newStopCommand(&flags), newNodeCommand(&flags), newCacheCommand(&flags), newDemoCommand(), newSetupCommand(), newVerifyCommand(&flags))
	return root
}

func newCheckCommand(flags *serveFlags) *cobra.Command {
	var nodes bool
	var user string
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Say what a configuration means, and what is unknown, old or dangerous in it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, warnings, err := config.Load(args[0])
			if err != nil {
				return err
			}
			if err := config.Report(cmd.OutOrStdout(), cfg, warnings); err != nil || !nodes {
				return err
			}
			return checkNodes(cmd, cfg, *flags, user)
		},
	}
	check.Flags().BoolVar(&nodes, "nodes", false, "ask the nodes, too, and say what they have otherwise than the first one")
	check.Flags().StringVar(&user, "user", "", "role to connect as (default recovery_user or health_check_user)")
	return check
}

func newNodeCommand(flags *serveFlags) *cobra.Command {
	node := &cobra.Command{Use: "node", Short: "Take a node out of service, or back into it"}
	for _, action := range []struct{ name, short string }{
		{"attach", "Take a node into service; it has to hold the same data as the others"},
		{"detach", "Take a node out of service"},
	} {
		node.AddCommand(&cobra.Command{
			Use:   action.name + " ID",
			Short: action.short,
			Args:  cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				id, err := strconv.Atoi(args[0])
				if err != nil {
					return fmt.Errorf("node %q: expected the number in backend_hostnameN", args[0])
				}
				return controlNode(cmd.Context(), flags.configFile, action.name, config.NodeID(id))
			},
		})
	}
	return node
}

func newReloadCommand(flags *serveFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have the running pgchorus read its configuration again",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return signalRunning(flags.configFile, reloadSignal) },
	}
}

func newStopCommand(flags *serveFlags) *cobra.Command {
	var mode string
	stop := &cobra.Command{
		Use:   "stop",
		Short: "Stop the running pgchorus",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			signal, ok := stopSignals[mode]
			if !ok {
				return fmt.Errorf("-m %q: expected smart, fast or immediate", mode)
			}
			return stopRunning(flags.configFile, signal)
		},
	}
	stop.Flags().StringVarP(&mode, "mode", "m", "smart", "smart waits for the frontends to leave, fast and immediate do not")
	return stop
}
