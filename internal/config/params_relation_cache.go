package config

import "math"

// relationCacheParams is the part of the table on: relation cache.
func relationCacheParams() []Param {
	return []Param{
		{Name: "relcache_expire", Type: Duration, Unit: Second, Default: "0", Max: math.MaxInt64,
			Description: "Age at which a remembered catalogue fact is dropped; 0 is never.", at: func(c *Config, _ int) any { return &c.RelationCache.RelcacheExpire }},
		{Name: "relcache_size", Type: Int, Default: "256", Max: math.MaxInt32,
			Description: "Remembered catalogue facts of one kind.", at: func(c *Config, _ int) any { return &c.RelationCache.RelcacheSize }},
		{Name: "enable_shared_relcache", Type: Bool, Default: "on",
			Description: "Share remembered catalogue facts between worker processes.", NoEffect: noProcesses, at: func(c *Config, _ int) any { return &c.RelationCache.EnableSharedRelcache }},
		{Name: "relcache_query_target", Type: Enum, Default: "primary", Words: []string{"primary", "load_balance_node"}, Context: OnReload,
			Description: "Node that is asked for catalogue facts.", NoEffect: noTarget, at: func(c *Config, _ int) any { return &c.RelationCache.RelcacheQueryTarget }},
		{Name: "check_temp_table", Type: Enum, Default: "catalog", Words: []string{"catalog", "trace", "none", "on", "off"}, Context: OnReload, grammar: parseCheckTempTable, Scope: WithPrimary,
			Description: "How temporary tables are recognised.", at: func(c *Config, _ int) any { return &c.RelationCache.CheckTempTable }},
		{Name: "check_unlogged_table", Type: Bool, Default: "on", Context: InSession, Scope: WithPrimary,
			Description: "Recognise unlogged tables.", at: func(c *Config, _ int) any { return &c.RelationCache.CheckUnloggedTable }},
	}
}
