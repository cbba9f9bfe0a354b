package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/internal/admin"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/follow"
)

// newFollower tells the query cache what others write (cache_follow_wal); nil if it is off.
func (p *program) newFollower(cfg *config.Config) *follow.Follower {
	if p.env.Cache == nil || !cfg.Cache.CacheFollowWAL {
		return nil
	}
	options := follow.Options{
		Cache:   p.env.Cache,
		Delay:   cfg.Cache.CacheFollowWALDelay,
		Nodes:   p.followedNodes,
		Changed: p.cluster.Changed,
		Connect: p.connectFollower,
		Forget:  func(database string) { p.env.Catalog.Database(database).Forget() },
		Log:     p.log.Named("query cache"),
	}
	if p.commits != nil {
		options.Epoch = p.commits.Epoch()
		// What cannot be made is told of by the first write.
		options.Ready = func(ctx context.Context, database string) { _, _ = p.commits.Ready(ctx, database) }
	}
	return follow.New(options)
}

// followedNodes are those whose commits end answers: every node that answers by itself, and
// the primary where standbys repeat what it does, of whose delay the sessions know.
func (p *program) followedNodes() []config.NodeID {
	view := p.cluster.View()
	if p.cfg.Load().ClusteringMode.Replicates() {
		return view.Live()
	}
	if main, known := view.Main(); known {
		return []config.NodeID{main}
	}
	return nil
}

// connectFollower connects as the role that compares nodes. A stream speaks the replication
// protocol in the database.
func (p *program) connectFollower(ctx context.Context, id config.NodeID, database string, stream bool) (*pgconn.PgConn, error) {
	cfg := p.cfg.Load()
	user, password, err := p.verifyLogin(cfg, "")
	if err != nil {
		return nil, err
	}
	settings, err := p.adminConfig(cfg, id, user, password, database)
	if err != nil {
		return nil, err
	}
	settings.RuntimeParams["application_name"] = "pgchorus follower"
	if stream {
		settings.RuntimeParams["replication"] = "database"
	}
	return pgconn.ConnectConfig(ctx, &settings.Config)
}

// Followed are the nodes that the query cache is told of, by database.
func (r reporter) Followed() []admin.Followed {
	var all []admin.Followed
	for _, s := range r.p.env.Follower.States() {
		all = append(all, admin.Followed(s))
	}
	return all
}
