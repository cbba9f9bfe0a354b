package parser

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// SequenceRef names a sequence as the text of a statement or the default of a column does.
type SequenceRef struct {
	// Name is what stands between the quotes of nextval('...'): a name as SQL writes it.
	Name string
	// Qualified: the name means the same whatever search_path is.
	Qualified bool
	// Identity: of a GENERATED AS IDENTITY column, which nobody needs a right to draw from.
	Identity bool
}

// int8Type is the type of what sequences give.
const int8Type = "pg_catalog.int8"

// isSequenceCall reports whether calls of f are to be noted for what they take from a
// sequence or tell of one.
func isSequenceCall(f Function, args int) bool {
	switch f.Name {
	case "nextval", "currval":
		return args == 1
	case "lastval":
		return args == 0
	}
	return false
}

// replaceSequence is replaceCall for a call that draws from a sequence, or tells what the
// session has drawn last.
func (p *planner) replaceSequence(c *valueCall) (pieces []piece, ok bool) {
	if !p.opt.Lease {
		return nil, false
	}
	slot := Slot{Type: int8Type}
	switch c.function.Name {
	case "nextval":
		slot.Source = FromSequence
	case "currval":
		slot.Source = FromCurrent
	default:
		slot.Source = FromLast
	}
	if slot.Source != FromLast && len(c.function.Args) != 1 {
		p.reason(NeedsParameter, c.function.String()+"()")
		return nil, false
	}
	if slot.Source != FromLast {
		slot.Sequence = sequenceNamed(c.function.Args[0])
	}
	if c.end == 0 || c.special || slot.Source == FromSequence && p.countable(c.times, c.target, false) != 0 {
		if slot.Source == FromSequence {
			p.unleased(slot.Sequence)
		}
		return nil, false
	}
	return []piece{{slot: p.slot(slot)}}, true
}

// sequenceNamed is the sequence that a constant names.
func sequenceNamed(name string) SequenceRef {
	return SequenceRef{Name: name, Qualified: isQualified(name)}
}

// isQualified reports whether a name as SQL writes it has a schema before it.
func isQualified(name string) bool {
	quoted := false
	for i := 0; i < len(name); i++ {
		switch {
		case name[i] == '"':
			quoted = !quoted
		case name[i] == '.' && !quoted:
			return true
		}
	}
	return false
}

// unleased notes a sequence that each node draws from by itself.
func (p *planner) unleased(ref SequenceRef) {
	if len(p.Unleased) < maxReasons && !slices.Contains(p.Unleased, ref) {
		p.Unleased = append(p.Unleased, ref)
	}
}

// Draws reports whether a value is wanted that a sequence gives, or that the session was
// given last.
func (p *Plan) Draws() bool {
	for i := range p.Slots {
		if p.Slots[i].Source >= FromSequence {
			return true
		}
	}
	return false
}

// remembers reports whether the plan draws several values and tells of what was drawn
// too: which of them is meant, hangs on the order in which the server computes them.
func (p *Plan) remembers() bool {
	drawn, told := 0, false
	for i := range p.Slots {
		switch p.Slots[i].Source {
		case FromSequence:
			drawn++
		case FromCurrent, FromLast:
			told = true
		}
	}
	return told && drawn > 1
}

// leases reports whether the default of a column draws from sequences whose values can be
// put in its place.
func (f *filler) leases(c *Column) bool {
	if !f.opt.Lease {
		return false
	}
	if c.Identity {
		return c.Sequence != ""
	}
	for _, call := range f.defaults.get(c.Default).calls {
		if call.function.Class == Sequence {
			return true
		}
	}
	return false
}

// unleasedDefault notes the sequences of a default that stays.
func (f *filler) unleasedDefault(c *Column) {
	if !f.opt.Lease {
		return
	}
	if c.Identity && c.Sequence == "" {
		return
	}
	if c.Identity {
		f.unleased(SequenceRef{Name: c.Sequence, Qualified: true, Identity: true})
		return
	}
	for _, call := range f.defaults.get(c.Default).calls {
		if call.function.Class == Sequence && call.function.Name == "nextval" && len(call.function.Args) == 1 {
			f.unleased(sequenceNamed(call.function.Args[0]))
		}
	}
}

// onlyDraws: nothing in the default of a column is each node's own but its sequences.
func (f *filler) onlyDraws(c *Column) bool {
	if !f.leases(c) || c.Identity {
		return c.Identity
	}
	d := f.defaults.get(c.Default)
	return d.Err == nil && !d.Time && !d.Volatile && !d.NodeLocal && !d.Unknown && len(c.Unlike) == 0
}

// identity is the value of an identity column; ok is false if DEFAULT has to stay.
func (f *filler) identity(c *Column, times evaluation) (pieces []piece, ok bool) {
	if f.l.override == overridingUser || c.Always && (times != once || !f.overridable(c)) || f.countable(times, f.number, false) != 0 {
		f.unleasedDefault(c)
		return nil, false
	}
	f.given = append(f.given, c.Name)
	f.overriding = f.overriding || c.Always && f.l.override != overridingSystem
	ref := SequenceRef{Name: c.Sequence, Qualified: true, Identity: true}
	return []piece{{slot: f.slot(Slot{Source: FromSequence, Type: int8Type, Sequence: ref})}}, true
}

// overridable: no row gives the column a value of its own, which the server has to refuse.
func (f *filler) overridable(c *Column) bool {
	defaults, mentioned := 0, false
	for i := range f.t.Cells {
		mentioned = mentioned || f.cell(i) == c
	}
	for _, cell := range f.l.cells {
		if f.cell(cell.column) == c {
			defaults++
		}
	}
	return f.l.override == overridingSystem || !mentioned || defaults == f.t.Rows
}

// overridingWords let a value stand for a column that is GENERATED ALWAYS.
const overridingWords = "OVERRIDING SYSTEM VALUE "

// override is what INSERT says of identity columns.
type override uint8

const (
	overridingNone override = iota
	overridingSystem
	overridingUser
)

func overrideOf(kind pg.OverridingKind) override {
	switch kind {
	case pg.OverridingKind_OVERRIDING_SYSTEM_VALUE:
		return overridingSystem
	case pg.OverridingKind_OVERRIDING_USER_VALUE:
		return overridingUser
	}
	return overridingNone
}

// overridden notes the identity columns whose values OVERRIDING USER VALUE drops, so that
// each row draws, whatever it gives.
func (f *filler) overridden() {
	for i := range f.table.Columns {
		if c := &f.table.Columns[i]; c.Identity && f.l.override == overridingUser {
			f.unleasedDefault(c)
		}
	}
}
