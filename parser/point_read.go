package parser

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// pointRead is the Point of a SELECT; nil for what is not as simple as that.
func pointRead(n *pg.SelectStmt) (*Point, []*pg.A_Const) {
	table := onlyTable(n)
	if table == nil || !onlyColumns(n.TargetList) {
		return nil, nil
	}
	p := &Point{Kind: Select, Relation: relationOf(table), Only: !table.Inh}
	return p.find(nil, n.WhereClause)
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
	Numeric     uint32 = 1700
	Unspecified uint32 = 0 // a string: what stands around it decides
)

// maxInt8Digits is how many digits certainly fit int8.
const maxInt8Digits = 18

// maxNumericDigits is a length of numbers that double precision has room for.
const maxNumericDigits = 100

// smallestInt4 is, without its sign, the one integer that is of another type with its sign: the
// grammar makes one constant of both, which fits int4 (PostgreSQL, make_const).
const smallestInt4 = "2147483648"

// Type is the type of a parameter in the place of the literal; false for one that none is to
// stand for: a number with an exponent or of many digits, a string with a quote in it or a blank
// at its end, which some types of text drop and others do not.
func (l Literal) Type(sql string) (oid uint32, ok bool) {
	text := sql[l.Start:l.End]
	if text[0] == '\'' {
		value := text[1 : len(text)-1]
		return Unspecified, strings.IndexByte(value, '\'') < 0 && !strings.HasSuffix(value, " ")
	}
	points := 0
	for i := range len(text) {
		switch {
		case text[i] == '.':
			points++
		case classes[text[i]] != digit:
			return 0, false
		}
	}
	switch {
	case points > 0:
		return Numeric, len(text) <= maxNumericDigits
	case integerMark(text) == markInteger:
		return Int4, true
	}
	return Int8, len(text) <= maxInt8Digits && strings.TrimLeft(text, "0") != smallestInt4
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
