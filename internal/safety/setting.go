package safety

import "github.com/pgchorus/pgchorus/internal/catalog"

// SetsUnseen reports whether code that a statement sets off may change, for longer than the
// transaction, what no catalogue of PostgreSQL lists: a setting of its own making, or the
// seed of random(). Code that nobody can read may. The answer is final if ask is empty, and
// the cautious one until then. It is not about what the statement's own text does.
func SetsUnseen(in Input) (sets bool, ask catalog.CodeQuestion) {
	j := judge{in: in, policy: in.Policy, facts: in.Facts, bodies: in.Bodies, v: &Verdict{}}
	f := j.follow()
	for i := range in.Statement.UnknownFunctions {
		f.function(nameOf(&in.Statement.UnknownFunctions[i]))
	}
	for _, n := range j.impliedBy(in.Statement) {
		f.function(n)
	}
	for _, r := range in.Statement.Reads {
		f.viewed(catalog.Name{Schema: r.Schema, Name: r.Name})
	}
	for _, r := range in.Statement.Writes {
		f.changed(catalog.Name{Schema: r.Schema, Name: r.Name}, anyEvent)
	}
	if in.Statement.Body != "" {
		f.text(in.Statement.Body)
	}
	return f.effects.sets, j.ask
}
