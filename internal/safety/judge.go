package safety

import (
	"cmp"
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Facts is the catalogue, as Judge asks it.
type Facts interface {
	Function(catalog.Name) (catalog.Function, bool)
	Table(catalog.Name) (*catalog.Table, bool)
	Code(catalog.Name) (*catalog.Code, bool)
	Surroundings(catalog.Name) (*catalog.Surroundings, bool)
	Relation(catalog.Name) (catalog.Relation, bool)
	Implied() *catalog.Implied
}

// Input is what Judge looks at.
type Input struct {
	Statement *parser.Statement
	// Text is the statement's own text.
	Text string
	// Plan is what is replaced in it; nil for nothing.
	Plan   *parser.Plan
	Policy *Policy
	Facts  Facts
	Bodies *Bodies
}

// Judge says what may go wrong with a statement and what is done about it. ask is what
// the catalogue has to be asked before the verdict is final; it is empty if it is. Until
// then the verdict is the cautious one.
func Judge(in Input) (v *Verdict, ask catalog.CodeQuestion) {
	j := judge{in: in, policy: in.Policy, facts: in.Facts, bodies: in.Bodies, v: &Verdict{}}
	j.statement(in.Statement)
	return j.conclude(), j.ask
}

// judge is one run of Judge.
type judge struct {
	in     Input
	policy *Policy
	facts  Facts
	bodies *Bodies
	v      *Verdict
	ask    catalog.CodeQuestion
}

// add notes a reason.
func (j *judge) add(r Reason) {
	j.v.Level = max(j.v.Level, r.Level)
	if len(j.v.Reasons) >= maxReasons && r.Action != Refuse || slices.Contains(j.v.Reasons, r) {
		return
	}
	j.v.Reasons = append(j.v.Reasons, r)
}

// conclude draws the action from the reasons.
func (j *judge) conclude() *Verdict {
	v := j.v
	for i := range v.Reasons {
		r := &v.Reasons[i]
		v.Action = max(v.Action, r.Action)
		v.Warn = v.Warn || !r.quiet && (r.Action == Warn || r.Action == Lock || r.Action == Capture)
	}
	if v.Action == Refuse {
		v.Warn = false // the frontend is told
	}
	slices.SortFunc(v.Locks, func(a, b catalog.Name) int { return cmp.Compare(a.String(), b.String()) })
	v.Locks = slices.Compact(v.Locks)
	return v
}

// statement judges all parts of a statement.
func (j *judge) statement(stmt *parser.Statement) {
	j.calls(stmt)
	if !j.policy.Replicates {
		j.reaches(stmt)
		return
	}
	if !j.policy.Deny.Empty() {
		j.reaches(stmt)
	}
	if isRead(stmt, j.facts) && !j.writesByCode(stmt) {
		return
	}
	j.command(stmt)
	j.values(stmt)
	j.rows(stmt)
	j.targets(stmt)
	j.code(stmt)
	j.implied(stmt)
	j.views(stmt)
	j.runsText(stmt)
	j.numbers(stmt)
	j.materialized(stmt)
}

// writesByCode: a function that its label keeps from writing calls one that may, and does; or what an operator, a
// cast, a view or a policy calls.
func (j *judge) writesByCode(stmt *parser.Statement) bool {
	f := j.follow()
	for i := range stmt.UnknownFunctions {
		f.function(nameOf(&stmt.UnknownFunctions[i]))
	}
	j.v.Writes = len(f.effects.writes) > 0
	f = j.follow()
	for _, r := range j.viewsWithCode(stmt) {
		f.viewed(r)
	}
	j.v.WritesUnnamed = len(f.effects.writes) > 0 || slices.ContainsFunc(j.impliedBy(stmt), func(n catalog.Name) bool {
		below := j.follow()
		below.function(n)
		return j.actsBeside(n, &below.effects)
	})
	return j.v.Writes || j.v.WritesUnnamed
}

// isRead: it changes nothing, as far as text and labels tell.
func isRead(stmt *parser.Statement, facts Facts) bool {
	if !stmt.ReadBySyntax {
		return false
	}
	return !slices.ContainsFunc(stmt.UnknownFunctions, func(f parser.Function) bool {
		fact, known := facts.Function(catalog.Name{Schema: f.Schema, Name: f.Name})
		return !known || !fact.Exists || fact.Volatility == catalog.Volatile
	})
}
