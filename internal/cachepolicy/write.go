package cachepolicy

import (
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Write is what a statement does to the cache.
type Write struct {
	// Names are those whose rows it may change.
	Names []string
	// Database: it may change anything in the session's database. Everything: or beyond.
	Database, Everything bool
	// Schema: it changes definitions.
	Schema bool
	// Session: behind it, the session may be in another scope, or have temporary tables.
	// Transaction: up to the end of its transaction.
	Session, Transaction bool
	// AtOnce: what it does may be committed before the session knows of a COMMIT.
	AtOnce bool
}

// Nothing reports whether w does nothing to anybody.
func (w *Write) Nothing() bool {
	return len(w.Names) == 0 && !w.Database && !w.Everything && !w.Session && !w.Transaction && !w.AtOnce
}

var (
	schema  = Write{Database: true, Schema: true, Session: true}
	unnoted = Write{Database: true, Session: true, AtOnce: true}
)

// OfWrite judges a statement that is not a mere read of one node. For EXECUTE it is to be
// given what was prepared. The verdict is final if nothing is missing.
func OfWrite(stmt *parser.Statement, facts Facts) (Write, *Missing) {
	x := writing{asker: asker{facts: facts}}
	return x.judge(stmt), &x.missing
}

// writing is one run of OfWrite.
type writing struct{ asker }

func (x *writing) judge(stmt *parser.Statement) Write {
	switch stmt.Kind {
	case parser.Empty, parser.Show, parser.Begin, parser.Commit, parser.Rollback, parser.Savepoint, parser.Release,
		parser.RollbackTo, parser.PrepareTransaction, parser.RollbackPrepared, parser.SetTransaction, parser.SetConstraints,
		parser.Prepare, parser.Deallocate, parser.Fetch, parser.ClosePortal, parser.Listen, parser.Unlisten,
		parser.Notify, parser.Lock, parser.Vacuum:
		return Write{}
	case parser.CommitPrepared:
		return Write{Everything: true, AtOnce: true}
	case parser.Set:
		return Write{Session: !isHarmlessSetting(stmt.Name)}
	case parser.SetLocal:
		return Write{Transaction: !isHarmlessSetting(stmt.Name)}
	case parser.Reset, parser.Discard:
		return Write{Session: true}
	case parser.Explain:
		if !stmt.Analyze || stmt.Inner == nil {
			return Write{}
		}
		return x.judge(stmt.Inner)
	case parser.Select, parser.Insert, parser.Update, parser.Delete, parser.Merge, parser.CopyFrom, parser.CopyTo, parser.Declare:
		return x.change(stmt)
	case parser.SelectInto, parser.CreateTableAs:
		return x.tableMade(stmt)
	case parser.DDL, parser.Utility:
		return x.ddl(stmt)
	case parser.Truncate:
		return Write{Database: true} // with CASCADE it may be any table
	}
	return unnoted // CALL, DO, EXECUTE of what is not known, and what nobody could parse
}

// change is for what changes rows, at whatever depth, or calls what may.
func (x *writing) change(stmt *parser.Statement) Write {
	var w Write
	for i := range stmt.Functions {
		x.call(&w, &stmt.Functions[i])
	}
	for i := range stmt.Reads {
		if fact, known := x.readBesides(&stmt.Reads[i]); known && fact.Volatile {
			w.anything()
		}
	}
	for i := range stmt.Writes {
		x.target(&w, &stmt.Writes[i])
	}
	return w
}

func (w *Write) anything() { w.Database, w.Session = true, true }

// readBesides looks at a relation that is read: a view may call a function that writes.
func (x *writing) readBesides(r *parser.Relation) (catalog.Relation, bool) {
	if r.Schema == "pg_catalog" || r.Schema == "information_schema" {
		return catalog.Relation{}, true
	}
	return x.relation(r)
}

func (x *writing) call(w *Write, f *parser.Function) {
	switch f.Class {
	case parser.UnknownFunction:
		if fact, known := x.function(f); known && (!fact.Exists || fact.Volatility.Changes()) {
			w.anything()
		}
	case parser.Writer:
		switch {
		case f.Name == "set_config":
			w.Session = true
		case !leavesTables(f.Name):
			w.anything()
		}
	}
}

func (x *writing) target(w *Write, r *parser.Relation) {
	impact := x.impact(r)
	switch {
	case impact == nil:
	case !impact.Exists:
		w.Names = append(w.Names, r.Name)
	case impact.Unknown:
		w.anything()
	default:
		w.Names = append(w.Names, impact.Writes...)
	}
}

// tableMade is for a table that is made of a query.
func (x *writing) tableMade(stmt *parser.Statement) Write {
	if !onlyTemporary(stmt) {
		return schema
	}
	query := *stmt
	query.Writes = nil
	w := x.change(&query)
	w.Session = true
	return w
}

func onlyTemporary(stmt *parser.Statement) bool {
	for i := range stmt.Writes {
		if !stmt.Writes[i].Temporary {
			return false
		}
	}
	return len(stmt.Writes) > 0
}

func (x *writing) ddl(stmt *parser.Statement) Write {
	switch stmt.Node {
	case "CreateStmt":
		if onlyTemporary(stmt) && len(stmt.UnknownFunctions) == 0 {
			return Write{Session: true}
		}
	case "CheckPointStmt":
		return Write{}
	case "CreatedbStmt", "DropdbStmt", "AlterDatabaseStmt", "AlterDatabaseSetStmt", "AlterDatabaseRefreshCollStmt",
		"CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "DropRoleStmt", "GrantRoleStmt", "RenameStmt", "AlterOwnerStmt",
		"ReassignOwnedStmt", "DropOwnedStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt":
		return Write{Everything: true, Schema: true, Session: true}
	}
	return schema
}

// isHarmlessSetting names settings that change neither what a statement means nor how its
// answer looks.
func isHarmlessSetting(name string) bool {
	switch name {
	case "application_name", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
		"client_min_messages", "synchronous_commit", "work_mem", "maintenance_work_mem", "log_statement", "log_min_messages",
		"log_min_duration_statement", "tcp_keepalives_idle", "default_transaction_isolation", "default_transaction_read_only",
		"transaction_isolation", "transaction_read_only", "session characteristics", "jit", "random_page_cost":
		return true
	}
	return false
}

// leavesTables names functions of PostgreSQL's own with side effects that are none on the
// rows of tables.
func leavesTables(name string) bool {
	switch name {
	case "pg_notify", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all",
		"pg_advisory_unlock_shared", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared", "pg_try_advisory_lock",
		"pg_try_advisory_lock_shared", "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared",
		"pg_terminate_backend", "pg_cancel_backend", "setseed", "pg_logical_emit_message",
		"lo_creat", "lo_create", "lo_from_bytea", "lo_put", "lo_unlink", "lo_open", "lo_close", "lowrite", "lo_truncate",
		"lo_truncate64", "lo_lseek", "lo_lseek64", "loread", "lo_tell", "lo_tell64":
		return true
	}
	return false
}
