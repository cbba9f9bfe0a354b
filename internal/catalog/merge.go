package catalog

import "maps"

// Merge adds what another answer has.
func (a *Answer) Merge(other Answer) {
	a.functions = merged(a.functions, other.functions)
	a.relations = merged(a.relations, other.relations)
	a.tables = merged(a.tables, other.tables)
}

func merged[T any](a, other map[Name]T) map[Name]T {
	if a == nil {
		return other
	}
	maps.Copy(a, other)
	return a
}
