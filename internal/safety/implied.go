package safety

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// impliedBy are the functions of users that a statement's operators and casts call.
func (j *judge) impliedBy(stmt *parser.Statement) []catalog.Name {
	return j.facts.Implied().Calls(stmt.Operators, stmt.Casts, len(stmt.Targets) > 0)
}

// actsBeside reports whether such a function, of which this was found, does something besides computing a value. One whose
// label keeps it from that is believed where its text does not tell.
func (j *judge) actsBeside(n catalog.Name, e *effects) bool {
	if len(e.writes) > 0 || e.draws {
		return true
	}
	code, known := j.facts.Code(n)
	return e.hidden() && known && slices.ContainsFunc(code.Bodies, func(r catalog.Routine) bool { return r.Volatility.Changes() })
}

// implied judges what operators and casts call. Such a value is computed where the statement runs: Plan does not see it.
func (j *judge) implied(stmt *parser.Statement) {
	for _, n := range j.impliedBy(stmt) {
		f, code := j.follow(), j.v.Code
		f.function(n)
		where := "function " + n.String() + "() of an operator or a cast"
		unlike := len(f.effects.unlike) > 0 && len(stmt.Targets) > 0
		switch {
		case f.effects.none():
			j.v.Code, j.v.Implied = code, true
		case j.actsBeside(n, &f.effects):
			j.found(f, where, SideEffects)
		case unlike:
			j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Capture), Text: spoken(f.effects.first(), where)})
		}
		j.v.Unlike = j.v.Unlike || unlike
	}
}

// operatorsOf follows what the operators and casts of a body call. Most that do only computes, which is no part
// of what the body does.
func (f *follower) operatorsOf(body *parser.Body) {
	for _, n := range f.facts.Implied().Calls(body.Operators, body.Casts, true) {
		below, code := &follower{judge: f.judge, met: f.met}, f.v.Code
		below.function(n)
		if below.effects.none() {
			f.v.Code, f.v.Implied = code, true
			continue
		}
		f.effects.merge(&below.effects)
	}
}

// viewsWithCode are the relations that a statement reads and that call code of users for it: views, and tables with
// policies.
func (j *judge) viewsWithCode(stmt *parser.Statement) []catalog.Name {
	if stmt.Kind == parser.Explain && !stmt.Analyze {
		return nil
	}
	var names []catalog.Name
	for _, r := range stmt.Reads {
		n := catalog.Name{Schema: r.Schema, Name: r.Name}
		if fact, known := j.facts.Relation(n); known && fact.Code {
			names = append(names, n)
		}
	}
	return names
}

// views judges what they call. What it returns is stored, if at all, as what any query has found.
func (j *judge) views(stmt *parser.Statement) {
	for _, n := range j.viewsWithCode(stmt) {
		f := j.follow()
		f.viewed(n)
		if e := &f.effects; len(e.writes)+len(e.opaque) > 0 || e.draws {
			j.found(f, "below "+n.String(), SideEffects)
		}
	}
}
