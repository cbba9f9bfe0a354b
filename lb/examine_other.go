package lb

import (
	"strings"

	"github.com/pgchorus/pgchorus/parser"
)

// other is for what is no read by its text.
func (x *examiner) other() Traits {
	t := traitsOfKind(x.stmt)
	switch {
	case t.Reason == NotOnStandby && !x.policy.Mode.HasPrimary():
		t.Class, t.Reason = State, SetsSession
	case x.stmt.Kind == parser.Declare:
		x.declare(&t)
	case t.Class == Write:
		x.written(&t)
	}
	return t
}

// declare: a cursor that reads is bound to the node that has it; one that writes does
// so when it is fetched from.
func (x *examiner) declare(t *Traits) {
	if inner := x.stmt.Inner; inner == nil || !inner.ReadBySyntax {
		return
	}
	if r, name := x.writingCall(); r != None {
		t.Reason, t.Name, t.writer = r, name, x.writer()
		return
	}
	t.Class, t.Reason, t.Name, t.Pins = Bound, UsesCursor, x.stmt.Name, true
}

// traitsOfKind judges by the kind of statement.
func traitsOfKind(s *parser.Statement) Traits {
	switch s.Kind {
	case parser.Select, parser.CopyTo, parser.Explain, parser.Declare:
		return ofQuery(s)
	case parser.Begin, parser.Commit, parser.Rollback, parser.Savepoint, parser.Release, parser.RollbackTo,
		parser.PrepareTransaction, parser.CommitPrepared, parser.RollbackPrepared:
		return ofTransaction(s)
	case parser.Set, parser.SetLocal, parser.SetTransaction, parser.SetConstraints, parser.Reset, parser.Discard,
		parser.Prepare, parser.Deallocate, parser.Fetch, parser.ClosePortal, parser.Listen, parser.Unlisten:
		return ofSession(s)
	case parser.Lock:
		return ofLock(s)
	}
	r, name := whyWrites(s)
	if s.Node == "LoadStmt" { // LOAD is allowed on a standby
		return Traits{Class: State, Pins: true, Reason: SetsSession, Name: "LOAD"}
	}
	return Traits{Class: Write, Reason: r, Name: name}
}

// ofQuery is for what might have been a read.
func ofQuery(s *parser.Statement) Traits {
	if setsConfiguration(s) {
		return Traits{Class: State, Pins: true, Reason: SetsSession, Name: "set_config()"}
	}
	r, name := whyQueryWrites(s)
	return Traits{Class: Write, Reason: r, Name: name}
}

// setsConfiguration: SELECT set_config(...) and nothing that reads or writes besides is
// SET in another form.
func setsConfiguration(s *parser.Statement) bool {
	if s.Kind != parser.Select || len(s.Reads) > 0 || len(s.Writes) > 0 || s.HasLockingClause {
		return false
	}
	sets := false
	for i := range s.Functions {
		switch f := &s.Functions[i]; {
		case f.Name == "set_config" && f.Class == parser.Writer:
			sets = true
		case f.Class != parser.Deterministic:
			return false
		}
	}
	return sets
}

// whyQueryWrites says what in a query makes it a write.
func whyQueryWrites(s *parser.Statement) (Reason, string) {
	switch {
	case s.Kind == parser.CopyTo && !s.ToStdout:
		return WritesFile, ""
	case s.Kind == parser.Explain && s.Inner != nil && s.Inner.Kind != parser.Select:
		return whyWrites(s.Inner)
	case len(s.Writes) > 0:
		return WritesInWith, s.Writes[0].String()
	case s.HasLockingClause:
		return LocksRows, firstName(s.Reads)
	}
	for i := range s.Functions {
		if f := &s.Functions[i]; f.Class == parser.Writer || f.Class == parser.Sequence {
			return CallsWriter, f.String()
		}
	}
	return Writes, ""
}

