package config

import "math"

// cacheParams is the part of the table on: query cache.
func cacheParams() []Param {
	return []Param{
		{Name: "memory_cache_enabled", Type: Bool, Default: "off",
			Description: "Answer repeated SELECTs from memory.", at: func(c *Config, _ int) any { return &c.Cache.MemoryCacheEnabled }},
		{Name: "memqcache_method", Type: Enum, Default: "shmem", Words: []string{"shmem", "memcached"},
			Description: "Where cached answers are kept.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheMethod }},
		{Name: "memqcache_memcached_host", Type: String, Default: "localhost",
			Description: "Host of memcached.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheMemcachedHost }},
		{Name: "memqcache_memcached_port", Type: Int, Default: "11211", Max: math.MaxInt32,
			Description: "Port of memcached.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheMemcachedPort }},
		{Name: "memqcache_total_size", Type: Int, Unit: Byte, Default: "67108864", Max: math.MaxInt64,
			Description: "Memory for cached answers.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheTotalSize }},
		{Name: "memqcache_max_num_cache", Type: Int, Default: "1000000", Max: math.MaxInt32,
			Description: "Cached answers at the same time.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheMaxNumCache }},
		{Name: "memqcache_expire", Type: Duration, Unit: Second, Default: "0", Max: math.MaxInt32,
			Description: "Age at which a cached answer is dropped; 0 is never.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheExpire }},
		{Name: "memqcache_auto_cache_invalidation", Type: Bool, Default: "on", Context: OnReload,
			Description: "Drop cached answers when one of their tables is written.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheAutoCacheInvalidation }},
		{Name: "memqcache_maxcache", Type: Int, Unit: Byte, Default: "409600", Max: math.MaxInt32,
			Description: "Largest answer that is cached.", at: func(c *Config, _ int) any { return &c.Cache.MemqcacheMaxcache }},
		{Name: "memqcache_cache_block_size", Type: Int, Unit: Byte, Default: "1048576", Min: 512, Max: math.MaxInt32,
			Description: "Block size of the memory for cached answers.", NoEffect: noBlocks, at: func(c *Config, _ int) any { return &c.Cache.MemqcacheCacheBlockSize }},
		{Name: "memqcache_oiddir", Type: String, Default: "/var/log/pgpool/oiddir",
			Description: "Directory of the map from tables to cached answers.", NoEffect: noOidMap, at: func(c *Config, _ int) any { return &c.Cache.MemqcacheOiddir }},
		{Name: "cache_safe_memqcache_table_list", Type: List, Default: "", Separator: ",", Context: OnReload, grammar: parsePatternList,
			Description: "Tables and views to cache although they would not be.", at: func(c *Config, _ int) any { return &c.Cache.CacheSafeMemqcacheTableList }},
		{Name: "cache_unsafe_memqcache_table_list", Type: List, Default: "", Separator: ",", Context: OnReload, grammar: parsePatternList,
			Description: "Tables and views never to cache.", at: func(c *Config, _ int) any { return &c.Cache.CacheUnsafeMemqcacheTableList }},
	}
}
