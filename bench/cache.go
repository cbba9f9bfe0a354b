package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// errNoCache says that a proxy asked its servers although it was told to answer from memory.
var errNoCache = errors.New("it answers nothing from memory")

// caches tells whether the target is to answer from memory.
func (st *stage) caches(t *target) bool {
	return st.cached && replicates(t.name) && t.name != uncached
}

// leaveOutUncached takes proxies that have no cache out of a setup that is about it, and
// says so: what they would be measured with is the other setups' work.
func (st *stage) leaveOutUncached(context.Context) error {
	st.targets = slices.DeleteFunc(st.targets, func(t *target) bool {
		out := errors.Is(t.broken, errNoCache)
		if out {
			st.b.result.Notes = append(st.b.result.Notes, fmt.Sprintf("setup %q without %s: %v", st.name, t.name, t.broken))
		}
		return out
	})
	return nil
}

// cachePatience is longer than pgchorus takes to rely on memcached (docs/query-cache.md).
const cachePatience = 10 * time.Second

// answersFromMemory asks the same until the proxy says that it knew the answer.
func answersFromMemory(ctx context.Context, dsn string) error {
	ctx, stop := context.WithTimeout(ctx, cachePatience)
	defer stop()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		if _, err := ask(ctx, dsn, "SELECT abalance FROM pgbench_accounts WHERE aid = 1"); err != nil && ctx.Err() == nil {
			return err
		}
		use, err := askCache(ctx, dsn)
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("%w (%w)", errNoCache, err)
		case use.hits > 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return errNoCache
		case <-tick.C:
		}
	}
}

// cacheUse is how often a proxy has known an answer since its start, and how often not.
type cacheUse struct{ hits, misses int }

func askCache(ctx context.Context, dsn string) (cacheUse, error) {
	found, err := ask(ctx, dsn, "SHOW POOL_CACHE")
	if err != nil {
		return cacheUse{}, fmt.Errorf("SHOW POOL_CACHE: %w", err)
	}
	return parseCache(found)
}

// parseCache reads SHOW POOL_CACHE.
func parseCache(a answer) (use cacheUse, err error) {
	for name, to := range map[string]*int{"num_cache_hits": &use.hits, "num_selects": &use.misses} {
		values := a.column(name)
		if len(values) != 1 {
			return use, fmt.Errorf("SHOW POOL_CACHE has %d values of %s", len(values), name)
		}
		if *to, err = strconv.Atoi(values[0]); err != nil {
			return use, fmt.Errorf("SHOW POOL_CACHE: %w", err)
		}
	}
	return use, nil
}
