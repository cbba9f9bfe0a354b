package parser

import (
	"cmp"
	"slices"
)

// Table is what Plan has to know of the relation that a statement adds rows to or
// changes.
type Table struct {
	View     bool // columns without a default of their own may have one below
	Children bool // unique keys do not cover the rows of tables that inherit from it
	// Grants: somebody may be allowed to insert into some of the columns only, so that
	// none can be added to those that a statement names.
	Grants  bool
	Columns []Column
	Keys    [][]string // the columns of each unique key that is checked at once
}

// Column is a column of a Table, in the order of the table.
type Column struct {
	Name string
	// Type is the type of the column without modifiers, as it can stand behind ::.
	Type string
	// Volatile: Default is not a constant.
	Volatile bool
	Default  string // as ParseDefault reads it, or ""
	Identity bool   // GENERATED AS IDENTITY: drawn from a sequence
	Always   bool   // GENERATED ALWAYS AS IDENTITY: a value needs OVERRIDING SYSTEM VALUE
	Sequence string // of an identity column, as nextval would be told it; "" if not known
	// Unlike are the functions called by Default that are not PostgreSQL's own and may
	// return something else on each node.
	Unlike []Function
}

// FunctionFacts are what the catalogue knows of the functions of one name.
type FunctionFacts struct {
	// Alike: they return the same on all nodes for the same data and settings, such
	// as immutable ones.
	Alike      bool
	ReturnsSet bool
}

// Facts is the catalogue, as Plan asks it.
type Facts interface {
	// Table returns nil and true for a relation that does not exist, and false for one
	// of which nothing is known.
	Table(Relation) (*Table, bool)
	// Function is asked for functions of class UnknownFunction.
	Function(Function) (FunctionFacts, bool)
}

// PlanOptions are what matters of the session.
type PlanOptions struct {
	// Seeded: the frontend has called setseed, so that random() has to be main's.
	Seeded bool
	// Extended: values go as parameters, whose types have to be known beforehand.
	Extended bool
	// Lease: values of sequences are replaced like others. Otherwise each node draws by
	// itself.
	Lease bool
	// Lock, with Lease: it is only said which sequences each node draws from by itself.
	Lock bool
}

// Plan says how the text of a statement is changed so that no node computes for itself
// what others would compute differently: calls in the text and defaults of columns are
// replaced by values that are made once. Reasons has what cannot be.
//
// A Plan is made for one text and may be used for it again and again, each time with
// values of their own (Values, Questions, Answer); Splice puts them into the text,
// Params makes parameters of them. Nothing changes it.
type Plan struct {
	// Slots are the values that are wanted.
	Slots []Slot
	// Reasons are why something in the statement may come out differently still.
	Reasons []Reason
	// Sequences are the first columns and calls that draw from a sequence, 32 at most.
	// They are left as they are, but for those that PlanOptions.Lease replaces.
	Sequences []string
	// Unleased are the sequences that each node draws from by itself for all that was
	// asked to be leased, 32 at most.
	Unleased []SequenceRef

	sql   string
	edits []edit // by place, not overlapping
	given []string
}

// Empty reports whether there is nothing to replace.
func (p *Plan) Empty() bool { return len(p.edits) == 0 }

// Made reports whether the proxy makes all that may differ, or has it drawn from sequences: nothing of it
// is left to the nodes, nor asked of main.
func (p *Plan) Made() bool {
	return len(p.Reasons)+len(p.Unleased) == 0 && !slices.ContainsFunc(p.Slots, func(s Slot) bool {
		return s.Source == FromMain || s.Source > FromSequence
	})
}

// Gives reports whether a column that the statement leaves to its default is given a value in its place, for
// which the nodes call no function that only the catalogue knows.
func (p *Plan) Gives(column string) bool { return p != nil && contains(p.given, column) }

// edit is a replacement of sql[start:end].
type edit struct {
	start, end int
	pieces     []piece
	column     string // as TimeCall.Column
	nested     bool
}

