package capture

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Way is how a statement is kept the same on all nodes.
type Way uint8

const (
	// Rows of main's are given to the others.
	Rows Way = iota + 1
	// Locks are taken on all nodes before each runs the statement.
	Locks
	// Digest of the rows is compared, after each node has run the statement.
	Digest
)

func (w Way) String() string {
	switch w {
	case Rows:
		return "rows of the main node"
	case Locks:
		return "table locks"
	case Digest:
		return "compared rows"
	}
	return "each node alone"
}

// Facts is the catalogue, as Decide asks it. ok is false where nothing is known.
type Facts interface {
	TableOf(parser.Relation) (t *catalog.Table, ok bool)
	FunctionOf(parser.Function) (f catalog.Function, ok bool)
}

// Situation is what matters besides the statement.
type Situation struct {
	// OneSnapshot: the transaction has one snapshot, which is the same on all nodes.
	OneSnapshot bool
	// Unlike: something in the statement is left for each node to compute, and may come
	// out differently (parser.Plan.Reasons).
	Unlike bool
	// Firing is what is known of the triggers that fire; UnlikeRows and RacingRows, of those
	// in front of rows, that they put values into rows that each node computes for itself,
	// or that they read tables.
	Firing                 Firing
	UnlikeRows, RacingRows bool
	// Elsewhere: what is changed in other tables is given to the others, too.
	Elsewhere bool
	// Also are the tables that code changes which the statement sets off, or reads
	// (Lock.Mode). A statement that does nothing else to be kept the same is run under
	// these locks.
	Also []Lock
	// Way is what the operator wants for what would be right if nobody else wrote
	// meanwhile (set_write_strategy). Other statements are kept the same by Rows only.
	Way Way
	// Compare: the operator wants the rows of every statement compared (verify_digest).
	Compare bool
}

// Plan is how one statement is kept the same. It holds for one text and one state of the
// catalogue; nothing changes it.
type Plan struct {
	// Way is Rows or Locks, or, if the operator wants it, Digest.
	Way Way
	// Reasons are why nodes might do different things by themselves.
	Reasons []string
	// Obstacle is why Rows cannot be had, or "".
	Obstacle string

	st     *parser.Statement
	target *parser.Target // of the statement itself; nil if it has none
	table  *catalog.Table // nil if not known
	shape  *shape         // of Rows
	quiet  bool           // its triggers must not fire in a replay
	ruled  bool           // the table has a rule for UPDATE
	orders bool           // it numbers rows, or adds them up, in an order that is each node's own
	also   []Lock
}

// Decide returns nil for a statement that every node may run for itself. It allocates
// nothing then.
func Decide(st *parser.Statement, f Facts, sit Situation) *Plan {
	if !Concerns(st) {
		return alone(st, sit)
	}
	d := decider{st: st, facts: f, sit: sit}
	if locksRows(st) {
		return d.lockPlan()
	}
	if d.changesCatalogue() {
		return nil
	}
	if !d.mayDiffer() && len(sit.Also) == 0 {
		return d.comparison()
	}
	return d.plan()
}

// comparison is the plan of a statement that every node may run for itself, if its rows are
// to be compared all the same.
func (d *decider) comparison() *Plan {
	switch d.st.Kind {
	case parser.Insert, parser.Update, parser.Delete:
	default:
		return nil
	}
	if !d.sit.Compare || len(d.st.Targets) != 1 {
		return nil
	}
	p := &Plan{Way: Digest, st: d.st, target: &d.st.Targets[0], table: d.table(), Reasons: []string{"verify_digest is on"}}
	if !p.HasDigest() {
		return nil
	}
	return p
}

// changesCatalogue: the target is a table of PostgreSQL's own. Each node does that to its own
// objects: the keys there are numbers, which mean others on other nodes.
func (d *decider) changesCatalogue() bool {
	t := d.table()
	return t != nil && t.Schema == "pg_catalog"
}

// Subject is the relation that Plain has to know: the only one that a statement changes or
// locks rows of. ok is false if there is none or more than one.
func Subject(st *parser.Statement) (r parser.Relation, ok bool) {
	switch {
	case locksRows(st) && st.Locked != nil:
		return st.Locked.Relation, true
	case len(st.Targets) == 1:
		return st.Targets[0].Relation, true
	}
	return parser.Relation{}, false
}

