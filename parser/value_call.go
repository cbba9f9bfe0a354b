package parser

import (
	"slices"
	"sort"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// valueCall is a place where a function is called whose result may be another on each
// node: chance, what a node tells of itself, and functions that only the catalogue
// knows, and those that draw from sequences. Calls for the time are TimeCalls.
type valueCall struct {
	function   Function
	start, end int
	args       int
	times      evaluation
	target     int // of the UPDATE whose rows it is evaluated for, in Targets
	// refers: it needs what is known within the statement only: a column, a parameter
	// or a sub-select.
	refers refersTo
	// special: an aggregate, a window function, or a table function in FROM.
	special bool
	column  string // as TimeCall.Column
	nested  bool
	// assigned is the column that is given nothing but what the call returns.
	assigned assignment
}

// assignment names a column of a target, by its place if there is no column list.
type assignment struct {
	made   bool
	target int // in Targets
	name   string
	place  int
}

// refersTo is a set of what the arguments of a call have in them.
type refersTo uint8

const (
	refersToColumn refersTo = 1 << iota
	refersToParameter
	refersToQuery
)

// references counts what a walk has met, so that the difference between two moments
// tells what is between them.
type references struct {
	columns, parameters, queries int
}

func (r references) since(before references) (refers refersTo) {
	if r.columns > before.columns {
		refers |= refersToColumn
	}
	if r.parameters > before.parameters {
		refers |= refersToParameter
	}
	if r.queries > before.queries {
		refers |= refersToQuery
	}
	return refers
}

// isValueFunction reports whether calls of f are to be noted.
func isValueFunction(f Function, args int) bool {
	switch f.Class {
	case Random, UnknownFunction:
		return true
	case Sequence:
		return isSequenceCall(f, args)
	case NodeLocal:
		return !alikeInSpite(f.Name)
	case Clock:
		return f.Name == "timeofday" || f.Name == "age" && args == 1
	}
	return false
}

// alikeInSpite names the functions that tell of the node and yet are the same on all
// nodes that run one text, or that have to run where they are called.
func alikeInSpite(name string) bool {
	switch name {
	case "current_query", "pg_stat_clear_snapshot", "pg_stat_force_next_flush", "pg_export_snapshot", "lo_get":
		return true
	}
	return false
}

// returnsSet names PostgreSQL's own functions that return sets and may stand in a SELECT
// list (pg_proc.proretset of 12 to 18).
func returnsSet(name string) bool {
	switch name {
	case "generate_series", "generate_subscripts", "unnest", "regexp_matches", "regexp_split_to_table", "string_to_table",
		"json_array_elements", "json_array_elements_text", "json_each", "json_each_text", "json_object_keys",
		"json_populate_recordset", "json_to_recordset", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each",
		"jsonb_each_text", "jsonb_object_keys", "jsonb_path_query", "jsonb_path_query_tz", "jsonb_populate_recordset",
		"jsonb_to_recordset", "aclexplode", "ts_debug", "ts_parse", "ts_stat", "ts_token_type", "pg_options_to_table",
		"pg_get_keywords", "pg_partition_tree", "pg_partition_ancestors", "_pg_expandarray":
		return true
	}
	return false
}

// valueSite is a call that the walk has met, and the arguments of which it is about to
// visit.
type valueSite struct {
	index  int
	before references
}

// openCall notes a call before its arguments are visited; ok is false if it is of no
// interest.
func (w *walker) openCall(n *pg.FuncCall, f Function) (site valueSite, ok bool) {
	if f.Class == Deterministic && returnsSet(f.Name) && !w.inFrom[n] {
		w.makesSets = true
	}
	if !isValueFunction(f, len(n.Args)) {
		return valueSite{}, false
	}
	w.calls = append(w.calls, valueCall{
		function: f, start: int(n.Location), args: len(n.Args), times: w.at, target: w.updating,
		special: !ordinaryCall(n) || w.inFrom[n], assigned: w.assigned[n],
	})
	return valueSite{index: len(w.calls) - 1, before: w.refs}, true
}

// assign notes that a column is given the value of an expression, if that is a call.
func (w *walker) assign(value *pg.Node, to assignment) {
	if call := value.GetFuncCall(); call != nil {
		if w.assigned == nil {
			w.assigned = map[*pg.FuncCall]assignment{}
		}
		to.made, to.target = true, len(w.st.Targets)
		w.assigned[call] = to
	}
}

// closeCall notes what the arguments have in them.
func (w *walker) closeCall(site valueSite) {
	w.calls[site.index].refers = w.refs.since(site.before)
}

// ordinaryCall: nothing that only aggregates and window functions have.
func ordinaryCall(n *pg.FuncCall) bool {
	return !n.AggStar && !n.AggDistinct && !n.AggWithinGroup && n.Over == nil && n.AggFilter == nil && len(n.AggOrder) == 0
}

// measureCalls gives the calls their ends, in the order of the text. A call without one
// is of a form that the scanner does not know; it stays, with no place.
func (w *walker) measureCalls() []valueCall {
	if len(w.calls) == 0 {
		return nil
	}
	w.closeBrackets(w.openBrackets())
	for i := range w.calls {
		c := &w.calls[i]
		if c.end == 0 {
			c.special, c.start = true, 0
		} else if o, ok := w.outputs[c.start]; ok {
			c.column = o.name
			c.nested = !o.bare || w.inBrackets(c.start)
		}
	}
	sort.SliceStable(w.calls, func(i, j int) bool { return w.calls[i].start < w.calls[j].start })
	return slices.Clip(w.calls)
}

// openBrackets finds the brackets in which the calls have their arguments: the number of
// the call by the offset of its bracket.
func (w *walker) openBrackets() map[int]int {
	open := make(map[int]int, len(w.calls))
	for i, c := range w.calls {
		s := scanner{sql: w.sql, pos: c.start}
		if c.start >= 0 && s.relation() && s.peek().kind == '(' {
			open[s.peek().start] = i
		}
	}
	return open
}

// closeBrackets finds where those brackets are closed, in one pass over the text.
func (w *walker) closeBrackets(open map[int]int) {
	first := len(w.sql)
	for offset := range open {
		first = min(first, offset)
	}
	s := scanner{sql: w.sql, pos: first}
	var stack []int
	for left := len(open); left > 0; {
		switch t := s.next(); t.kind {
		case '(':
			stack = append(stack, t.start)
		case ')':
			if len(stack) == 0 {
				continue // of a bracket before the first of ours
			}
			if i, ours := open[stack[len(stack)-1]]; ours {
				w.calls[i].end = t.end
				left--
			}
			stack = stack[:len(stack)-1]
		case endToken:
			return
		}
	}
}

// inBrackets: an opening bracket stands before the offset, perhaps around more than the
// call.
func (w *walker) inBrackets(offset int) bool {
	before := w.sql[:offset]
	for len(before) > 0 && isBlank(before[len(before)-1]) {
		before = before[:len(before)-1]
	}
	return len(before) == 0 || before[len(before)-1] == '(' || before[len(before)-1] == '/' || before[len(before)-1] == '\n'
}

// places has all offsets of a statement that Plan needs. Those of a script that a Cache
// has found by its shape are offsets within the key, and are turned when they are asked
// for: mostly they are not.
type places struct {
	calls     []valueCall
	layouts   []layout // one for each of Targets
	makesSets bool     // a function in a SELECT list returns a set
	inKey     bool
}

// inText returns the places within sql, the whole string that the script is of.
func (p *places) inText(sql string) *places {
	if p == nil || !p.inKey {
		return p
	}
	var cuts []cut
	if _, ok := strip(nil, sql, &cuts); !ok {
		return nil // not the text that was looked up
	}
	return p.moved(cuts, true)
}

// moved returns a copy with all offsets moved.
func (p *places) moved(cuts []cut, toText bool) *places {
	m := &places{calls: slices.Clone(p.calls), layouts: slices.Clone(p.layouts), makesSets: p.makesSets, inKey: !toText}
	starts, ends := mover{cuts: cuts, toText: toText}, mover{cuts: cuts, toText: toText}
	for i := range m.calls {
		c := &m.calls[i]
		if c.end > 0 {
			c.start = starts.move(c.start)
			c.end = ends.moveAny(c.end-1) + 1
		}
	}
	for i := range m.layouts {
		m.layouts[i] = m.layouts[i].moved(cuts, toText)
	}
	return m
}

// moveAny is move for an offset that may be smaller than the last one.
func (m *mover) moveAny(offset int) int {
	n := sort.Search(len(m.cuts), func(i int) bool {
		c := m.cuts[i]
		if m.toText {
			return c.key+c.width > offset
		}
		return c.end > offset
	})
	fresh := mover{cuts: m.cuts, toText: m.toText}
	if n > 0 {
		fresh.next = n - 1
	}
	return fresh.move(offset)
}

func (l layout) moved(cuts []cut, toText bool) layout {
	m := mover{cuts: cuts, toText: toText}
	if l.list > 0 {
		l.list = m.moveAny(l.list)
	}
	if l.rest > 0 {
		l.rest = m.moveAny(l.rest)
	}
	if l.after > 0 {
		l.defaultValues = m.moveAny(l.defaultValues)
		l.after = m.moveAny(l.after-1) + 1
	}
	l.rows = slices.Clone(l.rows)
	rising := mover{cuts: cuts, toText: toText}
	for i := range l.rows {
		l.rows[i] = rising.move(l.rows[i])
	}
	l.cells, l.sets = slices.Clone(l.cells), slices.Clone(l.sets)
	for i := range l.cells {
		l.cells[i].start = m.moveAny(l.cells[i].start)
	}
	for i := range l.sets {
		l.sets[i].start = m.moveAny(l.sets[i].start)
	}
	return l
}