// piece is a part of what is put in: a text, or the value of a slot.
type piece struct {
	text string
	slot int // of Plan.Slots, or noSlot
	time *TimeCall
}

const noSlot = -1

// Plan makes a plan for st, the text of which is sql: the whole string for a statement
// that stands alone, its own part of the string for others.
func (c *Cache) Plan(sql string, st *Statement, facts Facts, opt PlanOptions) *Plan {
	p := planner{Plan: &Plan{sql: sql}, st: st, facts: facts, opt: opt, defaults: &c.defaults, places: &places{}, timeSlot: noSlot}
	if p.settled() {
		return p.Plan
	}
	if found := st.places.inText(sql); found != nil {
		p.places = found
	}
	p.statement()
	if p.remembers() || opt.Lock && p.Draws() {
		return p.withoutLeases()
	}
	return p.Plan
}

// withoutLeases is the plan in which each node draws by itself from all sequences that the
// statement names.
func (p *planner) withoutLeases() *Plan {
	plain := planner{Plan: &Plan{sql: p.sql}, st: p.st, facts: p.facts, opt: p.opt, defaults: p.defaults, places: p.places, timeSlot: noSlot}
	plain.opt.Lease = false
	plain.statement()
	plain.Unleased = p.Unleased
	for i := range p.Slots {
		if p.Slots[i].Source == FromSequence {
			plain.unleased(p.Slots[i].Sequence)
		}
	}
	return plain.Plan
}

// settled reports whether the text asks for nothing that may differ, and no column is
// given a default that may: the usual case, in which the places are of no interest.
func (p *planner) settled() bool {
	st := p.st
	if len(st.TimeCalls) > 0 || st.UntypedTimeString || st.Computes() ||
		slices.ContainsFunc(st.Functions, func(f Function) bool { return f.Class == Sequence }) {
		return false
	}
	for i := range st.Targets {
		if st.fillsIn(i) && p.computes(st.Targets[i].Relation) {
			return false
		}
	}
	return true
}

// fillsIn reports whether a target's columns may be given their defaults.
func (s *Statement) fillsIn(target int) bool {
	switch s.Targets[target].Kind {
	case Delete:
		return false
	case Update:
		return s.places != nil && len(s.places.layouts[target].sets) > 0
	}
	return true
}

// computes reports whether a relation has a column whose default is no constant, or may
// have one.
func (p *planner) computes(r Relation) bool {
	table, known := p.facts.Table(r)
	if !known || table == nil {
		return !known
	}
	return table.View || slices.ContainsFunc(table.Columns, func(c Column) bool { return c.Volatile })
}

// planner is the state of making a Plan.
type planner struct {
	*Plan
	st       *Statement
	facts    Facts
	opt      PlanOptions
	defaults *defaults
	places   *places
	timeSlot int  // the slot of the instant, one for all
	asking   bool // in an expression that main is asked for: only main's own answer counts
}

