package session

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/parser"
)

// What a statement may leave in the session on the nodes, as transaction pooling asks it.
// What can be told from the text is followed here; what the server knows better, main is
// asked for behind the transaction (loan_state.go).

// effect is what a statement may do to the session.
type effect struct {
	// asks: main has to be asked what the session has behind it.
	asks bool
	// shifts: a text that is parsed later in the transaction may mean something else than
	// it would outside of it.
	shifts bool
	// hides: it may set something that cannot be asked for.
	hides bool
	// draws: it may draw from sequences on the nodes, or look at what was drawn.
	draws bool
	// names: it knows prepared statements by their names.
	names bool
}

// noteLoan is called before a statement is run. It costs one comparison for a frontend that
// has its connections for good, and for a read of one node.
func (s *Session) noteLoan(stmt *parser.Statement, text string, where target) {
	if !s.loan.on || !where.all && !where.once && stmt.Kind != parser.Execute && !listsPrepared(stmt) {
		return
	}
	s.noteEffect(s.effectOf(stmt, text))
}

// noteAnyEffect is noteLoan for what may do anything.
func (s *Session) noteAnyEffect() {
	if s.loan.on {
		s.noteEffect(effect{asks: true, shifts: true, hides: true, draws: true})
	}
}

func (s *Session) noteEffect(e effect) {
	n := &s.loan
	n.unsure = n.unsure || e.asks
	n.shifted = n.shifted || e.shifts
	n.hides = n.hides || e.hides
	if e.draws {
		s.drawHere()
	}
	if e.names {
		s.useOwnNames()
	}
}

// effectOf looks at the statement itself and, if it sets off code, at that.
func (s *Session) effectOf(stmt *parser.Statement, text string) effect {
	if stmt.Kind == parser.Explain && stmt.Inner != nil && stmt.Analyze {
		return s.effectOf(stmt.Inner, text)
	}
	e := effectOfText(stmt)
	e.draws = e.draws || s.insertsDraw(stmt)
	e.asks = e.asks || stmt.Kind == parser.ClosePortal && s.loan.pinned != ""
	e.hides = e.hides || s.mayHide(stmt) && s.setsUnseen(stmt, text)
	e.shifts = e.shifts || e.hides
	return e
}

// mayHide reports whether there is code to be looked at.
func (s *Session) mayHide(stmt *parser.Statement) bool {
	return len(stmt.Writes)+len(stmt.UnknownFunctions) > 0 || stmt.Body != "" || s.impliesCode(s.Catalog.Database(s.login.Database), stmt)
}

// insertsDraw: rows are given values of sequences that the nodes draw themselves.
func (s *Session) insertsDraw(stmt *parser.Statement) bool {
	switch stmt.Kind {
	case parser.Insert, parser.Merge, parser.CopyFrom:
		return !s.replicates() || s.config().Replication.SequenceStrategy == "lock" || s.drew.recalls
	}
	return false
}

// effectOfText is what the text tells.
func effectOfText(stmt *parser.Statement) effect {
	e := effect{draws: callsSequence(stmt) || len(stmt.UnknownFunctions) > 0}
	switch stmt.Kind {
	case parser.Set, parser.Reset, parser.SetLocal:
		e.asks, e.shifts = stmt.Kind != parser.SetLocal, shiftsMeaning(stmt.Name) || stmt.All
	case parser.Discard:
		e.asks, e.shifts = true, stmt.All
	case parser.Prepare, parser.Execute:
		e.asks, e.names = true, true
	case parser.Deallocate:
		e.asks, e.names = true, !stmt.All
	case parser.Listen, parser.Unlisten:
		e.asks = true
	case parser.Declare:
		e.asks = stmt.Holds
	case parser.DDL, parser.Utility, parser.SelectInto, parser.CreateTableAs:
		e.asks, e.shifts, e.draws = true, createsTemporary(stmt), true
	case parser.Call, parser.Do:
		e.asks, e.draws = true, true
	case parser.Unknown:
		e = effect{asks: true, shifts: true, hides: true, draws: true}
	}
	e.names = e.names || listsPrepared(stmt)
	for i := range stmt.Functions {
		e.addCall(&stmt.Functions[i])
	}
	return e
}

// addCall adds what a call in the text does.
func (e *effect) addCall(f *parser.Function) {
	switch {
	case f.Class == parser.UnknownFunction:
		e.asks = true
	case f.Class != parser.Writer:
	case f.Name == "set_config":
		e.asks = true
		e.shifts = e.shifts || len(f.Args) == 0 || shiftsMeaning(f.Args[0])
		e.hides = e.hides || len(f.Args) == 0
	case f.Name == "setseed":
		e.hides = true
	case !leavesNothing(f.Name):
		e.asks = true
	}
}

// leavesNothing names writers that leave nothing in the session beyond the transaction.
func leavesNothing(name string) bool {
	return strings.HasPrefix(name, "lo_") || strings.Contains(name, "_xact_lock") ||
		slices.Contains([]string{"loread", "lowrite", "pg_notify", "pg_logical_emit_message", "pg_terminate_backend", "pg_cancel_backend"}, name)
}

// shiftsMeaning reports whether a setting may change what the server makes of a text when it
// is parsed. search_path and the role do not: the server looks again when they have changed.
// Settings that somebody has made up mean nothing to it.
func shiftsMeaning(name string) bool {
	name = strings.ToLower(name)
	if strings.Contains(name, ".") || strings.HasPrefix(name, "enable_") || strings.HasPrefix(name, "log_") || strings.HasSuffix(name, "_timeout") {
		return false
	}
	switch name {
	case "search_path", "role", "application_name", "client_min_messages", "extra_float_digits", "bytea_output", "work_mem",
		"maintenance_work_mem", "synchronous_commit", "jit", "row_security", "client_encoding", "statement_mem",
		"default_transaction_isolation", "default_transaction_read_only", "default_transaction_deferrable", "transaction_isolation",
		"transaction_read_only", "transaction_deferrable", "random_page_cost", "seq_page_cost", "plan_cache_mode":
		return false
	}
	return true
}

// effectMemo remembers what code does that statements set off, by their shape.
type effectMemo [memoShapes]struct {
	key   effectKey
	hides bool
}

type effectKey struct {
	shape      unsafe.Pointer
	generation uint64
}

// setsUnseen asks the catalogue for code and reads it, once for each shape of statement.
func (s *Session) setsUnseen(stmt *parser.Statement, text string) bool {
	stmt, text = s.effectiveOf(stmt, text)
	if s.loan.effects == nil {
		s.loan.effects = new(effectMemo)
	}
	shape := shapeOf(stmt)
	e := &s.loan.effects[shapePlace(shape, memoShapes, func(place int) unsafe.Pointer { return s.loan.effects[place].key.shape })]
	key := effectKey{shape, s.generation()}
	if e.key == key {
		return e.hides
	}
	hides, final := s.readCode(stmt, text)
	if final && !s.Catalog.Database(s.login.Database).Ages() {
		e.key, e.hides = key, hides
	}
	return hides
}

// readCode is setsUnseen without a memory. final is false if nobody could be asked.
func (s *Session) readCode(stmt *parser.Statement, text string) (hides, final bool) {
	f := s.verdictFacts()
	in := safety.Input{Statement: stmt, Text: text, Policy: s.Safety(), Facts: f, Bodies: s.Bodies}
	for range maxJudgements {
		var ask catalog.CodeQuestion
		if hides, ask = safety.SetsUnseen(in); ask.Empty() {
			return hides, true
		}
		if !s.learnCode(f, ask) {
			break
		}
	}
	return true, false
}
