package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// errNoCache says that a proxy asked its servers although it was told to answer from memory.
var errNoCache = errors.New("it answers nothing from memory")

// leaveOutUncached takes proxies that have no cache out of a setup that is about it, and
// says so: what they would be measured with is the other setups' work.
func (st *stage) leaveOutUncached(ctx context.Context) error {
	if !st.cached {
		return nil
	}
	for _, t := range st.targets {
		if t.proxy == nil || t.broken != nil || t.name == uncached {
			continue
		}
		if err := answersFromMemory(ctx, dsn(t.ports[0], t.database)); err != nil {
			st.b.result.Notes = append(st.b.result.Notes, fmt.Sprintf("setup %q without %s: %v", st.name, t.name, err))
			t.broken = err
		}
	}
	st.targets = slices.DeleteFunc(st.targets, func(t *target) bool { return errors.Is(t.broken, errNoCache) })
	return ctx.Err()
}

// answersFromMemory asks the same several times and then the proxy how often it knew the
// answer.
func answersFromMemory(ctx context.Context, dsn string) error {
	for range 3 {
		if _, err := ask(ctx, dsn, "SELECT abalance FROM pgbench_accounts WHERE aid = 1"); err != nil {
			return err
		}
	}
	found, err := ask(ctx, dsn, "SHOW POOL_CACHE")
	if err != nil {
		return fmt.Errorf("%w (SHOW POOL_CACHE: %w)", errNoCache, err)
	}
	for _, value := range found.column("num_cache_hits") {
		if hits, err := strconv.Atoi(value); err == nil && hits > 0 {
			return nil
		}
	}
	return errNoCache
}
