package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/admin"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/session"
)

// buildCache makes the query cache, if it is on.
func (p *program) buildCache(cfg *config.Config) error {
	c := cfg.Cache
	if !c.MemoryCacheEnabled {
		return nil
	}
	p.env.Impacts = catalog.NewImpacts()
	p.env.CacheVerdicts = session.NewCacheVerdicts()
	if c.MemqcacheMethod == "memcached" {
		p.env.Cache = p.sharedCache(cfg)
		return nil
	}
	store, err := cache.NewMemory(c.MemqcacheTotalSize, int64(c.MemqcacheMaxNumCache))
	if err != nil {
		return err
	}
	p.env.Cache = cache.New(store, c.MemqcacheExpire, c.MemqcacheMaxcache)
	return nil
}

// forgetAnswers makes all answers of the query cache worthless.
func (p *program) forgetAnswers() {
	if p.env.Cache != nil {
		p.env.Cache.Forget()
	}
}

// clearCache is what `pgchorus cache clear` asks for.
func (p *program) clearCache() error {
	if p.env.Cache == nil {
		return errors.New("memory_cache_enabled is off: there is no query cache")
	}
	if err := p.env.Cache.Clear(); err != nil {
		return fmt.Errorf("other proxies will hear of it later: %w", err)
	}
	p.log.Info("query cache emptied by an operator")
	return nil
}

func newCacheCommand(flags *serveFlags) *cobra.Command {
	command := &cobra.Command{Use: "cache", Short: "The query cache of the running pgchorus"}
	command.AddCommand(&cobra.Command{
		Use:   "clear",
		Short: "Make all answers in it worthless, after a write that has gone past pgchorus",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return askRunning(cmd.Context(), flags.configFile, "cache clear")
		},
	})
	return command
}

// Cache are the figures of the query cache, nil if it is off.
func (r reporter) Cache() *admin.Cache {
	c := r.p.env.Cache
	if c == nil {
		return nil
	}
	stats := c.Stats()
	return &admin.Cache{
		Hits: stats.Hits, Misses: stats.Misses,
		Entries: stats.Entries, MaxEntries: stats.MaxEntries, Bytes: stats.Bytes, MaxBytes: stats.MaxBytes,
	}
}