func (p *planner) statement() {
	for _, f := range p.st.Functions {
		if f.Class == Sequence {
			p.sequence(callText(f))
		}
	}
	if p.st.UntypedTimeString {
		p.reason(UntypedTime, "constant")
	}
	shift := -p.st.Start
	all := sites(p.st.TimeCalls, p.places.calls, shift)
	if !areIn(all, len(p.sql)) {
		p.wrongText()
		return
	}
	p.edits = p.replace(p.sql, all)
	for i := range p.st.Targets {
		if i < len(p.places.layouts) {
			p.target(i, shift)
		}
	}
	slices.SortStableFunc(p.edits, func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	if !fits(p.edits, len(p.sql)) {
		p.wrongText()
	}
}

// wrongText: the statement is not of that text, in which nothing is replaced then.
func (p *planner) wrongText() {
	p.Plan.edits, p.Slots = nil, nil
	p.reason(WrongText, "statement")
}

// areIn reports whether all sites are in a text of that length.
func areIn(all []site, length int) bool {
	return !slices.ContainsFunc(all, func(s site) bool { return s.start < 0 || s.end < s.start || s.end > length })
}

// sequence notes what draws from a sequence.
func (p *planner) sequence(what string) {
	if len(p.Sequences) < maxReasons && !contains(p.Sequences, what) {
		p.Sequences = append(p.Sequences, what)
	}
}

// fits reports whether the edits can be made one after the other.
func fits(edits []edit, length int) bool {
	at := 0
	for _, e := range edits {
		if e.start < at || e.end < e.start || e.end > length {
			return false
		}
		at = e.end
	}
	return true
}

// site is a place where something is called, of one of two kinds.
type site struct {
	start, end int
	time       *TimeCall
	call       *valueCall
}

// sites puts calls of both kinds in the order of the text, an outer one before those in
// its arguments.
func sites(times []TimeCall, calls []valueCall, shift int) []site {
	all := make([]site, 0, len(times)+len(calls))
	for i := range times {
		all = append(all, site{start: times[i].Start + shift, end: times[i].End + shift, time: &times[i]})
	}
	for i := range calls {
		s := site{start: calls[i].start + shift, end: calls[i].end + shift, call: &calls[i]}
		if calls[i].end == 0 {
			s.start, s.end = 0, 0 // without a place
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b site) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	return all
}

// replace makes the edits of text for its sites.
func (p *planner) replace(text string, all []site) []edit {
	var edits []edit
	within := 0 // the end of the calls that stay, and whose arguments matter therefore
	for i := 0; i < len(all); {
		s := all[i]
		i++
		if s.time != nil {
			edits = p.replaceTime(edits, s)
			continue
		}
		if s.start >= within && p.onlyShown(s.call) {
			within = s.end
			continue
		}
		if pieces, ok := p.replaceCall(text, s, all[i:]); ok {
			edits = append(edits, edit{start: s.start, end: s.end, pieces: pieces, column: s.call.column, nested: s.call.nested})
			i += len(inside(s, all[i:]))
		} else {
			within = max(within, s.end)
		}
	}
	return edits
}

// inside are those of the sites behind s that are in its arguments.
func inside(s site, behind []site) []site {
	n := 0
	for n < len(behind) && behind[n].start < s.end {
		n++
	}
	return behind[:n]
}

// onlyShown: what the call returns goes to the frontend, which is given main's answer,
// and nowhere else. Every node has to make the call, for what it may do besides.
func (p *planner) onlyShown(c *valueCall) bool {
	return p.st.Kind == Select && !p.asking && c.function.Class == UnknownFunction && typeOf(c.function, c.args) == "" &&
		(c.times == selected || c.times == selectedAtMost) && !p.st.callsWriter()
}

func (p *planner) replaceTime(edits []edit, s site) []edit {
	if !s.time.Spliceable() {
		p.reason(TimeKept, s.time.Kind.String())
		return edits
	}
	return append(edits, edit{
		start: s.start, end: s.end, pieces: []piece{{slot: p.instant(), time: s.time}}, column: s.time.Column, nested: s.time.Nested,
	})
}

// instant is the slot of the transaction's time.
func (p *planner) instant() int {
	if p.timeSlot == noSlot {
		p.timeSlot = p.slot(Slot{Source: FromTime, Type: timestamptz})
	}
	return p.timeSlot
}

func (p *planner) slot(s Slot) int {
	p.Slots = append(p.Slots, s)
	return len(p.Slots) - 1
}

// stitch is text with edits made, as pieces.
func stitch(text string, edits []edit) []piece {
	var pieces []piece
	at := 0
	for _, e := range edits {
		pieces = append(pieces, piece{text: text[at:e.start], slot: noSlot})
		pieces = append(pieces, e.pieces...)
		at = e.end
	}
	return append(pieces, piece{text: text[at:], slot: noSlot})
}
