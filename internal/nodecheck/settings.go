package nodecheck

import "strings"

// Kinds of differences between settings.
const (
	KindSetting    = "setting"
	KindPlanner    = "planner setting"
	KindLimit      = "limit"
	KindDurability = "durability setting"
)

// settingClasses are the settings that are compared. Those of the first class change what
// statements do; the others change how fast, how much and how safely.
var settingClasses = []struct{ kind, names string }{
	{KindSetting, "server_encoding block_size integer_datetimes " +
		"timezone datestyle intervalstyle extra_float_digits bytea_output lc_monetary lc_numeric lc_time lc_collate lc_ctype " +
		"standard_conforming_strings backslash_quote array_nulls transform_null_equals lo_compat_privileges xmlbinary xmloption " +
		"default_transaction_isolation default_transaction_read_only default_transaction_deferrable search_path " +
		"default_text_search_config session_replication_role row_security check_function_bodies default_table_access_method " +
		"createrole_self_grant escape_string_warning quote_all_identifiers password_encryption default_with_oids"},
	{KindPlanner, "synchronize_seqscans work_mem hash_mem_multiplier default_statistics_target plan_cache_mode " +
		"effective_cache_size constraint_exclusion cursor_tuple_fraction from_collapse_limit join_collapse_limit " +
		"max_parallel_workers max_parallel_workers_per_gather"},
	{KindLimit, "statement_timeout lock_timeout idle_in_transaction_session_timeout idle_session_timeout transaction_timeout deadlock_timeout " +
		"max_connections max_locks_per_transaction max_prepared_transactions temp_file_limit"},
	{KindDurability, "fsync synchronous_commit full_page_writes synchronous_standby_names"},
}

// plannerPatterns are the families of planner settings.
const plannerPatterns = `^(enable_|geqo|jit|seq_page_cost|random_page_cost|cpu_|parallel_)`

// SettingsQuery lists kind, name and value of the settings that are compared. The value is
// that which a new session has, with what the configuration file, the database and the
// role say. Locales are compared without regard to how their encoding is spelt.
func SettingsQuery() string {
	var b strings.Builder
	b.WriteString("SELECT CASE")
	for _, class := range settingClasses {
		b.WriteString(" WHEN lower(name) = ANY('{" + strings.ReplaceAll(class.names, " ", ",") + "}') THEN '" + class.kind + "'")
	}
	b.WriteString(` WHEN name ~ '` + plannerPatterns + `' AND name !~ '^jit_(debug|dump|profiling|provider)' THEN '` + KindPlanner + `' END AS kind, name,
	CASE WHEN name LIKE 'lc\_%' THEN regexp_replace(reset_val, '(?i)utf-?8$', 'UTF-8') ELSE reset_val END || coalesce(' ' || unit, '') FROM pg_settings`)
	return `SELECT kind, name, def FROM (` + b.String() + `) AS s(kind, name, def) WHERE kind IS NOT NULL
UNION ALL SELECT 'setting', 'server_version', split_part(current_setting('server_version'), '.', 1)`
}
