package lb

import (
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// relation looks at one relation that is read.
func (x *examiner) relation(t *Traits, r *parser.Relation) {
	primary := x.policy.Mode.HasPrimary()
	switch {
	case r.Schema == "information_schema":
		return // does not count as a system catalogue, as in Pgpool-II
	case r.Schema == "pg_catalog":
		if x.policy.Mode != Raw {
			t.stay(SystemCatalogue, r.Name)
		}
		return
	case primary && x.policy.TraceTempTable && isTemporarySchema(r.Schema):
		t.stay(TemporaryRelation, r.Name)
		return
	case x.policy.Mode == Raw || x.catalog == nil:
		return
	}
	fact, known := x.lookUp(t, r)
	switch {
	case !known:
		t.Write(NotLookedUp, r.String())
	case fact.Volatile && x.runs():
		t.Write(ReadsWritingView, r.String())
	case primary:
		x.nature(t, r, fact)
	case fact.System && r.Name == "pg_prepared_statements":
		// It counts the executions, most of which are reads on this very node.
	case fact.System:
		// Nodes number and describe their objects each for itself; one session is to
		// see one node's catalogue.
		t.stay(SystemCatalogue, r.String())
	case fact.Temporary:
		// Its numbers would have to be learnt for each table anew, and few reads follow.
		t.stay(TemporaryRelation, r.String())
	}
}

// runs: the statement reads its relations, other than EXPLAIN without ANALYZE.
func (x *examiner) runs() bool { return x.stmt.Kind != parser.Explain || x.stmt.Analyze }

// isTemporarySchema: pg_temp is the session's own, pg_temp_3 one backend's.
func isTemporarySchema(schema string) bool { return strings.HasPrefix(schema, "pg_temp") }

// nature keeps what a standby does not have, or may not yet have heard of, on the
// primary.
func (x *examiner) nature(t *Traits, r *parser.Relation, fact catalog.Relation) {
	switch {
	case !fact.Exists:
		t.stay(NoSuchRelation, r.String())
	case fact.System:
		t.stay(SystemCatalogue, r.String())
	case fact.Temporary && x.policy.CheckTempTable:
		t.stay(TemporaryRelation, r.String())
	case fact.Unlogged && x.policy.CheckUnlogged:
		t.stay(UnloggedRelation, r.String())
	case fact.Sequence:
		t.stay(ReadsSequence, r.String())
	}
}

// lookUp asks the catalogue about a relation, and notes what a view is made of if that
// will be asked.
func (x *examiner) lookUp(t *Traits, r *parser.Relation) (catalog.Relation, bool) {
	name := catalog.Name{Schema: r.Schema, Name: r.Name}
	fact, known := x.catalog.Relation(name)
	if !known {
		x.ask()
		x.missing.Relations = withName(x.missing.Relations, name)
		return fact, false
	}
	if fact.View && x.policy.Adaptive() {
		t.bases = append(t.bases, fact.Base...)
		t.anyBase = t.anyBase || len(fact.Base) == 0
	}
	return fact, true
}

// written finds what a write changes beside the relations that it names: the tables
// below views, and what its functions do.
func (x *examiner) written(t *Traits) {
	if !x.policy.Adaptive() {
		return
	}
	t.writer = x.writer()
	x.lookUpAll(t, x.stmt.Writes)
	t.writtenBases = len(t.bases)
	x.lookUpAll(t, x.stmt.Reads)
}

func (x *examiner) lookUpAll(t *Traits, relations []parser.Relation) {
	if x.catalog == nil {
		return
	}
	for i := range relations {
		if r := &relations[i]; r.Schema != "pg_catalog" && r.Schema != "information_schema" {
			x.lookUp(t, r)
		}
	}
}

// writer returns a function of the user's that may write and of which the configuration
// does not say what; "" if there is none.
func (x *examiner) writer() string {
	if !x.policy.Adaptive() {
		return ""
	}
	found := ""
	for i := range x.stmt.UnknownFunctions {
		f := &x.stmt.UnknownFunctions[i]
		if found == "" && !x.policy.hasRelationship(f.Name) && x.judge(f) != None {
			found = f.String() + "()"
		}
	}
	return found
}

// judge says why a function of the user's may write.
func (x *examiner) judge(f *parser.Function) Reason {
	if x.policy.HasFunctionLists() {
		return x.policy.listed(f)
	}
	return x.volatile(f)
}
