package parser

import (
	pg "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// evaluation says how often an expression is evaluated while its statement runs, as far
// as its place tells.
type evaluation uint8

const (
	sometimes     evaluation = iota // any number of times
	once                            // a cell of VALUES
	atMostOnce                      // within CASE and the like
	eachRow                         // once for each row that UPDATE changes
	eachRowAtMost                   //
	selected                        // a SELECT list without FROM: once, unless a function in it returns a set
	selectedAtMost
)

// maybe is e for what is evaluated on a condition only.
func (e evaluation) maybe() evaluation {
	switch e {
	case once:
		return atMostOnce
	case eachRow:
		return eachRowAtMost
	case selected:
		return selectedAtMost
	}
	return e
}

// conflictEvaluation is that of ON CONFLICT and RETURNING behind a number of rows.
func conflictEvaluation(rows int) evaluation {
	if rows == 1 {
		return atMostOnce
	}
	return sometimes
}

// role is what the SELECT that the walk comes to next is there for.
type role uint8

const (
	subquery role = iota
	source        // its rows are inserted
	top           // it is the statement, or all that the statement runs
)

// selectEvaluation is the evaluation of the fields of a SELECT.
func selectEvaluation(n *pg.SelectStmt, is role) func(protoreflect.Name) evaluation {
	cells, list := sometimes, sometimes
	switch {
	case is == subquery:
	case plainValues(n):
		cells = once
	case oneRow(n):
		list = selected
	}
	return func(field protoreflect.Name) evaluation {
		switch field {
		case "values_lists":
			return cells
		case "target_list":
			return list
		}
		return sometimes
	}
}

// oneRow: n has no clause that makes rows, takes some away or puts them together.
func oneRow(n *pg.SelectStmt) bool {
	return n.Op == pg.SetOperation_SETOP_NONE && len(n.FromClause) == 0 && len(n.ValuesLists) == 0 && n.WhereClause == nil &&
		len(n.GroupClause) == 0 && n.HavingClause == nil && len(n.DistinctClause) == 0 && len(n.SortClause) == 0 &&
		n.LimitCount == nil && n.LimitOffset == nil
}

// insertEvaluation is that of the fields of INSERT, apart from the query, which has a
// role.
func (w *walker) insertEvaluation(rows int) func(protoreflect.Name) evaluation {
	return func(field protoreflect.Name) evaluation {
		switch field {
		case "select_stmt":
			w.next = source
		case "on_conflict_clause", "returning_list":
			return conflictEvaluation(rows)
		}
		return sometimes
	}
}

// nowhere is for statements no part of which is evaluated a known number of times.
func nowhere(protoreflect.Name) evaluation { return sometimes }

func updateEvaluation(field protoreflect.Name) evaluation {
	if field == "target_list" {
		return eachRow
	}
	return sometimes
}

// belowAt is below with an evaluation for each field of m.
func (w *walker) belowAt(m protoreflect.Message, at func(protoreflect.Name) evaluation) {
	was := w.at
	w.fields(m, func(field protoreflect.Name) { w.at = at(field) })
	w.at = was
}

// evaluated visits all below m, whose parts are evaluated as e says.
func (w *walker) evaluated(m protoreflect.Message, e evaluation) {
	was := w.at
	w.at = e
	w.below(m)
	w.at = was
}

// expression visits an operator's operands. BETWEEN and IN are made into several
// comparisons, each with its own copy of what stands left (transformAExprBetween).
func (w *walker) expression(n *pg.A_Expr, m protoreflect.Message) {
	switch n.Kind {
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN, pg.A_Expr_Kind_AEXPR_BETWEEN_SYM,
		pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_IN:
		w.evaluated(m, sometimes)
	default:
		w.below(m)
	}
}

// indirection visits (f()).x and (f()).*, the latter of which calls f for each column.
func (w *walker) indirection(n *pg.A_Indirection, m protoreflect.Message) {
	at := w.at
	if hasStar(n) {
		at = sometimes
	}
	w.evaluated(m, at)
}
