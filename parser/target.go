package parser

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// Target is a relation whose rows a statement adds or changes, with what the text tells
// of its columns. A statement has several if there are data-modifying WITH queries.
type Target struct {
	// Kind is Insert, Update, Delete, Merge or CopyFrom.
	Kind     Kind
	Relation Relation
	// Columns are those that INSERT and COPY list, nil if they list none, and those
	// that UPDATE sets. What INSERT leaves out is given its default.
	Columns []string
	// Rows is the number of rows of INSERT ... VALUES, and Cells that of the values
	// in each. DEFAULT VALUES is one row of none. Cells is also known where the rows
	// come from a query whose columns can be counted.
	Rows, Cells int
	// Unfillable is why values for columns that are left out cannot be put into the
	// text, such as "rows come from a query", or "". It matters only if such a column
	// has a default that nodes compute differently.
	Unfillable string
	// Alias is the name by which the statement speaks of the relation, or "".
	Alias string
	// Only: the statement says ONLY, and leaves out tables that inherit from it.
	Only bool
	// Returning: this part of the statement has RETURNING.
	Returning bool
	// Conflict is ON CONFLICT; ConflictSets are the columns that DO UPDATE sets.
	Conflict     Conflict
	ConflictSets []string
	// Equal are the columns that the WHERE of UPDATE and DELETE demands to equal one
	// constant or parameter each: with a unique key among them, it is one row at most.
	Equal []string
	// Pins are those of Equal whose value can be found in the text or among the parameters.
	// Only a lone statement has some.
	Pins []Pin
}

// The reasons in Target.Unfillable.
const (
	rowsFromQuery  = "rows come from a query"
	rowsFromStream = "rows come by COPY"
	rowsByMerge    = "rows come by MERGE"
	unusualForm    = "the statement has an unusual form"
)

// addTarget notes a target; its layout stands under the same number.
func (w *walker) addTarget(t Target, l layout) {
	w.st.Targets = append(w.st.Targets, t)
	w.layouts = append(w.layouts, l)
}

// insertTarget notes what INSERT says of the columns.
func (w *walker) insertTarget(n *pg.InsertStmt) {
	t := Target{Kind: Insert, Relation: relationOf(n.Relation), Alias: aliasOf(n.Relation), Columns: columnNames(n.Cols), Returning: len(n.ReturningList) > 0}
	t.Conflict, t.ConflictSets = conflictOf(n.OnConflictClause)
	query := n.SelectStmt.GetSelectStmt()
	switch {
	case n.SelectStmt == nil:
		t.Rows = 1
	case !plainValues(query):
		t.Unfillable, t.Cells = rowsFromQuery, selectedColumns(query)
	default:
		t.Rows, t.Cells = len(query.ValuesLists), cellsOfEach(query)
		w.assignCells(n.Cols, query.ValuesLists)
	}
	l := layout{}
	if t.Unfillable == "" {
		var ok bool
		if l, ok = w.insertLayout(n); !ok || t.Cells < 0 || hasIndirection(n.Cols) {
			t.Unfillable = unusualForm
		}
	}
	l.override = overrideOf(n.Override)
	if n.OnConflictClause != nil {
		l.sets = append(l.sets, setCells(n.OnConflictClause.TargetList, conflictEvaluation(t.Rows))...)
	}
	w.addTarget(t, l)
}

// assignCells notes the calls that are whole cells.
func (w *walker) assignCells(columns, rows []*pg.Node) {
	for _, row := range rows {
		for i, cell := range row.GetList().GetItems() {
			to := assignment{place: i}
			if i < len(columns) {
				to.name = columnName(columns[i])
			}
			if i >= len(columns) || len(columns[i].GetResTarget().GetIndirection()) == 0 {
				w.assign(cell, to)
			}
		}
	}
}

// plainValues: the INSERT around n gives each of its cells to a column, as it does
// unless the list is sorted, cut, or has WITH queries of its own (transformInsertStmt).
func plainValues(n *pg.SelectStmt) bool {
	return n != nil && len(n.ValuesLists) > 0 && len(n.SortClause) == 0 && n.LimitCount == nil && n.LimitOffset == nil &&
		len(n.LockingClause) == 0 && n.WithClause == nil
}

// cellsOfEach is how many values each row has; -1 if they differ, which is an error.
func cellsOfEach(n *pg.SelectStmt) int {
	cells := len(n.ValuesLists[0].GetList().GetItems())
	for _, row := range n.ValuesLists {
		if len(row.GetList().GetItems()) != cells {
			return -1
		}
	}
	return cells
}

