package parser

import "strings"

// FunctionClass says what a call of a function can do. The order is not a rank.
type FunctionClass uint8

const (
	// UnknownFunction is not one of PostgreSQL's own, or newer than the table.
	UnknownFunction FunctionClass = iota
	// Deterministic: the same everywhere for the same data and settings.
	Deterministic
	// Clock asks for the current time.
	Clock
	// Random has no side effect and another result at each call.
	Random
	// NodeLocal tells of the one node that it runs on and changes nothing.
	NodeLocal
	// Sequence reads or moves a sequence, or the session's memory of one.
	Sequence
	// Writer has side effects: on data, files, locks, slots or the session.
	Writer
)

// classNames is indexed by FunctionClass.
var classNames = [...]string{"unknown", "deterministic", "clock", "random", "node local", "sequence", "writer"}

func (c FunctionClass) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "invalid"
}

// harmless reports whether a call may run on one node alone.
func (c FunctionClass) harmless() bool {
	return c == Deterministic || c == Clock || c == Random || c == NodeLocal
}

// ClassOf returns the class of PostgreSQL's function name, called with args
// arguments. A name without a schema that equals one of PostgreSQL's own is
// taken for it.
func ClassOf(schema, name string, args int) FunctionClass {
	switch schema {
	case "", "pg_catalog":
		return builtinClass(name, args)
	case "information_schema":
		if strings.HasPrefix(name, "_pg_") {
			return Deterministic
		}
	}
	return UnknownFunction
}

// builtinClass judges a function of pg_catalog: by hand first, then by label.
func builtinClass(name string, args int) FunctionClass {
	if name == "age" && args == 1 {
		return Clock // counts from CURRENT_DATE
	}
	if class := judgedClass(name); class != UnknownFunction {
		return class
	}
	switch {
	case isNonVolatileBuiltin(name), isNewerBuiltin(name):
		if strings.HasPrefix(name, "pg_stat_get_") {
			return NodeLocal
		}
		return Deterministic
	case isVolatileBuiltin(name):
		if strings.HasPrefix(name, "pg_stat_get_") || strings.HasPrefix(name, "pg_ls_") {
			return NodeLocal
		}
		return Writer
	}
	return UnknownFunction
}

// judgedClass holds what the volatility label does not tell. Volatile functions
// that it does not name are Writer.
func judgedClass(name string) FunctionClass {
	switch name {
	case "now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday":
		return Clock
	case "random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "array_shuffle", "array_sample",
		"bernoulli", "system":
		return Random
	case "nextval", "setval", "currval", "lastval":
		return Sequence
	case "pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_partition_tree", "pg_partition_ancestors", "amvalidate":
		return Deterministic
	}
	if isNodeLocal(name) {
		return NodeLocal
	}
	return UnknownFunction
}

// isNodeLocal names the readers of one server's own state, whatever their label.
func isNodeLocal(name string) bool {
	switch name {
	// of the connection and the server
	case "version", "pg_backend_pid", "inet_server_addr", "inet_server_port", "inet_client_addr",
		"inet_client_port", "pg_postmaster_start_time", "pg_conf_load_time", "pg_my_temp_schema",
		"pg_is_other_temp_schema", "pg_prepared_statement", "pg_cursor", "pg_listening_channels",
		"pg_notification_queue_usage", "current_query", "pg_show_all_settings", "pg_config",
		"pg_timezone_names", "pg_timezone_abbrevs", "pg_available_extensions",
		"pg_available_extension_versions", "pg_hba_file_rules", "pg_ident_file_mappings",
		"pg_show_all_file_settings", "pg_jit_available", "pg_current_logfile", "pg_get_loaded_modules",
		"pg_get_backend_memory_contexts", "pg_get_shmem_allocations", "pg_blocking_pids",
		"pg_safe_snapshot_blocking_pids", "pg_isolation_test_session_is_blocked", "pg_lock_status",
		"pg_collation_actual_version", "pg_database_collation_actual_version",
		"pg_stat_clear_snapshot", "pg_stat_force_next_flush", "pg_stat_have_stats", "pg_get_wait_events":
		return true
	// of transactions
	case "txid_current", "txid_current_if_assigned", "txid_current_snapshot", "txid_status",
		"pg_current_xact_id", "pg_current_xact_id_if_assigned", "pg_current_snapshot", "pg_xact_status",
		"pg_xact_commit_timestamp", "pg_xact_commit_timestamp_origin", "pg_last_committed_xact",
		"pg_get_multixact_members", "mxid_age", "pg_prepared_xact", "pg_export_snapshot":
		return true
	// of storage
	case "pg_column_size", "pg_column_compression", "pg_column_toast_chunk_id", "pg_relation_filenode",
		"pg_relation_filepath", "pg_filenode_relation", "pg_tablespace_location", "pg_database_size",
		"pg_indexes_size", "pg_relation_size", "pg_table_size", "pg_tablespace_size",
		"pg_total_relation_size", "pg_sequence_last_value", "currtid2", "lo_get",
		"pg_read_file", "pg_read_file_old", "pg_read_binary_file", "pg_stat_file":
		return true
	// of WAL, recovery and replication
	case "pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_get_wal_replay_pause_state",
		"pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_lsn",
		"pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
		"pg_control_checkpoint", "pg_control_init", "pg_control_recovery", "pg_control_system",
		"pg_get_wal_resource_managers", "pg_get_replication_slots", "pg_replication_origin_oid",
		"pg_replication_origin_progress", "pg_replication_origin_session_progress",
		"pg_replication_origin_session_is_setup", "pg_show_replication_origin_status",
		"pg_logical_slot_peek_changes", "pg_logical_slot_peek_binary_changes":
		return true
	}
	return false
}

// isNewerBuiltin names the immutable and stable functions that came after the
// release that the generated table is from (16 to 18).
func isNewerBuiltin(name string) bool {
	switch name {
	case "any_value", "array_reverse", "array_sort", "casefold", "crc32", "crc32c", "date_add",
		"date_subtract", "erf", "erfc", "gamma", "lgamma", "icu_unicode_version", "unicode_version",
		"unicode_assigned", "json_array", "json_object", "json_objectagg", "json_arrayagg", "json_scalar",
		"json_serialize", "json_object_agg_strict", "json_object_agg_unique",
		"json_object_agg_unique_strict", "jsonb_object_agg_strict", "jsonb_object_agg_unique",
		"jsonb_object_agg_unique_strict", "json_agg_strict", "jsonb_agg_strict", "json_strip_nulls",
		"pg_basetype", "pg_input_is_valid", "pg_input_error_info", "pg_split_walfile_name", "system_user",
		"to_bin", "to_oct", "to_regtypemod", "uuid_extract_timestamp", "uuid_extract_version", "xmltext",
		"has_largeobject_privilege", "pg_get_acl", "pg_get_partition_constraintdef":
		return true
	}
	return false
}
