package catalog

import (
	"slices"
	"strings"
)

// allCompute reports whether all of the volatile functions that a view calls are
// PostgreSQL's own and merely compute something. One that initdb did not make comes
// without a name.
func allCompute(calls []string) bool {
	return !slices.ContainsFunc(calls, func(name string) bool { return !computes(name) })
}

// computes names PostgreSQL's own functions that pg_proc calls volatile because
// their result may change at any time, and which change nothing. A view that calls
// them can be read on any node. What is not named here is taken to change something:
// nextval and its relatives, set_config, advisory locks, large objects, and all that
// run SQL given as text. (Catalogues of PostgreSQL 12 to 18.)
func computes(name string) bool {
	switch name {
	// clocks and chance
	case "clock_timestamp", "timeofday", "random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7",
		"array_sample", "array_shuffle", "bernoulli", "system", "pg_sleep", "pg_sleep_for", "pg_sleep_until":
		return true
	// of transactions and locks
	case "txid_status", "pg_xact_status", "pg_xact_commit_timestamp", "pg_xact_commit_timestamp_origin",
		"pg_last_committed_xact", "pg_get_multixact_members", "pg_prepared_xact", "pg_blocking_pids",
		"pg_safe_snapshot_blocking_pids", "pg_isolation_test_session_is_blocked", "pg_lock_status":
		return true
	// of storage
	case "pg_database_size", "pg_indexes_size", "pg_relation_size", "pg_table_size", "pg_tablespace_size",
		"pg_total_relation_size", "pg_sequence_last_value", "pg_get_sequence_data", "pg_partition_tree",
		"pg_partition_ancestors", "currtid2", "lo_get", "pg_read_file", "pg_read_file_old",
		"pg_read_binary_file", "pg_stat_file":
		return true
	// of the server
	case "current_query", "pg_current_logfile", "pg_hba_file_rules", "pg_ident_file_mappings",
		"pg_show_all_file_settings", "pg_jit_available", "pg_notification_queue_usage",
		"pg_get_backend_memory_contexts", "pg_get_shmem_allocations", "pg_get_shmem_allocations_numa",
		"pg_get_aios", "pg_collation_actual_version", "pg_database_collation_actual_version",
		"pg_control_checkpoint", "pg_control_init", "pg_control_recovery", "pg_control_system":
		return true
	// of WAL and replication
	case "pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_get_wal_replay_pause_state",
		"pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_lsn",
		"pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
		"pg_get_wal_resource_managers", "pg_get_wal_summarizer_state", "pg_replication_origin_progress",
		"pg_replication_origin_session_is_setup", "pg_replication_origin_session_progress",
		"pg_show_replication_origin_status":
		return true
	}
	return strings.HasPrefix(name, "pg_stat_get_") || strings.HasPrefix(name, "pg_ls_")
}
