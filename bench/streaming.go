package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/pgchorus/pgchorus/internal/localpg"
)

// catchUpInterval is how often we look whether a standby has come so far.
const catchUpInterval = 50 * time.Millisecond

// makePrimary starts a server of its own, which standbys are made of once it is filled.
func (st *stage) makePrimary(ctx context.Context) error {
	settings := st.b.serverSettings()
	maps.Copy(settings, localpg.StreamingSettings())
	cluster, err := localpg.Create(ctx, localpg.Options{Superuser: superuser, Settings: settings})
	if err != nil {
		return err
	}
	st.ends.add(cluster.Close)
	if err := cluster.Start(ctx); err != nil {
		return err
	}
	st.nodes = cluster.Nodes()
	if err := st.b.fillTemplate(ctx, st.nodes[0]); err != nil {
		return err
	}
	// The proxies' configuration names all servers, so their ports have to be known
	// before there is anything to copy but the template; what follows is streamed.
	if _, err := cluster.AddStandbys(ctx, st.nodes[0], st.setup.nodes-1); err != nil {
		return fmt.Errorf("make standbys: %w", err)
	}
	st.nodes = cluster.Nodes()
	return cluster.Start(ctx)
}

// provideStandbys waits until the standbys have what the primary was filled with.
func (st *stage) provideStandbys(ctx context.Context) error {
	if st.mode != streaming {
		return nil
	}
	if err := st.catchUp(ctx); err != nil {
		return err
	}
	return onEach(st.nodes[1:], func(n *localpg.Node) error { return st.warm(ctx, n) })
}

// catchUp waits until the standbys have applied all that the primary has written.
func (st *stage) catchUp(ctx context.Context) error {
	found, err := ask(ctx, st.nodes[0].DSN("postgres"), "SELECT pg_current_wal_lsn()")
	if err != nil {
		return err
	}
	for _, n := range st.nodes[1:] {
		if err := waitApplied(ctx, n, found.rows[0][0]); err != nil {
			return fmt.Errorf("standby %d: %w", n.ID, err)
		}
	}
	return nil
}

func waitApplied(ctx context.Context, n *localpg.Node, position string) error {
	tick := time.NewTicker(catchUpInterval)
	defer tick.Stop()
	for {
		found, err := ask(ctx, n.DSN("postgres"), "SELECT pg_last_wal_replay_lsn() >= '"+position+"'")
		if err == nil && found.rows[0][0] == "t" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("it did not come so far as %s", position), err)
		case <-tick.C:
		}
	}
}
