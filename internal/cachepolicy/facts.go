package cachepolicy

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Facts are what the catalogue says; false or nil is "has to be asked".
type Facts interface {
	Function(catalog.Name) (catalog.Function, bool)
	Relation(catalog.Name) (catalog.Relation, bool)
	Impact(catalog.Name) *catalog.Impact
}

// Missing is what the catalogue has to be asked before a verdict is final.
type Missing struct {
	Facts  catalog.Question
	Impact catalog.ImpactQuestion
}

// Empty reports whether nothing has to be asked.
func (m *Missing) Empty() bool { return m.Facts.Empty() && len(m.Impact.Relations) == 0 }

// asker looks facts up and notes what is missing.
type asker struct {
	facts   Facts
	missing Missing
}

func (a *asker) function(f *parser.Function) (catalog.Function, bool) {
	n := catalog.Name{Schema: f.Schema, Name: f.Name}
	fact, known := a.facts.Function(n)
	if !known {
		a.missing.Facts.Functions = with(a.missing.Facts.Functions, n)
	}
	return fact, known
}

func (a *asker) relation(r *parser.Relation) (catalog.Relation, bool) {
	n := nameOf(r)
	fact, known := a.facts.Relation(n)
	if !known {
		a.missing.Facts.Relations = with(a.missing.Facts.Relations, n)
	}
	return fact, known
}

func (a *asker) impact(r *parser.Relation) *catalog.Impact {
	n := nameOf(r)
	impact := a.facts.Impact(n)
	if impact == nil {
		a.missing.Impact.Relations = with(a.missing.Impact.Relations, n)
	}
	return impact
}

func nameOf(r *parser.Relation) catalog.Name { return catalog.Name{Schema: r.Schema, Name: r.Name} }

func with(names []catalog.Name, n catalog.Name) []catalog.Name {
	if slices.Contains(names, n) {
		return names
	}
	return append(names, n)
}
