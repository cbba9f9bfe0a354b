package capture

import (
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// capturable is the shape of the rows to be captured, or why there is none.
func (d *decider) capturable(p *Plan) (*shape, string) {
	if obstacle := d.obstacleOfStatement(p); obstacle != "" {
		return nil, obstacle
	}
	if len(d.sit.Also) > 0 {
		return nil, "it sets off code that changes tables"
	}
	if obstacle := obstacleOfTable(p); obstacle != "" {
		return nil, obstacle
	}
	if obstacle := p.obstacleOfTriggers(d.sit); obstacle != "" {
		return nil, obstacle
	}
	switch p.target.Kind {
	case parser.Insert:
		return p.insertShape()
	case parser.Update:
		return p.updateShape()
	}
	return p.deleteShape()
}

// obstacleOfStatement is what of the statement is not in the rows of its target.
func (d *decider) obstacleOfStatement(p *Plan) string {
	switch {
	case p.target == nil:
		return d.st.Kind.String() + " returns no rows of one table"
	case len(d.st.Targets) != 1:
		return "it has several targets"
	case d.st.Hazards&parser.UsesCursor != 0:
		return "it names a cursor"
	case slices.ContainsFunc(d.st.Functions, func(f parser.Function) bool { return f.Class == parser.Sequence }):
		return "it calls a sequence function"
	case d.sit.Unlike && d.callsVolatile():
		return "it calls a function that may have side effects"
	}
	return ""
}

func (d *decider) callsVolatile() bool {
	return slices.ContainsFunc(d.st.UnknownFunctions, func(f parser.Function) bool {
		fact, ok := d.facts.FunctionOf(f)
		return !ok || fact.Volatility == catalog.Volatile
	})
}

// obstacleOfTable is what the table does with a row besides keeping it.
func obstacleOfTable(p *Plan) string {
	t := p.table
	switch {
	case t == nil:
		return "nothing is known of the table"
	case t.View:
		return "it changes a view"
	case t.Effects.Rules:
		return "the table has rules"
	case t.Effects.RowSecurity:
		return "the table has row security"
	case t.Effects.Foreign:
		return "the table is a foreign one"
	case t.Effects.LateKeys:
		return "the table has a unique key that is checked late"
	case t.Children && p.target.Kind != parser.Insert && !p.target.Only:
		return "other tables inherit from the table"
	}
	return ""
}

func (p *Plan) insertShape() (*shape, string) {
	if p.table.Grants {
		return nil, "rights to insert are granted by column"
	}
	s := &shape{}
	for i := range p.table.Columns {
		c := &p.table.Columns[i]
		if !c.Generated {
			s.columns = append(s.columns, c)
		}
		if obstacle := p.noteDraw(s, i, c); obstacle != "" {
			return nil, obstacle
		}
	}
	if len(s.columns) == 0 {
		return nil, "the table has no columns"
	}
	if p.target.Conflict != parser.ConflictFails && len(s.draws) > 0 {
		return nil, "rows in its way may have drawn from a sequence"
	}
	if p.target.Conflict != parser.ConflictUpdates {
		return s, ""
	}
	return p.upsertShape(s)
}

// noteDraw notes a column whose values have come from a sequence, which the others then
// have to draw from as often.
func (p *Plan) noteDraw(s *shape, place int, c *catalog.Column) string {
	given, known := p.isGiven(place, c.Name)
	switch {
	case !draws(c) && len(c.Unlike) > 0 && !(known && given):
		return "a default calls a function that may have side effects"
	case !draws(c) || known && given && p.st.Hazards&parser.LeavesDefault == 0:
		return ""
	case !known, known && given:
		return "it may or may not draw from a sequence"
	}
	s.draws = append(s.draws, c)
	return ""
}

// mayDraw: the statement may have rows of the target draw a value of the column.
func (p *Plan) mayDraw(place int, c *catalog.Column) bool {
	switch {
	case !draws(c):
		return false
	case p.st.Hazards&parser.LeavesDefault != 0:
		return true
	}
	given, known := p.isGiven(place, c.Name)
	return p.target.Kind == parser.Merge || p.target.Kind == parser.Insert && !(known && given)
}

// isGiven: the statement has values for the column; known is false if it cannot be told.
func (p *Plan) isGiven(place int, name string) (given, known bool) {
	switch {
	case p.target.Columns != nil:
		return slices.Contains(p.target.Columns, name), true
	case p.target.Cells == 0 && p.target.Rows == 0:
		return false, false
	}
	return place < p.target.Cells, true
}

// draws: what the column is not given comes from a sequence.
func draws(c *catalog.Column) bool { return c.Identity != 0 || drawsByDefault(c) }

func drawsByDefault(c *catalog.Column) bool {
	return c.Volatile && strings.HasPrefix(c.Default, "nextval(")
}

// upsertShape adds what DO UPDATE needs. A row that was updated, as one that was inserted,
// is known by whichever key: the arbiter does not matter any more.
func (p *Plan) upsertShape(s *shape) (*shape, string) {
	key := p.keyWithout(p.target.ConflictSets)
	if key == nil {
		return nil, noKey
	}
	if p.quiet {
		all := p.settable(key)
		all.draws = s.draws
		if len(all.sets) == 0 {
			return nil, "it sets nothing that can be captured"
		}
		return all, ""
	}
	s.key = s.places(key)
	for _, name := range p.target.ConflictSets {
		at := s.places([]string{name})
		if at == nil {
			continue // generated
		}
		if s.columns[at[0]].Identity != 0 {
			return nil, "it sets an identity column"
		}
		s.sets = append(s.sets, at[0])
	}
	if len(s.sets) == 0 {
		return nil, "it sets nothing that can be captured"
	}
	return s, ""
}

const noKey = "the table has no key without nulls that stays as it is"

func (p *Plan) updateShape() (*shape, string) {
	key := p.keyWithout(p.target.Columns)
	if key == nil {
		return nil, noKey
	}
	if p.quiet {
		s := p.settable(key)
		if len(s.sets) == 0 {
			return nil, "it sets nothing that can be captured"
		}
		return s, ""
	}
	s := &shape{}
	for i := range p.table.Columns {
		c := &p.table.Columns[i]
		inKey, set := slices.Contains(key, c.Name), slices.Contains(p.target.Columns, c.Name)
		if !inKey && (!set || c.Generated) {
			continue
		}
		if set && (c.Identity != 0 || p.st.Hazards&parser.LeavesDefault != 0 && c.Volatile) {
			return nil, "it sets a column by its default"
		}
		s.columns = append(s.columns, c)
		if inKey {
			s.key = append(s.key, len(s.columns)-1)
		} else {
			s.sets = append(s.sets, len(s.columns)-1)
		}
	}
	if len(s.sets) == 0 {
		return nil, "it sets nothing that can be captured"
	}
	return s, ""
}

func (p *Plan) deleteShape() (*shape, string) {
	key := p.keyWithout(nil)
	if key == nil {
		return nil, noKey
	}
	s := &shape{}
	for i := range p.table.Columns {
		if c := &p.table.Columns[i]; slices.Contains(key, c.Name) {
			s.columns = append(s.columns, c)
			s.key = append(s.key, len(s.columns)-1)
		}
	}
	return s, ""
}

// keyWithout is a key that every row has and that has none of the given columns; nil for
// none. The shortest one is taken.
func (p *Plan) keyWithout(changed []string) []string {
	var best []string
	for _, key := range p.table.Effects.Firm {
		touched := slices.ContainsFunc(key, func(name string) bool { return slices.Contains(changed, name) })
		if !touched && len(key) > 0 && (best == nil || len(key) < len(best)) {
			best = key
		}
	}
	return best
}
