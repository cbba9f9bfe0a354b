package capture

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// What a statement locks on a node decides with whom it has to be ordered (replicator.Tickets).

// ByKey returns the pins of the key by which an UPDATE or DELETE finds the one row of the plain
// table t that it locks, and that is all it locks: nil for any other statement. All statements on
// one table have the same key, and it is of integers, so that two that mean one row have
// equal numbers in their pins. UPDATE sets no column that any unique index or foreign key
// looks at. What code may lock is not looked at: verdicts tell.
func ByKey(st *parser.Statement, t *catalog.Table) []parser.Pin {
	if len(st.Targets) != 1 || !callsOnly(st, false) || !Plain(st, t) || !isSimple(t) {
		return nil
	}
	target := &st.Targets[0]
	switch st.Kind {
	case parser.Update:
		if t.Effects.OtherKeys || setsKeys(target, t) {
			return nil
		}
	case parser.Delete:
		if t.Effects.Referenced {
			return nil
		}
	default:
		return nil
	}
	return pinsOf(target, ticketKey(t))
}

// Adds reports whether an INSERT of rows that stand in it locks nothing that others could lock but, if the table has
// a unique key, the key of the one row that it adds: key is its one column, of integers, or "" if there is none.
// So it has to be ordered with nobody else, or with those who have the same number in it. What code may lock is not
// looked at: verdicts tell.
func Adds(st *parser.Statement, t *catalog.Table) (key string, ok bool) {
	if st.Kind != parser.Insert || len(st.Targets) != 1 || !callsOnly(st, true) || !Plain(st, t) || !isSimple(t) {
		return "", false
	}
	target := &st.Targets[0]
	switch {
	case target.Rows == 0, target.Conflict != parser.ConflictFails, t.Effects.OtherKeys, len(t.Effects.Parents) > 0, len(t.Keys) > 1:
		return "", false
	case len(t.Keys) == 0:
		return "", true
	}
	key = t.Keys[0][0]
	return key, target.Rows == 1 && len(t.Keys[0]) == 1 && isInteger(t, key)
}

// callsOnly: the functions that the text calls lock nothing but, perhaps, sequences.
func callsOnly(st *parser.Statement, sequences bool) bool {
	return !slices.ContainsFunc(st.Functions, func(f parser.Function) bool {
		switch f.Class {
		case parser.Deterministic, parser.Clock, parser.Random:
			return false
		case parser.Sequence:
			return !sequences
		}
		return true
	})
}

// isSimple: a table whose rows nobody can touch but by its name, and that does nothing with
// them. Foreign keys are looked at elsewhere.
func isSimple(t *catalog.Table) bool {
	e := &t.Effects
	return t.Exists && !t.Ambiguous && !t.View && !t.Children && !t.Partitioned && !e.Triggers && !e.Rules && !e.RowSecurity && !e.Foreign && !e.LateKeys
}

// setsKeys: an UPDATE sets a column of a key, or one that a key may be computed from.
func setsKeys(target *parser.Target, t *catalog.Table) bool {
	sets := func(columns []string) bool {
		return slices.ContainsFunc(columns, func(name string) bool { return slices.Contains(target.Columns, name) || isGenerated(t, name) })
	}
	return slices.ContainsFunc(t.Keys, sets) || slices.ContainsFunc(t.Effects.Parents, func(p catalog.Parent) bool { return sets(p.Columns) })
}

func isGenerated(t *catalog.Table, column string) bool {
	return slices.ContainsFunc(t.Columns, func(c catalog.Column) bool { return c.Name == column && c.Generated })
}

// ticketKey is the first unique key of integers; nil for none.
func ticketKey(t *catalog.Table) []string {
	for _, key := range t.Keys {
		if len(key) > 0 && !slices.ContainsFunc(key, func(name string) bool { return !isInteger(t, name) }) {
			return key
		}
	}
	return nil
}

func isInteger(t *catalog.Table, column string) bool {
	return slices.ContainsFunc(t.Columns, func(c catalog.Column) bool {
		return c.Name == column && (c.Type == "smallint" || c.Type == "integer" || c.Type == "bigint")
	})
}

// pinsOf are those of the key's columns, in its order; nil if one has none.
func pinsOf(target *parser.Target, key []string) []parser.Pin {
	var pins []parser.Pin
	for _, column := range key {
		at := slices.IndexFunc(target.Pins, func(p parser.Pin) bool { return p.Column == column })
		if at < 0 {
			return nil
		}
		pins = append(pins, target.Pins[at])
	}
	return pins
}

// Touches returns the tables in which a statement may lock rows or more, however the nodes are
// kept alike: known is false if it may be any table. What code may lock is not looked at:
// verdicts tell.
func Touches(st *parser.Statement, f Facts) (tables []catalog.Name, known bool) {
	switch st.Kind {
	case parser.Set, parser.SetLocal, parser.SetTransaction, parser.SetConstraints, parser.Reset, parser.Show, parser.Savepoint, parser.Release,
		parser.RollbackTo, parser.Prepare, parser.Deallocate, parser.Listen, parser.Unlisten, parser.Notify, parser.Fetch, parser.ClosePortal,
		parser.CommitPrepared, parser.RollbackPrepared:
		return nil, true
	case parser.Insert, parser.Update, parser.Delete, parser.Select, parser.CopyFrom:
	default:
		return nil, false
	}
	if !callsOnly(st, true) {
		return nil, false
	}
	for _, r := range slices.Concat(st.Writes, st.Reads) {
		t, ok := f.TableOf(r)
		if !ok || !staysInside(st, t) {
			return nil, false
		}
		tables = append(tables, catalog.Name{Schema: t.Schema, Name: r.Name})
	}
	return tables, true
}

// staysInside: what the statement does to the table does nothing to rows of others, but that
// foreign keys look for theirs.
func staysInside(st *parser.Statement, t *catalog.Table) bool {
	if !isSimple(t) || t.Effects.Cascades && len(st.Targets) > 0 && st.Kind != parser.CopyFrom {
		return false
	}
	return !slices.ContainsFunc(t.Columns, func(c catalog.Column) bool { return len(c.Unlike) > 0 })
}
