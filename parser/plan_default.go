package parser

import "strings"

// target plans what a target's columns are given by default.
func (p *planner) target(i, shift int) {
	t, l := &p.st.Targets[i], p.places.layouts[i]
	if !p.st.fillsIn(i) || t.Kind == Merge && t.Unfillable == "" && len(l.sets) == 0 {
		return
	}
	table, known := p.facts.Table(t.Relation)
	switch {
	case !known:
		p.reason(TableNotKnown, t.Relation.String())
		return
	case table == nil:
		return // the statement will fail
	case table.View && t.Kind != Update:
		p.reason(DefaultOfView, t.Relation.String())
	}
	f := filler{planner: p, t: t, l: &l, table: table, shift: shift, number: i}
	f.assignments()
	f.overridden()
	switch {
	case t.Unfillable != "":
		f.unfillable()
	case t.Kind == Insert:
		f.insert()
	}
	if f.overriding && l.after == 0 {
		f.put(l.rest, []piece{{text: overridingWords, slot: noSlot}})
	}
}

// filler plans the columns of one target.
type filler struct {
	*planner
	t      *Target
	l      *layout
	table  *Table
	shift  int
	number int
	// overriding: OVERRIDING SYSTEM VALUE has to be added.
	overriding bool
}

// column is the table's column of that name, or nil.
func (f *filler) column(name string) *Column {
	for i := range f.table.Columns {
		if f.table.Columns[i].Name == name {
			return &f.table.Columns[i]
		}
	}
	return nil
}

// cell is the column that a cell of VALUES is for, or nil.
func (f *filler) cell(i int) *Column {
	switch {
	case f.t.Columns == nil && i < len(f.table.Columns):
		return &f.table.Columns[i]
	case i < len(f.t.Columns):
		return f.column(f.t.Columns[i])
	}
	return nil
}

// assignments replaces DEFAULT in SET.
func (f *filler) assignments() {
	for _, s := range f.l.sets {
		if c := f.column(s.column); c != nil {
			f.replaceDefault(c, s.start+f.shift, s.times)
		}
	}
}

func (f *filler) replaceDefault(c *Column, start int, times evaluation) {
	if pieces, ok := f.value(c, times); ok {
		f.edits = append(f.edits, edit{start: start, end: start + defaultLength, pieces: pieces})
	}
}

// insert fills in the cells that say DEFAULT and those that are missing. Where the
// number of cells is not right, the server shall say so.
func (f *filler) insert() {
	if f.t.Columns != nil && f.t.Cells != len(f.t.Columns) || f.t.Cells > len(f.table.Columns) {
		return
	}
	for _, cell := range f.l.cells {
		if c := f.cell(cell.column); c != nil {
			f.replaceDefault(c, cell.start+f.shift, once)
		}
	}
	switch {
	case f.table.Grants:
		f.ungranted()
	case f.l.after > 0:
		f.instead()
	case f.t.Columns == nil:
		f.appendInOrder()
	default:
		f.appendNamed()
	}
}

// missing are the columns that INSERT leaves out and that have to be given a value.
func (f *filler) missing() []*Column {
	var columns []*Column
	for i := range f.table.Columns {
		c := &f.table.Columns[i]
		mentioned := i < f.t.Cells
		if f.t.Columns != nil {
			mentioned = contains(f.t.Columns, c.Name)
		}
		if !mentioned && f.needed(c) {
			columns = append(columns, c)
		}
	}
	return columns
}

// needed reports whether a column's default has to be replaced, and notes it if it
// draws from a sequence.
func (f *filler) needed(c *Column) bool {
	switch {
	case !c.Volatile:
		return false
	case c.Identity:
		f.sequence(f.name(c) + " (identity)")
		return f.leases(c)
	}
	d := f.defaults.get(c.Default)
	for _, s := range d.sequences {
		f.sequence(f.name(c) + " (" + s + ")")
	}
	return d.Err != nil || len(d.times) > 0 || len(c.Unlike) > 0 || len(f.inCell(d.calls)) > 0
}

func (f *filler) name(c *Column) string { return f.t.Relation.String() + "." + c.Name }

// ungranted notes the columns that are not filled in for want of a right to name them.
func (f *filler) ungranted() {
	for _, c := range f.missing() {
		f.unleasedDefault(c)
		f.reason(ColumnGrants, "default of "+f.name(c))
	}
}

// instead puts a column list and a row in place of DEFAULT VALUES.
func (f *filler) instead() {
	columns := f.missing()
	if len(columns) == 0 {
		return
	}
	var cells []piece
	for i, c := range columns {
		if i > 0 {
			cells = append(cells, piece{text: ", ", slot: noSlot})
		}
		cells = append(cells, f.valueOrDefault(c)...)
	}
	head := "(" + nameList(columns) + ") "
	if f.overriding {
		head += overridingWords
	}
	pieces := append([]piece{{text: head + "VALUES (", slot: noSlot}}, cells...)
	pieces = append(pieces, piece{text: ")", slot: noSlot})
	f.edits = append(f.edits, edit{start: f.l.defaultValues + f.shift, end: f.l.after + f.shift, pieces: pieces})
}

