package lb

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Catalog has the catalogue's facts about functions and relations; false is "has to be
// asked". *catalog.Database is one.
type Catalog interface {
	Function(catalog.Name) (catalog.Function, bool)
	Relation(catalog.Name) (catalog.Relation, bool)
}

// Examine draws from a statement what Route asks about it. missing is what the
// catalogue has to be asked before the traits are final; nil if they are. Until then
// they are the cautious ones: what is not known may write. Without a catalogue (c is
// nil) nothing is asked, functions that only it knows write, and relations are ordinary
// tables.
//
// text is the whole string that stmt was parsed from; a comment at its beginning counts
// for every statement of it. EXECUTE is examined as what was prepared, with the text of
// that.
func Examine(stmt *parser.Statement, text string, p *Policy, c Catalog) (t Traits, missing *catalog.Question) {
	x := examiner{stmt: stmt, policy: p, catalog: c}
	if stmt.ReadBySyntax {
		t = x.read(text)
	} else {
		t = x.other()
	}
	t.Statement = stmt
	return t, x.missing
}

// examiner is one run of Examine.
type examiner struct {
	stmt    *parser.Statement
	policy  *Policy
	catalog Catalog
	missing *catalog.Question
}

// read is for what reads as far as its text can tell. That it may write outranks that
// it has to be read on the main node; all relations are looked at in any case, so that
// one question will do.
func (x *examiner) read(text string) Traits {
	t := Traits{Class: Read, EndsFailure: x.stmt.Kind == parser.Empty}
	t.Reason, t.Name = x.writingCall()
	if t.Reason != None {
		t.Class = Write
	}
	if t.Class == Write {
		t.writer = x.writer()
	}
	for i := range x.stmt.Reads {
		x.relation(&t, &x.stmt.Reads[i])
	}
	if t.Class == Read {
		x.aboutNode(&t)
		if x.stmt.Identifiers && x.policy.Mode != StreamingReplication {
			t.stay(ObjectIdentifiers, "")
		}
		x.text(&t, text)
	}
	return t
}

// stay keeps a read on the main node, for the first reason that is found.
func (t *Traits) stay(r Reason, name string) {
	if t.Class == Read && !t.MainOnly {
		t.MainOnly, t.Reason, t.Name = true, r, name
	}
}

// Write takes back that a statement is a read.
func (t *Traits) Write(r Reason, name string) {
	if t.Class == Read {
		t.Class, t.MainOnly, t.Reason, t.Name = Write, false, r, name
	}
}

// writingCall finds a function that writes or may write, among those that the parser
// could not judge, or among all if there are lists.
func (x *examiner) writingCall() (Reason, string) {
	if x.policy.HasFunctionLists() {
		return x.listedCall()
	}
	var found Reason
	var name string
	for i := range x.stmt.UnknownFunctions {
		f := &x.stmt.UnknownFunctions[i]
		if r := x.volatile(f); r != None && found == None {
			found, name = r, f.String()
		}
	}
	return found, name
}

func (x *examiner) listedCall() (Reason, string) {
	for i := range x.stmt.Functions {
		f := &x.stmt.Functions[i]
		if r := x.policy.listed(f); r != None {
			return r, f.String()
		}
	}
	return None, ""
}

// volatile judges a function by its volatility in the catalogue.
func (x *examiner) volatile(f *parser.Function) Reason {
	if x.catalog == nil {
		return CallsUnknown
	}
	name := catalog.Name{Schema: f.Schema, Name: f.Name}
	fact, known := x.catalog.Function(name)
	switch {
	case !known:
		x.ask()
		x.missing.Functions = withName(x.missing.Functions, name)
		return NotLookedUp
	case !fact.Exists:
		return CallsUnknown
	case fact.Volatility == catalog.Volatile:
		return CallsVolatile
	}
	return None
}

// ask makes the question to the catalogue when there is something to ask.
func (x *examiner) ask() {
	if x.missing == nil {
		x.missing = new(catalog.Question)
	}
}

// withName adds a name to a list that has each once.
func withName(names []catalog.Name, name catalog.Name) []catalog.Name {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// aboutNode keeps questions about the primary itself there. Pgpool-II does so too, since
// these functions are volatile.
func (x *examiner) aboutNode(t *Traits) {
	if x.policy.Mode.Replicates() {
		x.aboutServer(t)
	}
	if !x.policy.Mode.HasPrimary() {
		return
	}
	if x.stmt.Kind == parser.Show && isPrimarysSetting(x.stmt.Name) {
		t.stay(AsksAboutNode, x.stmt.Name)
	}
	for i := range x.stmt.Functions {
		if f := &x.stmt.Functions[i]; f.Name == "current_setting" && (len(f.Args) == 0 || isPrimarysSetting(f.Args[0])) {
			t.stay(AsksAboutNode, f.Name)
		}
	}
	if !x.stmt.NodeLocal {
		return
	}
	for i := range x.stmt.Functions {
		if f := &x.stmt.Functions[i]; f.Class == parser.NodeLocal && isPrimarys(f.Name) {
			t.stay(AsksAboutNode, f.Name)
			return
		}
	}
}

// isPrimarysSetting names settings that a standby has otherwise than the primary: drivers
// ask for them to find a server that can be written to, or to learn about a transaction.
func isPrimarysSetting(name string) bool {
	switch name {
	case "transaction_read_only", "transaction_isolation", "transaction_deferrable", "in_hot_standby":
		return true
	}
	return false
}

// isPrimarys names functions that change nothing, and which a standby refuses or
// answers otherwise than the primary that a frontend believes to be connected to.
func isPrimarys(name string) bool {
	switch name {
	case "pg_is_in_recovery", "pg_is_wal_replay_paused", "pg_get_wal_replay_pause_state",
		"pg_current_wal_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_flush_lsn",
		"pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
		"pg_walfile_name", "pg_walfile_name_offset",
		"txid_current", "txid_current_if_assigned", "txid_status", "pg_current_xact_id",
		"pg_current_xact_id_if_assigned", "pg_xact_status", "pg_export_snapshot", "pg_prepared_xact",
		"pg_last_committed_xact", "pg_xact_commit_timestamp", "pg_xact_commit_timestamp_origin",
		"pg_lock_status", "pg_blocking_pids", "pg_stat_get_wal_senders",
		"pg_get_replication_slots", "pg_notification_queue_usage", "pg_listening_channels":
		return true
	}
	return false
}
