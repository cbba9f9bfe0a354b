package cachepolicy

import (
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/parser"
)

// Lists are the operator's.
type Lists struct {
	// Safe are cache_safe_memqcache_table_list: views and unlogged tables to keep.
	Safe config.Patterns
	// Unsafe are cache_unsafe_memqcache_table_list: relations never to keep. They win.
	Unsafe config.Patterns
}

// Read is a verdict on the answer of a statement.
type Read struct {
	// Keep: it may be kept.
	Keep bool
	// Names are those that it depends on.
	Names []string
	// Why it may not; "" if it may.
	Why string
}

// OfRead judges a statement. The verdict is final if nothing is missing. The text itself
// is not looked at: a constant in it that names a moment is the caller's to find.
func OfRead(stmt *parser.Statement, hint Hint, lists Lists, facts Facts) (Read, *Missing) {
	x := reading{asker: asker{facts: facts}, lists: lists, forced: hint == Force}
	why := x.judge(stmt, hint)
	if why != "" || !x.missing.Empty() {
		return Read{Why: why}, &x.missing
	}
	return Read{Keep: true, Names: x.names}, &x.missing
}

// reading is one run of OfRead.
type reading struct {
	asker
	lists  Lists
	forced bool
	names  []string
}

// judge says why not; "" for no reason, as far as is known.
func (x *reading) judge(stmt *parser.Statement, hint Hint) string {
	switch {
	case hint == Never:
		return "its comment says so"
	case stmt.Kind != parser.Select || !stmt.ReadBySyntax:
		return "it is no plain SELECT"
	case len(stmt.Reads) == 0:
		return "it reads no table"
	case stmt.NodeLocal, stmt.Identifiers:
		return "it asks about one node"
	case !x.forced && (stmt.AsksTime || stmt.UntypedTimeString):
		return "it asks for the time"
	}
	for i := range stmt.Functions {
		if why := x.call(&stmt.Functions[i]); why != "" {
			return why
		}
	}
	for i := range stmt.Reads {
		if why := x.table(&stmt.Reads[i]); why != "" {
			return why
		}
	}
	return ""
}

// call judges a function. One that writes is none for a read, whatever the comment says.
func (x *reading) call(f *parser.Function) string {
	switch f.Class {
	case parser.UnknownFunction:
		return x.usersCall(f)
	case parser.Deterministic:
		if x.forced || !dependsOnMore(f.Name) {
			return ""
		}
	case parser.Clock, parser.Random:
		if x.forced {
			return ""
		}
	}
	return "it calls " + f.String() + "()"
}

func (x *reading) usersCall(f *parser.Function) string {
	fact, known := x.function(f)
	if !known || x.forced && fact.Exists && !fact.Volatility.Changes() || fact.Exists && fact.Volatility.Constant() {
		return ""
	}
	return "it calls " + f.String() + "(), which is not immutable"
}

// dependsOnMore names functions of PostgreSQL's own that are harmless and yet depend on
// what is neither an argument nor in a session's scope: settings of the session's own
// making, the catalogue, what tables hold that are named in a text, the time that passes.
func dependsOnMore(name string) bool {
	switch name {
	case "pg_typeof", "pg_size_pretty", "pg_size_bytes", "pg_column_compression":
		return false
	case "current_setting", "row_security_active", "col_description", "obj_description", "shobj_description",
		"format_type", "current_schema", "current_schemas", "age", "timeofday", "inet_client_addr", "currtid", "currtid2":
		return true
	}
	for _, prefix := range [...]string{"pg_", "has_", "to_reg", "txid_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.Contains(name, "_to_xml") || strings.HasPrefix(name, "ts_stat") || strings.HasPrefix(name, "lo_")
}

func (x *reading) table(r *parser.Relation) string {
	name := r.String()
	switch {
	case r.Schema == "pg_catalog" || r.Schema == "information_schema" || strings.HasPrefix(r.Schema, "pg_"):
		return name + " is a system relation"
	case matches(x.lists.Unsafe, r):
		return name + " is in cache_unsafe_memqcache_table_list"
	}
	fact, known := x.relation(r)
	impact := x.impact(r)
	if !known || impact == nil {
		return ""
	}
	safe := x.forced || matches(x.lists.Safe, r)
	switch {
	case !fact.Exists || !impact.Exists:
		return name + " is not known"
	case fact.System:
		return name + " is a system relation"
	case fact.Temporary:
		return "there is a temporary table " + name
	case fact.Sequence:
		return name + " is a sequence"
	case fact.Volatile:
		return name + " may change something"
	case fact.Foreign && !x.forced:
		return name + " is not on the nodes"
	case fact.RowSecurity && !x.forced:
		return name + " has row security"
	case (fact.View || fact.Materialized || fact.Unlogged) && !safe:
		return name + " is a view or unlogged and not in cache_safe_memqcache_table_list"
	case len(impact.Reads) >= maxNames:
		return name + " has too many parts"
	}
	x.names = append(x.names, impact.Reads...)
	return ""
}

// maxNames bounds how many names one relation stands for (catalog.Impact).
const maxNames = 256

// matches compares as Pgpool-II does: with the schema, or without it.
func matches(list config.Patterns, r *parser.Relation) bool {
	return !list.Empty() && (list.Match(r.Name) || r.Schema != "" && list.Match(r.String()))
}
