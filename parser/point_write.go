package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// pointUpdate is the Point of an UPDATE that sets columns to constants, to columns, or to what
// operators make of these.
func pointUpdate(n *pg.UpdateStmt) (*Point, []*pg.A_Const) {
	if len(n.FromClause)+len(n.ReturningList) > 0 || n.WithClause != nil || n.WhereClause == nil {
		return nil, nil
	}
	p := &Point{Kind: Update, Relation: relationOf(n.Relation), Only: !n.Relation.Inh}
	var constants []*pg.A_Const
	for _, set := range n.TargetList {
		target := set.GetResTarget()
		if target == nil || len(target.Indirection) > 0 {
			return nil, nil
		}
		var ok bool
		if constants, ok = p.assign(constants, target.Val, Use{How: Assigned, Column: target.Name}); !ok {
			return nil, nil
		}
	}
	return p.find(constants, n.WhereClause)
}

// pointDelete is the Point of a DELETE.
func pointDelete(n *pg.DeleteStmt) (*Point, []*pg.A_Const) {
	if len(n.UsingClause)+len(n.ReturningList) > 0 || n.WithClause != nil || n.WhereClause == nil {
		return nil, nil
	}
	p := &Point{Kind: Delete, Relation: relationOf(n.Relation), Only: !n.Relation.Inh}
	return p.find(nil, n.WhereClause)
}

// pointInsert is the Point of an INSERT of one row.
func pointInsert(n *pg.InsertStmt) (*Point, []*pg.A_Const) {
	query := n.SelectStmt.GetSelectStmt()
	if !plainValues(query) || len(query.ValuesLists) != 1 || len(n.ReturningList) > 0 || n.WithClause != nil || n.OnConflictClause != nil ||
		n.Override != pg.OverridingKind_OVERRIDING_NOT_SET || hasIndirection(n.Cols) {
		return nil, nil
	}
	cells := query.ValuesLists[0].GetList().GetItems()
	if len(n.Cols) > 0 && len(n.Cols) != len(cells) {
		return nil, nil
	}
	p := &Point{Kind: Insert, Relation: relationOf(n.Relation)}
	var constants []*pg.A_Const
	for i, cell := range cells {
		use := Use{How: Assigned, Place: i}
		if len(n.Cols) > 0 {
			use.Column = columnName(n.Cols[i])
		}
		switch {
		case isConstant(cell), cell.GetParamRef() != nil:
			constants, _ = p.assign(constants, cell, use)
		case cell.GetSetToDefault() != nil:
			p.Defaults = append(p.Defaults, i)
		case isTime(cell):
		default:
			return nil, nil
		}
	}
	return p, constants
}

// isTime reports whether an expression asks for the time, without a precision.
func isTime(n *pg.Node) bool {
	if v := n.GetSqlvalueFunction(); v != nil {
		_, asks := timeOperator(v.Op)
		return asks && v.Typmod < 0
	}
	call := n.GetFuncCall()
	if call == nil || !plainCall(call) {
		return false
	}
	_, asks := timeFunction(namedFunction(call.Funcname))
	return asks
}

// assign adds the literals of what a column is given; ok is false if it is something else.
func (p *Point) assign(constants []*pg.A_Const, n *pg.Node, use Use) (_ []*pg.A_Const, ok bool) {
	if constants, ok = p.use(constants, n, use); ok {
		return constants, true
	}
	if isConstant(n) || referredColumn(n) != "" {
		return constants, true
	}
	return p.operate(constants, n)
}

// operate adds the literals of an expression. An operator of constants alone is computed when
// the statement is planned, and may fail there although no row is found.
func (p *Point) operate(constants []*pg.A_Const, n *pg.Node) (_ []*pg.A_Const, ok bool) {
	e := n.GetAExpr()
	if e == nil || e.Lexpr == nil || !isPlainOperator(operatorOf(e)) || isValue(e.Lexpr) && isValue(e.Rexpr) {
		return constants, false
	}
	for _, sides := range [][2]*pg.Node{{e.Lexpr, e.Rexpr}, {e.Rexpr, e.Lexpr}} {
		side, beside := sides[0], sides[1]
		if constants, ok = p.use(constants, side, Use{How: Operand, Column: referredColumn(beside)}); ok || referredColumn(side) != "" {
			continue
		}
		if constants, ok = p.operate(constants, side); !ok {
			return constants, false
		}
	}
	return constants, true
}

// isValue: n is a number, a string or a parameter.
func isValue(n *pg.Node) bool { return literalConstant(n) != nil || n.GetParamRef() != nil }

func isPlainOperator(name string) bool {
	return len(name) == 1 && strings.Contains("+-*/%", name) || name == "||"
}

// isConstant: n is a constant of any kind. NULL and true are no literals: they stay in the text.
func isConstant(n *pg.Node) bool { return n.GetAConst() != nil }
