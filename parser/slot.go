package parser

// Source says where a value comes from.
type Source uint8

const (
	FromTime     Source = iota // the transaction's time
	FromUUID                   // a random UUID (version 4), made by the proxy
	FromUUID7                  // a UUID of version 7, made by the proxy
	FromRandom                 // a number in [0, 1), made by the proxy
	FromMain                   // the main node is asked
	FromSequence               // the next value of a sequence
	FromCurrent                // what the session has last drawn from a sequence
	FromLast                   // what the session has last drawn from any sequence
)

// sourceNames is indexed by Source.
var sourceNames = [...]string{"time", "uuid", "uuid7", "random", "main", "sequence", "current", "last"}

func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return "invalid"
}

// Slot is a value that is wanted for a statement.
type Slot struct {
	Source Source
	// Type is the SQL type of the value; "" if only main's answer tells.
	Type string
	// Everywhere: computing it may have side effects.
	Everywhere bool

	// Sequence is the one meant, for FromSequence and FromCurrent.
	Sequence SequenceRef

	ask []piece // the expression that main computes
}

// Types of values. The names are qualified, so that no search_path gives them another
// meaning.
const (
	timestamptz = "pg_catalog.timestamptz"
	uuidType    = "pg_catalog.uuid"
	float8      = "pg_catalog.float8"
)

// sourceOf says where the value of a call comes from, and its type where that is known.
func sourceOf(f Function, args int, opt PlanOptions) (Source, string) {
	if args > 0 {
		return FromMain, typeOf(f, args)
	}
	switch f.Name {
	case "gen_random_uuid", "uuidv4", "uuid_generate_v4":
		return FromUUID, uuidType
	case "uuidv7":
		return FromUUID7, uuidType
	case "random":
		if f.Class == Random && !opt.Seeded {
			return FromRandom, float8
		}
	}
	return FromMain, typeOf(f, args)
}

// typeOf is the type that a function returns, of those that are often used in writes; ""
// for others. Functions of extensions are known by name: they have no side effects.
func typeOf(f Function, args int) string {
	switch f.Name {
	case "uuid_generate_v1", "uuid_generate_v1mc":
		return uuidType
	case "gen_salt":
		return "pg_catalog.text"
	case "gen_random_bytes":
		return "pg_catalog.bytea"
	}
	if f.Class == UnknownFunction {
		return ""
	}
	switch f.Name {
	case "random":
		if args == 0 {
			return float8 // with bounds (17) it is the type of those
		}
	case "random_normal":
		return float8
	case "timeofday", "version":
		return "pg_catalog.text"
	case "pg_backend_pid", "inet_server_port", "inet_client_port":
		return "pg_catalog.int4"
	case "inet_server_addr", "inet_client_addr":
		return "pg_catalog.inet"
	case "txid_current", "txid_current_if_assigned", "pg_database_size", "pg_relation_size", "pg_table_size",
		"pg_total_relation_size", "pg_indexes_size", "pg_tablespace_size":
		return "pg_catalog.int8"
	case "pg_current_xact_id", "pg_current_xact_id_if_assigned":
		return "pg_catalog.xid8"
	case "pg_current_snapshot":
		return "pg_catalog.pg_snapshot"
	case "pg_postmaster_start_time", "pg_conf_load_time":
		return timestamptz
	case "pg_is_in_recovery":
		return "pg_catalog.bool"
	case "pg_current_wal_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_flush_lsn":
		return "pg_catalog.pg_lsn"
	}
	return ""
}
