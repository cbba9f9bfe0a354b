package safety

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// runsText judges calls of functions that run SQL which they are given as text: nobody looks
// at it.
func (j *judge) runsText(stmt *parser.Statement) {
	for i := range stmt.Functions {
		f := &stmt.Functions[i]
		if !isGivenSQL(f.Name) {
			continue
		}
		r := Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Capture), Text: "calls " + f.String() + "(), which runs SQL that it is given as text", Name: f.Name, Call: true}
		if len(stmt.Targets) == 0 {
			r.Level, r.Action, r.Hint = SideEffects, j.policy.bySafety(Warn, Warn, Refuse), "Run that SQL as a statement of its own."
		}
		j.v.Unlike = true
		j.add(r)
	}
}

// isGivenSQL names the functions of PostgreSQL and its extensions that run SQL given as text
// (PostgreSQL manual, chapters 9.15.3, 12.4.4 and F.43), or read tables that they are given
// the names of.
func isGivenSQL(name string) bool {
	switch name {
	case "ts_stat", "cursor_to_xml", "table_to_xml", "table_to_xml_and_xmlschema", "schema_to_xml", "schema_to_xml_and_xmlschema",
		"database_to_xml", "database_to_xml_and_xmlschema", "connectby":
		return true
	}
	return strings.HasPrefix(name, "query_to_xml") || strings.HasPrefix(name, "crosstab")
}

// numbers judges the storing of numbers that servers give to their objects. The others are
// given main's, which mean something else there.
func (j *judge) numbers(stmt *parser.Statement) {
	if !stmt.ObjectNumbers || len(stmt.Targets) == 0 || stmt.Kind == parser.Delete {
		return
	}
	j.v.Unlike = true
	j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Warn, Refuse), Text: "may store the number of an object, which is each node's own",
		Hint: "Store the name of the object, or a column of type regclass."})
}

// materialized judges a materialized view, the rows of which each node computes: what it
// reads is to stay as it is meanwhile.
func (j *judge) materialized(stmt *parser.Statement) {
	f := j.follow()
	switch {
	case isRefresh(stmt):
		for _, r := range stmt.Writes {
			f.viewed(catalog.Name{Schema: r.Schema, Name: r.Name})
			f.effects.reads = slices.DeleteFunc(f.effects.reads, func(n catalog.Name) bool { return n.Name == r.Name })
		}
	case stmt.Node == "CreateTableAsStmt" && stmt.Kind == parser.DDL:
		for i := range stmt.Functions {
			f.call(&stmt.Functions[i])
		}
		if f.bodies.read(j.in.Text).Clock {
			f.effects.add(&f.effects.unlike, "asks for the time")
		}
		for _, r := range stmt.Reads {
			f.viewed(catalog.Name{Schema: r.Schema, Name: r.Name})
		}
	default:
		return
	}
	j.v.LocksAlways = true
	j.readLocks(f.effects.reads)
	if !f.effects.alike() {
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Warn, Refuse), Text: "each node computes the rows of the materialized view, which " + f.effects.first(),
			Hint: "Fill a table by INSERT ... SELECT instead."})
	}
}

// readLocks notes tables that are to stay as they are.
func (j *judge) readLocks(names []catalog.Name) {
	for _, n := range names {
		s, known := j.facts.Surroundings(n)
		if known && s.Exists && !s.Foreign && !slices.Contains(j.v.ReadLocks, n) {
			j.v.ReadLocks = append(j.v.ReadLocks, n)
		}
	}
	slices.SortFunc(j.v.ReadLocks, func(a, b catalog.Name) int { return cmp.Compare(a.String(), b.String()) })
}