// appendNamed adds columns to the list, and a value for each to each row.
func (f *filler) appendNamed() {
	columns := f.missing()
	if len(columns) == 0 {
		return
	}
	f.put(f.l.list, []piece{{text: ", " + nameList(columns), slot: noSlot}})
	for _, row := range f.l.rows {
		f.put(row, f.cells(columns))
	}
}

// appendInOrder adds cells to each row, up to the last column that has to be given a
// value.
func (f *filler) appendInOrder() {
	wanted := f.missing()
	if len(wanted) == 0 {
		return
	}
	last := wanted[len(wanted)-1]
	var columns []*Column
	for i := f.t.Cells; i < len(f.table.Columns); i++ {
		c := &f.table.Columns[i]
		columns = append(columns, c)
		if c == last {
			break
		}
	}
	for _, row := range f.l.rows {
		f.put(row, f.cells(columns))
	}
}

// cells are more cells at the end of a row.
func (f *filler) cells(columns []*Column) []piece {
	var pieces []piece
	for _, c := range columns {
		pieces = append(pieces, piece{text: ", ", slot: noSlot})
		pieces = append(pieces, f.valueOrDefault(c)...)
	}
	return pieces
}

func (f *filler) valueOrDefault(c *Column) []piece {
	if pieces, ok := f.value(c, once); ok {
		return pieces
	}
	return []piece{{text: "DEFAULT", slot: noSlot}}
}

// put inserts pieces at a place of the layout.
func (f *filler) put(at int, pieces []piece) {
	f.edits = append(f.edits, edit{start: at + f.shift, end: at + f.shift, pieces: pieces})
}

func nameList(columns []*Column) string {
	var names []string
	for _, c := range columns {
		names = append(names, quotedName(c.Name))
	}
	return strings.Join(names, ", ")
}

// value is the default of a column with what nodes would compute differently replaced;
// ok is false if DEFAULT may stay, or has to.
func (f *filler) value(c *Column, times evaluation) (pieces []piece, ok bool) {
	if !f.needed(c) {
		return nil, false
	}
	if c.Identity {
		return f.identity(c, times)
	}
	d := f.defaults.get(c.Default)
	whole := f.wholeFromMain(c, d)
	if kind := f.countableDefault(d, whole, times); kind != 0 {
		f.unleasedDefault(c)
		if !f.onlyDraws(c) {
			f.reason(kind, "default of "+f.name(c))
		}
		return nil, false
	}
	if whole {
		ask := f.question("("+d.Text+")::"+c.Type, moveSites(sites(spliceableOnly(d.times), d.calls, 0), 1))
		return []piece{{slot: f.slot(Slot{Source: FromMain, Type: c.Type, Everywhere: len(c.Unlike) > 0 || d.Err != nil, ask: ask})}}, true
	}
	if !d.Unknown {
		f.given = append(f.given, c.Name)
	}
	return stitch("("+d.Text+")", f.replace("("+d.Text+")", moveSites(sites(d.times, f.inCell(d.calls), 0), 1))), true
}

// countableDefault is why one value will not do for a default, or 0. The time is one
// for all evaluations.
func (f *filler) countableDefault(d *Default, whole bool, times evaluation) ReasonKind {
	if !whole && len(f.inCell(d.calls)) == 0 {
		return 0
	}
	return f.countable(times, f.number, whole)
}

// wholeFromMain: only the node itself can compute the default.
func (f *filler) wholeFromMain(c *Column, d *Default) bool {
	if d.Err != nil || d.timeString() {
		return true
	}
	for _, unlike := range c.Unlike {
		if source, _ := sourceOf(unlike, 0, f.opt); source == FromMain || !called(d.calls, unlike) {
			return true
		}
	}
	return false
}

// called: the function is called by name, without arguments. Otherwise an operator or a
// cast may stand for it.
func called(calls []valueCall, function Function) bool {
	for _, c := range calls {
		if c.function.Name == function.Name && c.args == 0 {
			return true
		}
	}
	return false
}

// spliceableOnly leaves out the words that only the server can read.
func spliceableOnly(times []TimeCall) []TimeCall {
	var calls []TimeCall
	for _, call := range times {
		if call.Spliceable() {
			calls = append(calls, call)
		}
	}
	return calls
}

// inCell are calls within a default, as they stand in a cell. Those that only the
// catalogue knows have been judged by it.
func (f *filler) inCell(calls []valueCall) []valueCall {
	var judged []valueCall
	for _, c := range calls {
		source, _ := sourceOf(c.function, c.args, PlanOptions{})
		if c.function.Class == UnknownFunction && source == FromMain || c.function.Class == Sequence && !f.opt.Lease {
			continue
		}
		if c.times == selected {
			c.times = once
		} else {
			c.times = c.times.maybe()
		}
		judged = append(judged, c)
	}
	return judged
}

// unfillable notes the columns that are left to their defaults because of the form of
// the statement.
func (f *filler) unfillable() {
	for i := range f.table.Columns {
		c := &f.table.Columns[i]
		mentioned := contains(f.t.Columns, c.Name)
		if f.t.Columns == nil {
			mentioned = f.t.Kind == CopyFrom || i < f.t.Cells // COPY brings all columns
		}
		if !mentioned && f.needed(c) {
			f.unleasedDefault(c)
			if !f.onlyDraws(c) {
				f.reasonText(NotByText, "default of "+f.name(c), f.t.Unfillable)
			}
		}
	}
}
