package capture

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// A trigger that fires in front of a row has had its say when main returns the row. It must
// not fire again where the row is given to the others: session_replication_role is set to
// replica there (PostgreSQL manual, chapter 20.11.1), which keeps the triggers of foreign
// keys quiet too. So the rows that these would have locked are locked by the replay, and a
// table whose foreign keys do more than refuse is not captured, unless the rows of the other
// tables are, too.

// Firing is what is known of the triggers that fire when a statement changes rows.
type Firing uint8

const (
	// TriggersUnknown: they may do anything.
	TriggersUnknown Firing = iota
	// TriggersInRow: those that fire do so in front of a row, and change nothing but it.
	TriggersInRow
	// TriggersSilent: none fires.
	TriggersSilent
)

// Quiet reports whether a replay of the plan keeps triggers from firing, for which the
// session needs the right to set session_replication_role.
func (p *Plan) Quiet() bool { return p.quiet }

// obstacleOfTriggers is why the rows do not tell all that triggers do.
func (p *Plan) obstacleOfTriggers(sit Situation) string {
	e := &p.table.Effects
	switch {
	case !e.Triggers, sit.Firing == TriggersSilent:
		return ""
	case sit.Firing != TriggersInRow:
		return "the table has triggers"
	case e.Always:
		return "the table has triggers that fire whatever session_replication_role is"
	case e.Cascades && !sit.Elsewhere && (p.target.Kind != parser.Insert || p.target.Conflict == parser.ConflictUpdates):
		return "the table has triggers, and foreign keys that point to it do more than refuse"
	}
	return ""
}

// settable are the columns that a trigger in front of rows may have changed, besides the key
// by which a row is found. One that SQL cannot set is a part of what finds the row, so that
// a change of it is noticed.
func (p *Plan) settable(key []string) *shape {
	s := &shape{}
	for i := range p.table.Columns {
		c := &p.table.Columns[i]
		if c.Generated {
			continue
		}
		s.columns = append(s.columns, c)
		if at := len(s.columns) - 1; c.Identity != 0 || slices.Contains(key, c.Name) {
			s.key = append(s.key, at)
		} else {
			s.sets = append(s.sets, at)
		}
	}
	return s
}

// Hush keeps triggers quiet for the rest of the transaction, or until Unhush.
const (
	Hush   = "SET LOCAL session_replication_role = replica"
	Unhush = "SET LOCAL session_replication_role = origin"
)

// hushed puts the statements of a replay between those that keep triggers quiet.
func hushed(statements []Statement) []Statement {
	out := append([]Statement{{SQL: Hush, Tag: "SET"}}, statements...)
	return append(out, Statement{SQL: Unhush, Tag: "SET"})
}

// parentLocks locks, in a statement for each foreign key, the rows that the captured ones
// refer to, as the triggers of the foreign keys would have done.
func (b *batch) parentLocks() []Statement {
	p := b.plan
	if !p.quiet || p.target.Kind == parser.Delete || p.target.Kind == parser.Select {
		return nil
	}
	var out []Statement
	for i := range p.table.Effects.Parents {
		parent := &p.table.Effects.Parents[i]
		places := p.shape.places(parent.Columns)
		if places == nil {
			continue // a generated column: what it comes from has its own
		}
		out = append(out, Statement{SQL: b.parentLock(parent, places), Tag: "SELECT 1"})
	}
	return out
}

func (b *batch) parentLock(parent *catalog.Parent, places []int) string {
	conditions := make([]string, len(places))
	for i, place := range places {
		conditions[i] = "pgchorus_parent." + quoteName(parent.Referenced[i]) + " = " + inValues + placeName(place)
	}
	relation := quoteRelation(parser.Relation{Schema: parent.Relation.Schema, Name: parent.Relation.Name})
	return "SELECT pg_catalog.count(*) FROM (SELECT 1 FROM " + relation + " AS pgchorus_parent, " + b.source() +
		" WHERE " + strings.Join(conditions, " AND ") + " FOR KEY SHARE OF pgchorus_parent) AS pgchorus_locked (" + quoteName(strconv.Itoa(1)) + ")"
}
