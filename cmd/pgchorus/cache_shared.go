package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/beacon"
	"github.com/pgchorus/pgchorus/internal/config"
)

// sharedCache is the query cache in memcached (memqcache_method = memcached).
func (p *program) sharedCache(cfg *config.Config) *cache.Cache {
	c := cfg.Cache
	return cache.NewShared(cache.NewMemcached(c.MemqcacheMemcachedHost, c.MemqcacheMemcachedPort), p.newBeacon(),
		cacheNamespace(cfg), c.MemqcacheExpire, c.MemqcacheMaxcache, p.log.Named("query cache"))
}

// newBeacon shows the other proxies whether this one reaches memcached, over connections of
// its own to the database of the health check, or postgres.
func (p *program) newBeacon() *beacon.Beacon {
	return &beacon.Beacon{
		Live: func() []config.NodeID { return p.cluster.View().Live() },
		Connect: func(ctx context.Context, id config.NodeID) (*pgconn.PgConn, error) {
			cfg := p.cfg.Load()
			user, password, err := p.verifyLogin(cfg, "")
			if err != nil {
				return nil, err
			}
			settings, err := p.adminConfig(cfg, id, user, password, cmp.Or(cfg.HealthCheckDefaults.Database, "postgres"))
			if err != nil {
				return nil, err
			}
			settings.RuntimeParams["application_name"] = "pgchorus query cache"
			return pgconn.ConnectConfig(ctx, &settings.Config)
		},
	}
}

// cacheNamespace is the same for proxies whose answers look the same: of one version, with
// the same nodes by the same numbers, in the same mode. Two clusters may share a memcached.
func cacheNamespace(cfg *config.Config) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s", version, cfg.ClusteringMode)
	for _, node := range cfg.Backends {
		fmt.Fprintf(h, " %d %q %d", node.ID, node.Hostname, node.Port)
	}
	return hex.EncodeToString(h.Sum(nil))
}
