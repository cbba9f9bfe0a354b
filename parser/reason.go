package parser

import "slices"

// ReasonKind says why something in a statement may be computed differently by each node
// although it was asked to be the same.
type ReasonKind uint8

const (
	_ ReasonKind = iota
	// NotByText: rows come from a query, by COPY or by MERGE, so that columns which
	// are left out cannot be given values in the text.
	NotByText
	// EachRow: evaluated anew for each of a number of rows that the text does not tell.
	EachRow
	// Uncounted: evaluated an unknown number of times: in WHERE, a sub-select, a JOIN.
	Uncounted
	// Conditional: a function that may have side effects is called on a condition only.
	Conditional
	// NeedsRow, NeedsParameter, NeedsQuery: its arguments have columns, parameters or
	// sub-selects in them, so that it cannot be computed beforehand.
	NeedsRow
	NeedsParameter
	NeedsQuery
	// SpecialCall: an aggregate, a window function, a table function in FROM, or a form
	// of call that is not known.
	SpecialCall
	// TypeNotKnown: a parameter cannot stand for it, as only running it tells its type.
	TypeNotKnown
	// TableNotKnown: nothing is known of the columns.
	TableNotKnown
	// DefaultOfView: columns may be given the defaults of the relation below a view.
	DefaultOfView
	// TimeKept: 'now' or its like cast to a date or time type, or a time function in
	// FROM.
	TimeKept
	// UntypedTime: a constant 'now' or its like, the type of which only the server
	// knows.
	UntypedTime
	// ColumnGrants: there are rights to insert into single columns of the table, so that
	// naming another one might be refused.
	ColumnGrants
	// WrongText: the statement was not classified from the text that was given.
	WrongText
)

// reasonTexts is indexed by ReasonKind.
var reasonTexts = [...]string{
	"", "cannot be put into the text", "is evaluated for each row", "is evaluated any number of times",
	"may have side effects and is called on a condition only", "depends on columns", "depends on parameters", "depends on a sub-select",
	"is no ordinary call", "has a type that is not known beforehand", "has columns that are not known", "is a view, which may have defaults below it",
	"is a time that only the server can read", "may be read as a time",
	"cannot be named, as rights are granted by column", "does not fit the text",
}

func (k ReasonKind) String() string {
	if int(k) < len(reasonTexts) {
		return reasonTexts[k]
	}
	return "invalid"
}

// Reason is why something is not replaced.
type Reason struct {
	Kind ReasonKind
	// What it is about: a call, the default of a column, a relation.
	What string
	// More is added to the kind, or "".
	More string
}

func (r Reason) String() string {
	text := r.What + " " + r.Kind.String()
	if r.More != "" {
		text += ": " + r.More
	}
	return text
}

// maxReasons bounds Plan.Reasons and Plan.Sequences.
const maxReasons = 32

func (p *planner) reason(kind ReasonKind, what string) { p.reasonText(kind, what, "") }

func (p *planner) reasonText(kind ReasonKind, what, more string) {
	if r := (Reason{Kind: kind, What: what, More: more}); len(p.Reasons) < maxReasons && !slices.Contains(p.Reasons, r) {
		p.Reasons = append(p.Reasons, r)
	}
}
