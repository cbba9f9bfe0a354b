package admin

import (
	"fmt"
	"strconv"
)

// poolCache is one row: of zeros, if the query cache is off. There are no fragments, and
// its table is as large as it may become.
func poolCache(cache *Cache) Table {
	if cache == nil {
		cache = &Cache{}
	}
	ratio := 0.0
	if all := cache.Hits + cache.Misses; all > 0 {
		ratio = float64(cache.Hits) / float64(all)
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return Table{
		Columns: []string{
			"num_cache_hits", "num_selects", "cache_hit_ratio", "num_hash_entries", "used_hash_entries", "num_cache_entries",
			"used_cache_entries_size", "free_cache_entries_size", "fragment_cache_entries_size",
		},
		Rows: [][]string{{
			strconv.FormatUint(cache.Hits, 10), strconv.FormatUint(cache.Misses, 10), fmt.Sprintf("%.2f", ratio),
			number(cache.MaxEntries), number(cache.Entries), number(cache.Entries),
			number(cache.Bytes), number(max(cache.MaxBytes-cache.Bytes, 0)), "0",
		}},
	}
}
