package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// Point is a statement of one row: a SELECT of columns, an UPDATE or a DELETE whose WHERE demands
// of some columns of one relation that each equals one constant or parameter, and nothing else; or an INSERT
// of one row of constants, parameters, DEFAULT and the time. All constants that a parameter can stand for are used in a way that
// means the same with a parameter of the constant's type, as far as the text tells.
type Point struct {
	Kind     Kind // Select, Insert, Update or Delete
	Relation Relation
	Only     bool     // it leaves out tables that inherit from Relation
	Equal    []string // as Target.Equal
	// Uses are what the literals and parameters are for, in the order of the text.
	Uses []Use
	// Defaults are the cells of an INSERT that say DEFAULT, counted from 0.
	Defaults []int
}

// Use is what a literal or a parameter is for.
type Use struct {
	How UseKind
	// Column is the one that it is assigned to; of an INSERT that lists no columns it is "",
	// and Place counts in the relation's. It is the one that it is compared with, too, or that stands on the other side of
	// the operator, "" if that is no column.
	Column string
	Place  int
	// Param is the number of the parameter; 0 for a literal.
	Param int
}

// UseKind is how a literal is used.
type UseKind uint8

const (
	// Compared: column = literal.
	Compared UseKind = iota
	// Assigned: it is what a column is given.
	Assigned
	// Operand of an operator, beside a column.
	Operand
)

// point is nil for what is not as simple as that.
func point(sql string, n *pg.Node) *Point {
	var p *Point
	var constants []*pg.A_Const
	switch n := n.Node.(type) {
	case *pg.Node_SelectStmt:
		p, constants = pointRead(n.SelectStmt)
	case *pg.Node_UpdateStmt:
		p, constants = pointUpdate(n.UpdateStmt)
	case *pg.Node_DeleteStmt:
		p, constants = pointDelete(n.DeleteStmt)
	case *pg.Node_InsertStmt:
		p, constants = pointInsert(n.InsertStmt)
	}
	if p == nil || len(p.Uses) == 0 || !areLiterals(sql, constants) {
		return nil
	}
	return p
}

// use notes what a literal or a parameter is for, and adds the literal; ok is false if n is neither.
func (p *Point) use(constants []*pg.A_Const, n *pg.Node, use Use) (_ []*pg.A_Const, ok bool) {
	if param := n.GetParamRef(); param != nil {
		use.Param = int(param.Number)
		p.Uses = append(p.Uses, use)
		return constants, true
	}
	c := literalConstant(n)
	if c == nil {
		return constants, false
	}
	p.Uses = append(p.Uses, use)
	return append(constants, c), true
}

// find adds the conditions of a WHERE; p is nil if it has others than column = constant.
func (p *Point) find(constants []*pg.A_Const, where *pg.Node) (*Point, []*pg.A_Const) {
	for _, condition := range conjunction(where) {
		e, ok := condition.GetAExpr(), false
		if e == nil || operatorOf(e) != "=" || referredColumn(e.Lexpr) == "" {
			return nil, nil
		}
		if constants, ok = p.use(constants, e.Rexpr, Use{How: Compared, Column: referredColumn(e.Lexpr)}); !ok {
			return nil, nil
		}
	}
	p.Equal = equalColumns(where)
	return p, constants
}

// operatorOf is the operator of an expression, if it stands there by its name alone.
func operatorOf(e *pg.A_Expr) string {
	if e.Kind != pg.A_Expr_Kind_AEXPR_OP || len(e.Name) != 1 {
		return ""
	}
	return e.Name[0].GetString_().GetSval()
}

// literalConstant is n if it is a number or a string.
func literalConstant(n *pg.Node) *pg.A_Const {
	switch c := n.GetAConst(); c.GetVal().(type) {
	case *pg.A_Const_Ival, *pg.A_Const_Fval, *pg.A_Const_Sval:
		return c
	}
	return nil
}

// areLiterals reports whether these constants, and no others, are the literals that Strip takes
// out, in that order.
func areLiterals(sql string, constants []*pg.A_Const) bool {
	literals, ok := new(LiteralScanner).Scan(sql)
	if !ok || len(literals) != len(constants) {
		return false
	}
	for i, l := range literals {
		if !isAt(sql, constants[i], l) {
			return false
		}
	}
	return true
}

// isAt reports whether a constant is that literal. The place of a negative number is its
// sign's. With a parameter the sign is an operator of its own, whose result is of the
// parameter's type; Literal.Type knows the exception.
func isAt(sql string, c *pg.A_Const, l Literal) bool {
	at := int(c.Location)
	if at >= l.Start || at < 0 {
		return at == l.Start
	}
	return c.GetSval() == nil && sql[at] == '-' && strings.TrimLeft(sql[at+1:l.Start], " \t\n\r\f\v") == ""
}
