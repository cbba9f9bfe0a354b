package safety

import (
	"strings"

	"github.com/pgchorus/pgchorus/parser"
)

// The classes of functions that function_policy speaks of and that are told by name.
const (
	timeClass        = "time"
	randomClass      = "random"
	uuidClass        = "uuid"
	sequenceClass    = "sequence"
	largeObjectClass = "lo"
	advisoryClass    = "advisory"
	notifyClass      = "notify"
	filesystemClass  = "filesystem"
	remoteClass      = "dblink"
	replicationClass = "replication"
	adminClass       = "admin"
	signalClass      = "signal"
)

// classOf is the class of a function of PostgreSQL's own, or "".
func classOf(f *parser.Function) string {
	switch f.Class {
	case parser.Clock:
		return timeClass
	case parser.Sequence:
		return sequenceClass
	case parser.Random:
		if isUUID(f.Name) {
			return uuidClass
		}
		return randomClass
	case parser.UnknownFunction:
		return ""
	}
	return classOfName(f.Name)
}

func isUUID(name string) bool { return strings.Contains(name, "uuid") }

// classOfName is for functions with side effects and those that tell of the node
// (PostgreSQL manual, chapter 9.28 and 35.3).
func classOfName(name string) string {
	switch {
	case strings.HasPrefix(name, "pg_advisory_"), strings.HasPrefix(name, "pg_try_advisory_"):
		return advisoryClass
	case strings.HasPrefix(name, "pg_ls_"), strings.HasPrefix(name, "pg_read_"):
		return filesystemClass
	case strings.HasPrefix(name, "pg_logical_slot_"), strings.HasPrefix(name, "pg_replication_origin_") && !readsOrigin(name):
		return replicationClass
	case strings.HasPrefix(name, "pg_stat_reset"), strings.HasPrefix(name, "binary_upgrade_"):
		return adminClass
	}
	switch name {
	case "lo_creat", "lo_create", "lo_from_bytea":
		return largeObjectClass
	case "pg_notify":
		return notifyClass
	case "lo_import", "lo_export", "pg_stat_file", "be_lo_import", "be_lo_export":
		return filesystemClass
	case "pg_create_physical_replication_slot", "pg_create_logical_replication_slot", "pg_drop_replication_slot",
		"pg_copy_physical_replication_slot", "pg_copy_logical_replication_slot", "pg_replication_slot_advance",
		"pg_logical_emit_message", "pg_sync_replication_slots":
		return replicationClass
	case "pg_reload_conf", "pg_rotate_logfile", "pg_rotate_logfile_old", "pg_promote", "pg_switch_wal",
		"pg_create_restore_point", "pg_backup_start", "pg_backup_stop", "pg_start_backup", "pg_stop_backup",
		"pg_wal_replay_pause", "pg_wal_replay_resume", "pg_log_backend_memory_contexts",
		"pg_import_system_collations", "pg_log_standby_snapshot", "pg_nextoid", "pg_stop_making_pinned_objects":
		return adminClass
	case "pg_terminate_backend", "pg_cancel_backend":
		return signalClass
	}
	return ""
}

func readsOrigin(name string) bool {
	switch name {
	case "pg_replication_origin_oid", "pg_replication_origin_progress", "pg_replication_origin_session_is_setup",
		"pg_replication_origin_session_progress":
		return true
	}
	return false
}

// classOfExtension is the class of functions that an extension has made, or "": those
// that act on something outside of the database.
func classOfExtension(extension string) string {
	switch extension {
	case "dblink", "postgres_fdw", "http", "pg_net", "plsh", "pg_background", "pgsql_http", "oracle_fdw", "mysql_fdw", "tds_fdw",
		"redis_fdw", "mongo_fdw", "pg_cron", "aws_s3", "aws_lambda", "kafka_fdw":
		return remoteClass
	case "adminpack", "file_fdw":
		return filesystemClass
	}
	return ""
}

// readsFiles: it only tells what is in files of the node, which a read may ask.
func readsFiles(name string) bool {
	return strings.HasPrefix(name, "pg_ls_") || strings.HasPrefix(name, "pg_read_") || name == "pg_stat_file"
}

// alikeWithin names functions with side effects that a body may call on every node: they
// do the same on each.
func alikeWithin(name string) bool {
	switch name {
	case "set_config", "lo_put", "lo_unlink", "lowrite", "lo_truncate", "lo_truncate64", "lo_open", "lo_close", "loread",
		"lo_lseek", "lo_lseek64", "lo_tell", "lo_tell64", "pg_notify", "suppress_redundant_updates_trigger",
		"tsvector_update_trigger", "tsvector_update_trigger_column":
		return true
	}
	return strings.HasPrefix(name, "pg_advisory_") || strings.HasPrefix(name, "RI_FKey_") || strings.HasPrefix(name, "brin_")
}

// setsColumn names PostgreSQL's own trigger functions, which do nothing but set a column of
// the row, or leave the row out.
func setsColumn(name string) bool {
	return name == "suppress_redundant_updates_trigger" || strings.HasPrefix(name, "tsvector_update_trigger")
}

// classHints say what to do instead of a call that is denied.
var classHints = map[string]string{
	filesystemClass:  "Send the data through the connection, such as by COPY FROM STDIN (\\copy in psql).",
	remoteClass:      "It would take effect once for each node. Call it from the application, or allow it with function_policy = 'dblink:main'.",
	replicationClass: "Connect to the node itself, or allow it with function_policy = 'replication:main'.",
	adminClass:       "Connect to each node itself, or set admin_broadcast = on.",
}