// Plain reports whether a statement with a Subject, the table t, is one that every node may
// run for itself, as far as can be told without asking for anything else. Decide would
// return nil for it.
func Plain(st *parser.Statement, t *catalog.Table) bool {
	if locksRows(st) {
		return plainLock(st, t)
	}
	target := &st.Targets[0]
	if !t.Exists || len(st.Reads) > 0 || len(st.UnknownFunctions) > 0 || st.Hazards.Choices() != 0 || t.Effects.LateKeys {
		return false
	}
	switch target.Kind {
	case parser.Insert:
		return st.Kind == parser.Insert
	case parser.Update, parser.Delete:
		return findsByKey(target, t)
	}
	return false
}

// Concerns: the statement changes rows, or makes a table of rows that it reads.
func Concerns(st *parser.Statement) bool {
	switch st.Kind {
	case parser.CopyFrom:
		return false
	case parser.Explain:
		return st.Analyze && (len(st.Targets) > 0 || locksRows(st))
	case parser.SelectInto, parser.CreateTableAs:
		return len(st.Reads) > 0 || len(st.Targets) > 0
	}
	return len(st.Targets) > 0 || locksRows(st)
}

// decider is the state of one decision.
type decider struct {
	st    *parser.Statement
	facts Facts
	sit   Situation
}

// table is that of the statement's first target; nil if it is not known.
func (d *decider) table() *catalog.Table {
	if len(d.st.Targets) == 0 {
		return nil
	}
	t, ok := d.facts.TableOf(d.st.Targets[0].Relation)
	if !ok || !t.Exists {
		return nil
	}
	return t
}

func (d *decider) mayDiffer() bool {
	return d.races() || d.chooses() || d.keysLate() || d.sit.RacingRows && !d.sit.OneSnapshot
}

// races: which commits a node's snapshot shows decides about the outcome.
func (d *decider) races() bool {
	return !d.sit.OneSnapshot && (len(d.st.Reads) > 0 || d.readsByFunction() || !d.isPoint())
}

// chooses: neither locks nor one snapshot make nodes do the same.
func (d *decider) chooses() bool {
	return d.st.Hazards.Choices() != 0 || d.sit.Unlike || d.sit.UnlikeRows || d.orders()
}

// orders: it numbers rows, or adds them up, in an order that is each node's own.
func (d *decider) orders() bool { return d.numbersRows() || d.aggregates() }

// numbersRows: rows that come from tables draw from a sequence, each node's in the order in
// which they lie there.
func (d *decider) numbersRows() bool {
	if len(d.st.Targets) == 0 || len(d.st.Reads) == 0 && d.isPoint() {
		return false
	}
	if slices.ContainsFunc(d.st.Functions, func(f parser.Function) bool {
		return f.Class == parser.Sequence && (f.Name == "nextval" || f.Name == "setval")
	}) {
		return true
	}
	t := d.table()
	if t == nil {
		return false
	}
	p := Plan{st: d.st, target: &d.st.Targets[0]}
	for i := range t.Columns {
		if p.mayDraw(i, &t.Columns[i]) {
			return true
		}
	}
	return false
}

// aggregates: an aggregate of a user's may hang on the order of what it adds up.
func (d *decider) aggregates() bool {
	for _, f := range d.st.UnknownFunctions {
		if fact, ok := d.facts.FunctionOf(f); ok && fact.Aggregate {
			return true
		}
	}
	return false
}

// keysLate: a unique key takes no lock when a row is inserted.
func (d *decider) keysLate() bool {
	t := d.table()
	return t != nil && t.Effects.LateKeys && d.st.Targets[0].Kind != parser.Delete
}

// readsByFunction: a function may look at tables. What calls volatile ones has been
// replaced by values, or is Unlike.
func (d *decider) readsByFunction() bool {
	for _, f := range d.st.UnknownFunctions {
		if fact, ok := d.facts.FunctionOf(f); ok && fact.Alike && fact.Volatility != catalog.Immutable {
			return true
		}
	}
	return false
}

// isPoint: the statement inserts rows that its text has, or changes one row that it finds
// by a whole unique key.
func (d *decider) isPoint() bool {
	if len(d.st.Targets) != 1 {
		return false
	}
	target := &d.st.Targets[0]
	switch target.Kind {
	case parser.Insert:
		return d.st.Kind == parser.Insert
	case parser.Update, parser.Delete:
		t := d.table()
		return t != nil && findsByKey(target, t)
	}
	return false
}

// findsByKey: the statement names a whole unique key.
func findsByKey(target *parser.Target, t *catalog.Table) bool {
	return !t.View && (!t.Children || target.Only) && hasKey(t, target.Equal)
}

