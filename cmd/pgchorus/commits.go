package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/commitlog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/deadlock"
	"github.com/pgchorus/pgchorus/internal/session"
)

// newCommitLog is what knows which transactions each node has. It asks the nodes as the role
// that compares them does.
func (p *program) newCommitLog(cfg *config.Config, log *zap.Logger) *commitlog.Log {
	return commitlog.New(commitlog.Options{
		Proxy:  proxyNumber(cfg),
		Marker: cfg.Replication.CommitMarker,
		Nodes:  p.commitNodes,
		Live:   func() []config.NodeID { return p.cluster.View().Live() },
		// The view that one looks at behind it is as new as the channel, or newer.
		Changed: p.cluster.Changed,
		Fence: func(ctx context.Context, id config.NodeID, reason string) error {
			_, err := p.cluster.Fence(ctx, id, reason)
			return err
		},
		Hold: p.env.Window.Snapshot,
		Log:  log,
	})
}

// proxyNumber tells several servers apart: the number in pgpool_node_id, as Pgpool-II's
// watchdog has it, beside the configuration; 0 without a watchdog.
func proxyNumber(cfg *config.Config) int {
	if !cfg.Watchdog.UseWatchdog {
		return 0
	}
	text, err := os.ReadFile(filepath.Join(cfg.Files.ConfigDir, "pgpool_node_id"))
	if err != nil {
		return 0 // the watchdog itself says so
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return number
}

// commitNodes are the nodes with how to connect to them.
func (p *program) commitNodes(ids []config.NodeID) ([]commitlog.Node, error) {
	cfg := p.cfg.Load()
	user, password, err := p.verifyLogin(cfg, "")
	if err != nil {
		return nil, err
	}
	var nodes []commitlog.Node
	for _, id := range ids {
		nodes = append(nodes, commitlog.Node{ID: id, Connect: func(ctx context.Context, database string) (*pgconn.PgConn, error) {
			settings, err := p.adminConfig(p.cfg.Load(), id, user, password, database)
			if err != nil {
				return nil, err
			}
			settings.RuntimeParams["application_name"] = "pgchorus commits"
			return pgconn.ConnectConfig(ctx, &settings.Config)
		}})
	}
	return nodes, nil
}

// newDetector looks for deadlocks over several nodes, over connections of its own to the
// database of the health check, or postgres.
func (p *program) newDetector(log *zap.Logger) *deadlock.Detector {
	return &deadlock.Detector{
		Interval: func() time.Duration { return p.cfg.Load().Replication.DeadlockCheckInterval },
		Live:     func() []config.NodeID { return p.cluster.View().Live() },
		Connect: func(ctx context.Context, id config.NodeID) (*pgconn.PgConn, error) {
			nodes, err := p.commitNodes([]config.NodeID{id})
			if err != nil {
				return nil, err
			}
			return nodes[0].Connect(ctx, cmp.Or(p.cfg.Load().HealthCheckDefaults.Database, "postgres"))
		},
		Sessions: &session.Deadlocks{Registry: p.registry},
		Log:      log,
	}
}