// selectedColumns is the number of columns of a query; 0 if only the catalogue tells.
func selectedColumns(n *pg.SelectStmt) int {
	for n.GetLarg() != nil {
		n = n.Larg
	}
	if n == nil {
		return 0
	}
	if len(n.ValuesLists) > 0 {
		return max(cellsOfEach(n), 0)
	}
	for _, t := range n.TargetList {
		value := t.GetResTarget().GetVal()
		if fields := value.GetColumnRef().GetFields(); len(fields) > 0 && fields[len(fields)-1].GetAStar() != nil || hasStar(value.GetAIndirection()) {
			return 0
		}
	}
	return len(n.TargetList)
}

func hasStar(n *pg.A_Indirection) bool {
	return slices.ContainsFunc(n.GetIndirection(), func(part *pg.Node) bool { return part.GetAStar() != nil })
}

// columnNames are the names in a list of assignments or of columns.
func columnNames(targets []*pg.Node) []string {
	var names []string
	var met seen[string]
	for _, t := range targets {
		if name := columnName(t); met.first(name) {
			names = append(names, name)
		}
	}
	return names
}

// columnName is that of an assignment's column, or, in COPY, of the column itself.
func columnName(n *pg.Node) string {
	if t := n.GetResTarget(); t != nil {
		return t.Name
	}
	return n.GetString_().GetSval()
}

// hasIndirection: a column is not set whole, as in a[1].
func hasIndirection(targets []*pg.Node) bool {
	return slices.ContainsFunc(targets, func(t *pg.Node) bool { return len(t.GetResTarget().GetIndirection()) > 0 })
}

func (w *walker) updateTarget(n *pg.UpdateStmt) {
	t := Target{
		Kind: Update, Relation: relationOf(n.Relation), Alias: aliasOf(n.Relation), Only: !n.Relation.GetInh(),
		Columns: columnNames(n.TargetList), Returning: len(n.ReturningList) > 0,
	}
	if len(n.FromClause) == 0 {
		t.Equal = equalColumns(n.WhereClause)
	}
	for _, set := range n.TargetList {
		if target := set.GetResTarget(); len(target.GetIndirection()) == 0 {
			w.assign(target.GetVal(), assignment{name: target.GetName()})
		}
	}
	w.addTarget(t, layout{sets: setCells(n.TargetList, eachRow)})
}

func (w *walker) deleteTarget(n *pg.DeleteStmt) {
	t := Target{
		Kind: Delete, Relation: relationOf(n.Relation), Alias: aliasOf(n.Relation), Only: !n.Relation.GetInh(),
		Returning: len(n.ReturningList) > 0,
	}
	if len(n.UsingClause) == 0 {
		t.Equal = equalColumns(n.WhereClause)
	}
	w.addTarget(t, layout{})
}

func (w *walker) mergeTarget(n *pg.MergeStmt) {
	t := Target{Kind: Merge, Relation: relationOf(n.Relation)}
	l := layout{}
	for _, clause := range n.MergeWhenClauses {
		when := clause.GetMergeWhenClause()
		switch when.GetCommandType() {
		case pg.CmdType_CMD_INSERT:
			t.Unfillable = rowsByMerge
		case pg.CmdType_CMD_UPDATE:
			l.sets = append(l.sets, setCells(when.TargetList, sometimes)...)
		}
	}
	w.addTarget(t, l)
}

func (w *walker) copyTarget(n *pg.CopyStmt) {
	if n.IsFrom && n.Relation != nil {
		w.addTarget(Target{
			Kind: CopyFrom, Relation: relationOf(n.Relation), Columns: columnNames(n.Attlist), Unfillable: rowsFromStream,
		}, layout{})
	}
}

// equalColumns are the columns that an expression demands to equal one value each.
func equalColumns(where *pg.Node) []string {
	var names []string
	var met seen[string]
	for _, condition := range conjunction(where) {
		e := condition.GetAExpr()
		if e == nil || e.Kind != pg.A_Expr_Kind_AEXPR_OP || len(e.Name) != 1 || e.Name[0].GetString_().GetSval() != "=" {
			continue
		}
		column := e.Lexpr
		if oneValue(column) {
			column = e.Rexpr
		} else if !oneValue(e.Rexpr) {
			continue
		}
		if name := referredColumn(column); name != "" && met.first(name) {
			names = append(names, name)
		}
	}
	return names
}

// conjunction parts an expression at its outer ANDs, which the grammar makes one list of.
func conjunction(where *pg.Node) []*pg.Node {
	if and := where.GetBoolExpr(); and != nil && and.Boolop == pg.BoolExprType_AND_EXPR {
		return and.Args
	}
	return []*pg.Node{where}
}

// oneValue: n is a constant or a parameter, with a type or without.
func oneValue(n *pg.Node) bool {
	for n.GetTypeCast() != nil {
		n = n.GetTypeCast().Arg
	}
	return n.GetAConst() != nil || n.GetParamRef() != nil
}

// referredColumn is the column that n is, or "".
func referredColumn(n *pg.Node) string {
	fields := n.GetColumnRef().GetFields()
	if len(fields) == 0 {
		return ""
	}
	return fields[len(fields)-1].GetString_().GetSval()
}
