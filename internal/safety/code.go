package safety

import (
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// code judges the functions of users that the text calls, and the text of DO.
func (j *judge) code(stmt *parser.Statement) {
	for i := range stmt.UnknownFunctions {
		j.routineCall(stmt, &stmt.UnknownFunctions[i])
	}
	if stmt.Kind == parser.Do {
		f := j.follow()
		f.text(stmt.Body)
		if stmt.Body == "" {
			f.effects.add(&f.effects.opaque, "is in a language that is not looked at")
			f.effects.redefines = true
		}
		j.found(f, "DO", SideEffects)
	}
}

// routineCall: a volatile function runs on every node, and so does what it sets off. One
// whose label says that it computes something is believed unless its body belies it.
func (j *judge) routineCall(stmt *parser.Statement, fn *parser.Function) {
	f := j.follow()
	f.function(nameOf(fn))
	if len(f.effects.writes) > 0 {
		j.v.Writes = true
		if !f.effects.hidden() {
			j.v.run(nameOf(fn))
		}
	}
	j.v.Picks = j.v.Picks || f.effects.picks
	j.v.Redefines = j.v.Redefines || f.effects.redefines
	if r := f.effects.denied; r != nil {
		denied := *r
		denied.Text, denied.Name, denied.Call = spoken(denied.Text, fn.String()+"()"), fn.Name, true
		j.add(denied)
		f.effects.denied = nil
	}
	fact, known := j.facts.Function(nameOf(fn))
	if f.effects.alike() || !known || !fact.Exists {
		j.elsewhere(&f.effects)
		return
	}
	where := "function " + fn.String() + "()"
	switch {
	case fact.Volatility != catalog.Volatile && len(f.effects.unlike) > 0:
		j.v.Unlike = true
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Refuse), Text: where + " is labelled " + fact.Volatility.String() + ", but " + f.effects.first(),
			Hint: "Label the function VOLATILE.", Name: fn.Name, Call: true})
	case fact.Volatility != catalog.Volatile:
	case len(f.effects.writes) == 0 && len(f.effects.opaque) == 0 && !f.effects.draws && stmt.Kind != parser.Call:
		// It changes nothing: what is left of its value after Plan is among Plan's reasons.
	default:
		j.found(f, where, SideEffects)
	}
}
