package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// Pin is a column of a Target that the WHERE of UPDATE or DELETE demands to equal a number or
// string that stands in the text, or a parameter. One of Literal and Param says where the value is.
type Pin struct {
	Column string
	// Literal is the place, from 1 on, among what LiteralScanner finds; 0 for a parameter.
	Literal int
	// Param is n of $n; 0 for a literal. It stands nowhere else in the text.
	Param int
}

// pin notes the pins of a lone UPDATE or DELETE.
func pin(sql string, st *Statement, n *pg.Node) {
	where := n.GetUpdateStmt().GetWhereClause()
	if n.GetDeleteStmt() != nil {
		where = n.GetDeleteStmt().WhereClause
	}
	if where == nil || len(st.Targets) != 1 || len(st.Targets[0].Equal) == 0 {
		return
	}
	literals, ok := new(LiteralScanner).Scan(sql)
	if !ok {
		return
	}
	for _, condition := range conjunction(where) {
		if p, ok := pinOf(sql, condition, literals); ok {
			st.Targets[0].Pins = append(st.Targets[0].Pins, p)
		}
	}
}

// pinOf is what column = value demands; false for another condition, and another value.
func pinOf(sql string, condition *pg.Node, literals []Literal) (p Pin, ok bool) {
	e := condition.GetAExpr()
	if e == nil || e.Kind != pg.A_Expr_Kind_AEXPR_OP || len(e.Name) != 1 || e.Name[0].GetString_().GetSval() != "=" {
		return Pin{}, false
	}
	if p.Column = referredColumn(e.Lexpr); p.Column == "" {
		return Pin{}, false
	}
	if param := e.Rexpr.GetParamRef(); param != nil {
		p.Param = int(param.Number)
		return p, p.Param > 0 && timesNamed(sql, p.Param) == 1
	}
	constant := e.Rexpr.GetAConst()
	switch constant.GetVal().(type) {
	case *pg.A_Const_Ival, *pg.A_Const_Fval, *pg.A_Const_Sval:
	default:
		return Pin{}, false
	}
	for i, l := range literals {
		if l.Start == int(constant.Location) {
			p.Literal = i + 1
		}
	}
	return p, p.Literal > 0
}

// timesNamed is how often $n stands in a text, in comments and strings too.
func timesNamed(sql string, n int) int {
	times := 0
	for rest := sql; ; {
		at := strings.IndexByte(rest, '$')
		if at < 0 {
			return times
		}
		rest = rest[at+1:]
		digits, number := 0, 0
		for digits < len(rest) && classes[rest[digits]] == digit && number < 1<<16 {
			number = number*10 + int(rest[digits]-'0')
			digits++
		}
		if digits > 0 && number == n {
			times++
		}
	}
}
