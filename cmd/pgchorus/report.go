package main

import (
	"context"
	"time"

	"github.com/pgchorus/pgchorus/internal/admin"
	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/session"
	"github.com/pgchorus/pgchorus/parser"
)

// reporter fits the parts to what admin shows.
type reporter struct{ p *program }

var _ admin.Reporter = reporter{}

// Nodes are all configured nodes with their figures.
func (r reporter) Nodes() []admin.Node {
	stats := map[config.NodeID]cluster.HealthStats{}
	for _, s := range r.p.cluster.Stats() {
		stats[s.Node] = s
	}
	view := r.p.cluster.View()
	nodes := make([]admin.Node, 0, len(view.Nodes))
	for _, n := range view.Nodes {
		configured, _ := r.p.cfg.Load().Backend(n.ID)
		shown := admin.Node{
			ID: n.ID, Host: n.Host, Port: n.Port, Status: n.Status.String(), Reason: n.Reason, Role: view.Role(n.ID), Weight: n.Weight, Since: n.Since,
			Reads:    r.p.counters.Sent(n.ID, parser.Select),
			Checked:  configured.HealthCheck.Period > 0,
			Commands: r.commands(n.ID),
			Health:   healthOf(stats[n.ID]),
			Delay:    "0",
		}
		if view.HasPrimary() {
			delay := r.p.monitor.Delay(n.ID)
			shown.ServerRole = r.p.monitor.ServerRole(n.ID)
			shown.Delay, shown.ReplicationState, shown.SyncState = r.p.shownDelay(delay), delay.State, delay.SyncState
		}
		nodes = append(nodes, shown)
	}
	return nodes
}

// commands counts what a node was sent and what it answered badly.
func (r reporter) commands(id config.NodeID) admin.Commands {
	sent := r.p.counters.Sent
	out := admin.Commands{
		Select: sent(id, parser.Select),
		Insert: sent(id, parser.Insert),
		Update: sent(id, parser.Update),
		Delete: sent(id, parser.Delete),
		DDL:    sent(id, parser.DDL, parser.CreateTableAs, parser.SelectInto, parser.Truncate),
	}
	out.Error, out.Fatal, out.Panic = r.p.counters.Failed(id)
	all := uint64(0)
	for kind := parser.Empty; kind <= parser.Utility; kind++ {
		all += sent(id, kind)
	}
	out.Other = all - out.Select - out.Insert - out.Update - out.Delete - out.DDL
	return out
}

func healthOf(s cluster.HealthStats) admin.Health {
	return admin.Health{
		Total: s.Total, Success: s.Success, Fail: s.Fail, Skip: s.Skip, Retry: s.Retry,
		AverageRetry: s.AverageRetry, MaxRetry: s.MaxRetry,
		MaxDuration: s.MaxDuration, MinDuration: s.MinDuration, AverageDuration: s.AverageDuration,
		LastCheck: s.LastCheck, LastSuccess: s.LastSuccess, LastSkip: s.LastSkip, LastFail: s.LastFail,
	}
}

// Sessions are the frontends that are logged in.
func (r reporter) Sessions() []admin.Session {
	var out []admin.Session
	for _, s := range r.p.registry.Sessions() {
		if a, ok := s.Activity(); ok {
			out = append(out, admin.Session{
				ID: a.ID, User: a.User, Database: a.Database, Frontend: a.Frontend, State: a.State.String(), Pin: a.Pin,
				Started: a.Started, Connected: a.Connected, Uses: a.Uses, LoadBalanceNode: a.LoadBalanceNode, Backends: a.Backends,
			})
		}
	}
	return out
}

// Sets are the kept connections that nobody uses.
func (r reporter) Sets() []admin.Set {
	var out []admin.Set
	for _, set := range r.p.pool.Idle() {
		out = append(out, admin.Set{
			User: set.Key.User, Database: set.Key.Database, Created: set.Created,
			Connected: set.Connected, Disconnected: set.Disconnected, Uses: set.Uses,
			Backends: set.PIDs(),
		})
	}
	return out
}

// pingTimeout bounds the look at a server for SHOW POOL_NODES.
const pingTimeout = 3 * time.Second

// Ping asks a node's server whether it is there.
func (r reporter) Ping(ctx context.Context, id config.NodeID) bool {
	ctx, stop := context.WithTimeout(ctx, pingTimeout)
	defer stop()
	for _, n := range clusterConfig(r.p.cfg.Load(), r.p.flags).Nodes {
		if n.ID == id {
			return (&cluster.PostgresProber{}).Probe(ctx, n) == nil
		}
	}
	return false
}

// shower fits admin's tables to what a session asks for.
type shower struct{ tables *admin.Tables }

var _ session.Shower = shower{}

// Show answers SHOW POOL_*.
func (s shower) Show(ctx context.Context, name string, who session.Viewer) (session.Table, bool) {
	table, ok := s.tables.Show(ctx, name, who.LoadBalanceNode, who.Config)
	return session.Table(table), ok
}
