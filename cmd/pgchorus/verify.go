package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/verify"
)

// Exit codes of `pgchorus verify`.
const (
	exitDifferent = 1
	exitUnchecked = 2
)

// verifyError is an error with the exit code of `pgchorus verify`.
type verifyError struct {
	code int
	err  error
}

func (e *verifyError) Error() string { return e.err.Error() }
func (e *verifyError) Unwrap() error { return e.err }

// ExitCode is what the program ends with.
func (e *verifyError) ExitCode() int { return e.code }

func newVerifyCommand(flags *serveFlags) *cobra.Command {
	var opts verify.Options
	var user string
	var asJSON bool
	command := &cobra.Command{
		Use:   "verify",
		Short: "Say whether the nodes hold the same data, and name table and keys where not",
		Long: `Compares tables, large objects, sequences, schema, roles and settings of all live nodes
at a common point. A running pgchorus holds COMMITs for the milliseconds that taking the
snapshots needs; without one nothing is held, and then nobody should write meanwhile.

Exit codes: 0 equal, 1 different, 2 could not be checked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runVerify(cmd, *flags, opts, user, asJSON)
		},
	}
	own := command.Flags()
	own.StringArrayVar(&opts.Databases, "database", nil, "compare this database only; may be given again (default all)")
	own.StringArrayVar(&opts.Tables, "table", nil, "compare the rows of this SCHEMA.TABLE only; may be given again")
	own.BoolVar(&asJSON, "json", false, "print the report as JSON")
	own.BoolVar(&opts.Repair, "repair", false, "give a node that is proven wrong the main node's rows, by key")
	own.BoolVar(&opts.Quick, "quick", false, "compare how many rows tables have, not the rows")
	own.IntVar(&opts.Jobs, "jobs", 1, fmt.Sprintf("tables that are compared at a time, at most %d", verify.MaxJobs))
	own.StringVar(&user, "user", "", "role to connect as, a superuser (default recovery_user or health_check_user)")
	return command
}

// runVerify compares until it is done or somebody interrupts.
func runVerify(cmd *cobra.Command, flags serveFlags, opts verify.Options, user string, asJSON bool) error {
	ctx, stop := signal.NotifyContext(contextOf(cmd), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	report, err := verifyNodes(ctx, flags, opts, user, cmd.ErrOrStderr())
	if err != nil {
		return &verifyError{exitUnchecked, fmt.Errorf("verify: %w", err)}
	}
	if err := printReport(cmd.OutOrStdout(), report, asJSON); err != nil {
		return &verifyError{exitUnchecked, err}
	}
	switch report.Result {
	case verify.Different:
		return &verifyError{exitDifferent, errors.New("the nodes differ")}
	case verify.Unchecked:
		return &verifyError{exitUnchecked, errors.New("not everything could be checked")}
	}
	return nil
}

func printReport(w io.Writer, report *verify.Report, asJSON bool) error {
	if !asJSON {
		return report.WriteText(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}

// verifyNodes compares the nodes of a configuration.
func verifyNodes(ctx context.Context, flags serveFlags, opts verify.Options, user string, progress io.Writer) (*verify.Report, error) {
	cfg, _, err := config.Load(flags.configFile)
	if err != nil {
		return nil, err
	}
	if !cfg.ClusteringMode.Replicates() {
		return nil, notCompared(cfg.ClusteringMode)
	}
	p, err := newAsker(ctx, cfg, flags)
	if err != nil {
		return nil, err
	}
	var live []config.NodeID
	note := ""
	opts.Hold, live, note, err = lookForServer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if opts.Nodes, err = p.verifyNodesOf(cfg, live, user); err != nil {
		return nil, err
	}
	meter := newVerifyMeter(progress)
	opts.Progress = meter.show
	report, err := verify.Run(ctx, opts)
	meter.end()
	if report != nil && note != "" {
		report.Notes = slices.Insert(report.Notes, 0, note)
	}
	return report, err
}

// newAsker has only what connections to nodes need; nothing of it is served.
func newAsker(ctx context.Context, cfg *config.Config, flags serveFlags) (*program, error) {
	p := &program{log: zap.NewNop(), flags: flags}
	p.use(cfg)
	withoutHBA := *cfg
	withoutHBA.Auth.EnablePoolHBA = false // nobody comes in
	granted, err := p.newAccess(ctx, &withoutHBA)
	if err != nil {
		return nil, err
	}
	p.access.Store(granted)
	return p, nil
}

// contextOf is the root of all contexts where the command has none.
func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// notCompared says why the nodes of other modes are not compared.
func notCompared(mode config.ClusteringMode) error {
	if mode.HasPrimary() {
		return fmt.Errorf("in %s PostgreSQL itself keeps the nodes equal, and standbys may lag: nothing is compared", mode)
	}
	return fmt.Errorf("in mode %s the nodes are not replicas of each other: nothing is compared", mode)
}

// lookForServer finds out which nodes are live: from the running server, or else from
// its status file.
func lookForServer(ctx context.Context, cfg *config.Config) (hold verify.Hold, live []config.NodeID, note string, err error) {
	path := controlPath(cfg)
	nc, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		live, err = liveAtLast(cfg)
		return nil, live, "no pgchorus answers at " + path + ", so no commits are held: what is written during the comparison may show as a difference", err
	}
	nc.Close()
	hold = holdOver(path)
	held, err := hold(ctx)
	if err != nil {
		return nil, nil, "", fmt.Errorf("hold commits: %w", err)
	}
	return hold, held.Live, "", held.Release()
}

// liveAtLast are the nodes that were in service when the server ended.
func liveAtLast(cfg *config.Config) ([]config.NodeID, error) {
	statuses, _, err := cluster.NewStatusFile(filepath.Join(cfg.Files.WorkDir, "pgpool_status")).Read()
	if err != nil {
		return nil, err
	}
	var live []config.NodeID
	for _, node := range cfg.Backends {
		if int(node.ID) >= len(statuses) || statuses[node.ID] != cluster.Down {
			live = append(live, node.ID)
		}
	}
	return live, nil
}

// verifyNodesOf are the nodes with how to connect to them.
func (p *program) verifyNodesOf(cfg *config.Config, live []config.NodeID, user string) ([]verify.Node, error) {
	user, password, err := p.verifyLogin(cfg, user)
	if err != nil {
		return nil, err
	}
	var nodes []verify.Node
	for _, id := range live {
		nodes = append(nodes, verify.Node{ID: id, Connect: func(ctx context.Context, database string) (*pgconn.PgConn, error) {
			settings, err := p.adminConfig(p.cfg.Load(), id, user, password, database)
			if err != nil {
				return nil, err
			}
			// No search_path: it is one of the settings that are compared.
			settings.RuntimeParams = map[string]string{"application_name": "pgchorus verify"}
			return pgconn.ConnectConfig(ctx, &settings.Config)
		}})
	}
	return nodes, nil
}

// verifyLogin is the role to connect as and its password, from the configuration, from
// pool_passwd or from PGPASSWORD.
func (p *program) verifyLogin(cfg *config.Config, user string) (name, password string, err error) {
	health := cfg.HealthCheckDefaults
	name = cmp.Or(user, cfg.Recovery.RecoveryUser, health.User, "postgres")
	text := ""
	switch name {
	case cfg.Recovery.RecoveryUser:
		text = cfg.Recovery.RecoveryPassword
	case health.User:
		text = health.Password
	}
	if text == "" && p.access.Load().passwd == nil {
		return name, os.Getenv("PGPASSWORD"), nil
	}
	password, err = p.clearPassword(name, text)
	if err != nil {
		return "", "", fmt.Errorf("password of role %s: %w", name, err)
	}
	return name, cmp.Or(password, os.Getenv("PGPASSWORD")), nil
}

// newSchedule compares in the background of the server.
func (p *program) newSchedule(log *zap.Logger) *verify.Schedule {
	hold := holdCommits(p.env.Window, p.cluster.View)
	return &verify.Schedule{
		Interval: func() time.Duration { return p.cfg.Load().Replication.ChecksumInterval },
		Options: func() verify.Options {
			cfg := p.cfg.Load()
			nodes, err := p.verifyNodesOf(cfg, mainFirst(p.cluster.View()), "")
			if err != nil || !cfg.ClusteringMode.Replicates() {
				if err != nil {
					log.Warn("nodes are not compared", zap.Error(err))
				}
				return verify.Options{}
			}
			return verify.Options{Nodes: nodes, Hold: hold, Repair: cfg.Replication.Repair == "repair"}
		},
		Found: p.fenceWrong,
		Log:   log,
	}
}

// fenceWrong takes nodes out of service whose rows are proven wrong, where repair is
// fence.
func (p *program) fenceWrong(report *verify.Report) {
	if p.cfg.Load().Replication.Repair != "fence" {
		return
	}
	for _, d := range report.Differences {
		if d.Kind != verify.KindRow || !d.Proven || d.Repaired {
			continue
		}
		// The comparison has ended, and with it its context.
		ctx, stop := context.WithTimeout(context.Background(), controlTimeout)
		if _, err := p.cluster.Fence(ctx, d.Node, "differs: "+d.String()); err != nil {
			p.log.Error("node not fenced", zap.Int(logkey.Node, int(d.Node)), zap.Error(err))
		}
		stop()
	}
}
