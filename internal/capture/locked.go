package capture

import (
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// A SELECT that locks rows of one table is captured as a write is: main chooses the rows,
// and the others lock the same ones by key, so that they hold what main holds if it dies.
// Nothing is locked for it beyond that: who asks for SKIP LOCKED does not want to wait.

// locksRows: the statement is a SELECT that locks rows and changes none.
func locksRows(st *parser.Statement) bool {
	return st.Kind == parser.Select && st.HasLockingClause && len(st.Targets) == 0
}

// plainLock: it locks one row, found by a whole unique key.
func plainLock(st *parser.Statement, t *catalog.Table) bool {
	locked := st.Locked
	return locked != nil && t.Exists && !t.View && (!t.Children || locked.Only) && hasKey(t, locked.Equal) &&
		st.Hazards&(parser.SkipsLocked|parser.CutsRows) == 0
}

// lockedTable is what is known of the table whose rows are locked; nil for nothing.
func (d *decider) lockedTable() *catalog.Table {
	if d.st.Locked == nil {
		return nil
	}
	t, ok := d.facts.TableOf(d.st.Locked.Relation)
	if !ok || !t.Exists {
		return nil
	}
	return t
}

// lockPlan is Decide for it.
func (d *decider) lockPlan() *Plan {
	skips := d.st.Hazards&(parser.SkipsLocked|parser.CutsRows) != 0
	t := d.lockedTable()
	if !skips && (d.sit.OneSnapshot || t != nil && plainLock(d.st, t)) {
		return nil
	}
	p := &Plan{Way: Digest, st: d.st, table: t, Reasons: []string{"locks rows that it does not find by a unique key"}}
	p.Obstacle = p.lockShape()
	if p.Obstacle == "" {
		p.Way = Rows
	}
	return p
}

// lockShape finds the key by which others lock the rows, or says why not.
func (p *Plan) lockShape() string {
	locked := p.st.Locked
	switch {
	case locked == nil:
		return "it reads more than one table"
	case p.table == nil:
		return "nothing is known of the table"
	case p.table.View, p.table.Effects.Foreign, p.table.Effects.RowSecurity:
		return "the relation is no plain table"
	case p.table.Children && !locked.Only:
		return "other tables inherit from the table"
	}
	p.target = &parser.Target{Kind: parser.Select, Relation: locked.Relation, Alias: locked.Alias, Only: locked.Only, Returning: true}
	var obstacle string
	p.shape, obstacle = p.deleteShape()
	if obstacle != "" {
		p.target = nil
	}
	return obstacle
}

// lock is the statement of a replay that locks the rows.
func (b *batch) lock() string {
	return "SELECT 1 FROM " + b.plan.relation() + " AS pgchorus_table, " + b.source() + " WHERE " + b.match() +
		" FOR " + b.plan.st.Locked.Strength + " OF pgchorus_table"
}

// extend adds a column of ours to what the statement returns.
func (p *Plan) extend(sql, expression string) (text string, ok bool) {
	if p.target.Kind == parser.Select {
		return parser.AddOutput(sql, expression)
	}
	return parser.AddReturning(sql, expression, p.Returns())
}
