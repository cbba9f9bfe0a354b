package main

import "github.com/pgchorus/pgchorus/internal/pool"

// lendingLimits bound transaction pooling; a reload may change them.
func (p *program) lendingLimits() pool.Limits {
	cfg := &p.cfg.Load().Pool
	return pool.Limits{PerPool: cfg.DefaultPoolSize, PerUser: cfg.MaxUserConnections, PerDatabase: cfg.MaxDBConnections}
}
