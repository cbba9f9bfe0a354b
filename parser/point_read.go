package parser

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// PointRead is a SELECT of columns of one relation whose WHERE demands of some columns that
// each equals one constant, and nothing else; the constants are all that it has. With a unique
// key among the columns it is one row at most, however the server looks for it. So it means
// the same with parameters in the place of its constants.
type PointRead struct {
	Relation Relation
	Only     bool     // it leaves out tables that inherit from Relation
	Equal    []string // as Target.Equal
}

// pointRead is nil for what is not as simple as that.
func pointRead(sql string, n *pg.SelectStmt) *PointRead {
	table := onlyTable(n)
	if table == nil || !onlyColumns(n.TargetList) {
		return nil
	}
	var places []int32
	for _, condition := range conjunction(n.WhereClause) {
		constant := comparedConstant(condition)
		if constant == nil {
			return nil
		}
		places = append(places, constant.Location)
	}
	if !areLiterals(sql, places) {
		return nil
	}
	return &PointRead{Relation: relationOf(table), Only: !table.Inh, Equal: equalColumns(n.WhereClause)}
}

// onlyTable is the relation of a SELECT with a list, FROM and WHERE, and no other part.
func onlyTable(n *pg.SelectStmt) *pg.RangeVar {
	if n == nil || n.Op != pg.SetOperation_SETOP_NONE || len(n.FromClause) != 1 || n.WhereClause == nil {
		return nil
	}
	parts := len(n.DistinctClause) + len(n.GroupClause) + len(n.WindowClause) + len(n.ValuesLists) + len(n.SortClause) + len(n.LockingClause)
	if parts > 0 || n.IntoClause != nil || n.HavingClause != nil || n.LimitOffset != nil || n.LimitCount != nil || n.WithClause != nil {
		return nil
	}
	return n.FromClause[0].GetRangeVar()
}

func onlyColumns(list []*pg.Node) bool {
	for _, target := range list {
		if target.GetResTarget().GetVal().GetColumnRef() == nil {
			return false
		}
	}
	return len(list) > 0
}

// comparedConstant is the number or string in column = constant; nil for another condition.
func comparedConstant(n *pg.Node) *pg.A_Const {
	e := n.GetAExpr()
	if e == nil || e.Kind != pg.A_Expr_Kind_AEXPR_OP || len(e.Name) != 1 || e.Name[0].GetString_().GetSval() != "=" || referredColumn(e.Lexpr) == "" {
		return nil
	}
	switch c := e.Rexpr.GetAConst(); c.GetVal().(type) {
	case *pg.A_Const_Ival, *pg.A_Const_Fval, *pg.A_Const_Sval:
		return c
	}
	return nil
}

// areLiterals reports whether these places, and no others, are those of the literals that Strip
// takes out. That of a negative number is its sign's.
func areLiterals(sql string, places []int32) bool {
	literals, ok := new(LiteralScanner).Scan(sql)
	if !ok || len(literals) != len(places) {
		return false
	}
	for i, l := range literals {
		if int(places[i]) != l.Start {
			return false
		}
	}
	return true
}

// Literal is a plain string or a number within a text.
type Literal struct{ Start, End int }

// LiteralScanner finds the literals of one text after the other, in the same memory. The zero
// value is ready. Not safe for concurrent use.
type LiteralScanner struct {
	key      []byte
	cuts     []cut
	literals []Literal
}

// Scan returns what Strip takes out of sql, in order, but for comments. It is valid until the
// next Scan. ok is false if Strip gives up.
func (s *LiteralScanner) Scan(sql string) (_ []Literal, ok bool) {
	s.cuts, s.literals = s.cuts[:0], s.literals[:0]
	if s.key, ok = strip(s.key[:0], sql, &s.cuts); !ok {
		return nil, false
	}
	for _, c := range s.cuts {
		if c.start < c.end && sql[c.start] != '-' && sql[c.start] != '/' {
			s.literals = append(s.literals, Literal{c.start, c.end})
		}
	}
	return s.literals, true
}

// The types that a constant without a cast has (PostgreSQL, make_const).
const (
	Int4        uint32 = 23
	Int8        uint32 = 20
	Unspecified uint32 = 0 // a string: what stands around it decides
)

// maxInt8Digits is how many digits certainly fit int8.
const maxInt8Digits = 18

// Type is the type of a parameter in the place of the literal; false for one that none is to
// stand for: a number with a point or of many digits, a string with a quote in it.
func (l Literal) Type(sql string) (oid uint32, ok bool) {
	text := sql[l.Start:l.End]
	if text[0] == '\'' {
		for i := 1; i < len(text)-1; i++ {
			if text[i] == '\'' {
				return 0, false
			}
		}
		return Unspecified, true
	}
	for i := range len(text) {
		if classes[text[i]] != digit {
			return 0, false
		}
	}
	if integerMark(text) == markInteger {
		return Int4, true
	}
	return Int8, len(text) <= maxInt8Digits
}

// Value is the literal as a parameter in text.
func (l Literal) Value(sql string) string {
	if sql[l.Start] == '\'' {
		return sql[l.Start+1 : l.End-1]
	}
	return sql[l.Start:l.End]
}

// WithParameters is sql with parameters in the place of its literals. A blank behind each keeps
// it from running into a word.
func WithParameters(sql string, literals []Literal) string {
	var out []byte
	at := 0
	for i, l := range literals {
		out = append(append(out, sql[at:l.Start]...), '$')
		out = append(strconv.AppendInt(out, int64(i)+1, 10), ' ')
		at = l.End
	}
	return string(append(out, sql[at:]...))
}