// whyWrites says what a statement that is no query does.
func whyWrites(s *parser.Statement) (Reason, string) {
	switch s.Kind {
	case parser.Insert, parser.Update, parser.Delete, parser.Merge, parser.Truncate, parser.CopyFrom:
		return Writes, firstName(s.Writes)
	case parser.SelectInto, parser.CreateTableAs:
		return CreatesTable, firstName(s.Writes)
	case parser.DDL:
		return ChangesSchema, firstName(s.Writes)
	case parser.Execute:
		return UnknownPrepared, s.Name
	case parser.Notify:
		return Notifies, s.Name
	case parser.Call:
		return RunsCode, firstFunction(s.Functions)
	case parser.Do:
		return RunsCode, "DO"
	case parser.Vacuum, parser.Utility:
		return Maintains, firstName(s.Reads)
	}
	return NotUnderstood, ""
}

func firstName(relations []parser.Relation) string {
	if len(relations) == 0 {
		return ""
	}
	return relations[0].String()
}

func firstFunction(functions []parser.Function) string {
	if len(functions) == 0 {
		return ""
	}
	return functions[0].String()
}

// ofTransaction is for the statements that make, mark and end transactions.
func ofTransaction(s *parser.Statement) Traits {
	switch s.Kind {
	case parser.Begin:
		return Traits{Class: Control, Reason: ControlsTransaction}
	case parser.Commit, parser.Rollback:
		return Traits{Class: Control, Reason: ControlsTransaction, EndsFailure: true}
	case parser.PrepareTransaction, parser.CommitPrepared, parser.RollbackPrepared:
		return Traits{Class: Write, Reason: TwoPhase, Name: s.Name, EndsFailure: s.Kind == parser.PrepareTransaction}
	}
	return Traits{Class: Bound, Pins: true, Reason: MarksSavepoint, Name: s.Name, EndsFailure: s.Kind == parser.RollbackTo}
}

// ofSession is for what a session or a transaction keeps in its backend.
func ofSession(s *parser.Statement) Traits {
	switch s.Kind {
	case parser.Set:
		if refusedByStandby(s) {
			return Traits{Class: Bound, Pins: true, Reason: NotOnStandby, Name: s.Name}
		}
		return Traits{Class: State, Pins: true, Reason: SetsSession, Name: s.Name}
	case parser.Reset, parser.Discard, parser.Prepare, parser.Deallocate:
		return Traits{Class: State, Pins: true, Reason: SetsSession, Name: s.Kind.String()}
	case parser.SetLocal, parser.SetTransaction, parser.SetConstraints:
		return Traits{Class: Bound, Pins: true, Reason: SetsTransaction, Name: s.Kind.String()}
	case parser.Fetch:
		return Traits{Class: Bound, Pins: true, Reason: UsesCursor, Name: s.Name}
	case parser.ClosePortal:
		return Traits{Class: Bound, Reason: UsesCursor, Name: s.Name}
	}
	return Traits{Class: Bound, Reason: Listens, Name: s.Name}
}

// refusedByStandby: a hot standby cannot be made to write, and has no serializable
// transactions.
func refusedByStandby(s *parser.Statement) bool {
	if s.Isolation == "serializable" || s.ReadWriteTransaction {
		return true
	}
	return strings.EqualFold(s.Name, "transaction_read_only") && isOff(s.Value)
}

// isOff reads a constant as PostgreSQL reads a boolean that is off.
func isOff(value string) bool {
	value = strings.ToLower(value)
	switch {
	case value == "0", len(value) >= 2 && strings.HasPrefix("off", value):
		return true
	case value != "":
		return strings.HasPrefix("false", value) || strings.HasPrefix("no", value)
	}
	return false
}

// rowExclusive is the mode of LOCK from which on PostgreSQL's writers are shut out or a
// write is about to follow (parser.Statement.LockMode; Pgpool-II draws the line there).
const rowExclusive = 3

func ofLock(s *parser.Statement) Traits {
	t := Traits{Class: Write, Pins: true, Reason: LocksRelation, Name: firstName(s.Reads)}
	if s.LockMode > 0 && s.LockMode < rowExclusive {
		t.Class = Bound
	}
	return t
}