func hasKey(t *catalog.Table, columns []string) bool {
	for _, key := range t.Keys {
		if len(key) > 0 && containsAll(columns, key) {
			return true
		}
	}
	return false
}

func containsAll(set, names []string) bool {
	for _, name := range names {
		if !slices.Contains(set, name) {
			return false
		}
	}
	return true
}

// plan is made once it is known that there has to be one.
func (d *decider) plan() *Plan {
	p := &Plan{Way: Rows, st: d.st, table: d.table(), Reasons: d.reasons(), also: d.sit.Also, orders: d.orders()}
	switch d.st.Kind {
	case parser.Insert, parser.Update, parser.Delete:
		p.target = &d.st.Targets[0]
	}
	p.quiet = p.table != nil && d.sit.Firing == TriggersInRow && (p.table.Effects.Triggers || d.sit.Elsewhere && p.table.Effects.Cascades)
	p.shape, p.Obstacle = d.capturable(p)
	switch {
	case p.Obstacle == "" && (d.sit.Way == Rows || d.chooses()):
	case d.sit.Way == Digest && p.HasDigest():
		p.Way = Digest
	default:
		p.Way = Locks
	}
	return p
}

// reasons says why nodes might differ, for the operator.
func (d *decider) reasons() []string {
	var reasons []string
	add := func(on bool, text string) {
		if on {
			reasons = append(reasons, text)
		}
	}
	if !d.sit.OneSnapshot {
		add(len(d.st.Reads) > 0, "reads other rows")
		add(d.readsByFunction(), "calls a function that may read tables")
		add(!d.isPoint() && len(d.st.Reads) == 0, "changes rows that it does not find by a unique key")
	}
	add(d.st.Hazards.Choices() != 0, "uses "+d.st.Hazards.Choices().String())
	add(d.aggregates(), "calls an aggregate that may hang on order")
	add(d.sit.Unlike, "computes values on each node")
	add(d.sit.UnlikeRows, "fires a trigger that computes values on each node")
	add(d.sit.RacingRows && !d.sit.OneSnapshot, "fires a trigger that reads other rows")
	add(len(d.sit.Also) > 0, "sets off code that changes tables")
	add(d.numbersRows(), "numbers rows that come in any order")
	add(d.keysLate(), "has a unique key that is checked late")
	return reasons
}

// Repeated is a plan for a statement that every node runs for itself.
func Repeated(st *parser.Statement) *Plan { return &Plan{Way: Locks, st: st} }

// Statement is the one that is planned for.
func (p *Plan) Statement() *parser.Statement { return p.st }

// Locked is the plan with table locks instead; for a statement that only locks rows itself,
// with a comparison.
func (p *Plan) Locked() *Plan {
	locked := *p
	locked.Way = Locks
	if locksRows(p.st) {
		locked.Way = Digest
	}
	return &locked
}

// LocksRows: the statement is a SELECT. It may be executed in parts, each of which locks
// the rows that it returns.
func (p *Plan) LocksRows() bool { return locksRows(p.st) }

// ComparesRows: the rows that the frontend is given anyway are compared, unless they have
// columns of the system's in them, which are each node's own.
func (p *Plan) ComparesRows() bool {
	return p.Way == Digest && locksRows(p.st) && p.st.Hazards&parser.UsesSystemColumn == 0
}

// Chooses: which rows come out, or in which order, is decided while the statement runs,
// whatever is locked.
func (p *Plan) Chooses() bool { return p.orders || p.st.Hazards.Choices() != 0 }

// alone is the plan of a statement that changes no rows itself.
func alone(st *parser.Statement, sit Situation) *Plan {
	if len(sit.Also) == 0 {
		return nil
	}
	return &Plan{Way: Locks, st: st, also: sit.Also, Reasons: []string{"sets off code that reads or changes tables"}, Obstacle: "it changes no rows itself"}
}

// Forced is a plan with table locks for a statement that Decide has none for, because
// nodes did different things all the same; nil if it changes no rows.
func Forced(st *parser.Statement, f Facts) *Plan {
	if !Concerns(st) || locksRows(st) {
		return nil
	}
	d := decider{st: st, facts: f, sit: Situation{Way: Locks}}
	if d.changesCatalogue() {
		return nil
	}
	p := d.plan()
	p.Way, p.Obstacle = Locks, "nodes have disagreed about it"
	return p
}
