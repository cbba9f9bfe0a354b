package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// layout has the places in the text where values for a Target's columns can be put.
// They are chosen so that none of them is in a literal or a comment.
type layout struct {
	// list is where the column list goes on, its closing bracket; 0 without a list.
	list int
	// rest is where that begins which follows the relation and its column list.
	rest     int
	override override
	// defaultValues is where the words DEFAULT VALUES begin, and after them ends;
	// both 0 for VALUES.
	defaultValues, after int
	rows                 []int // the closing bracket of each row
	cells                []defaultCell
	sets                 []setCell
}

// defaultCell is a cell of VALUES that says DEFAULT.
type defaultCell struct {
	row, column int // counted from 0; the column in the order of the cells
	start       int
}

// setCell is an assignment of DEFAULT.
type setCell struct {
	column string
	start  int
	times  evaluation
}

// defaultLength is that of the word DEFAULT.
const defaultLength = len("default")

// setCells finds the assignments of DEFAULT. One to a part of a column is an error that
// the server shall tell.
func setCells(targets []*pg.Node, times evaluation) []setCell {
	var cells []setCell
	for _, t := range targets {
		target := t.GetResTarget()
		if target == nil || len(target.Indirection) > 0 {
			continue
		}
		value := target.Val
		if ref := value.GetMultiAssignRef(); ref != nil {
			value = rowElement(ref)
		}
		if d := value.GetSetToDefault(); d != nil {
			cells = append(cells, setCell{column: target.Name, start: int(d.Location), times: times})
		}
	}
	return cells
}

// rowElement is what (a, b) = (x, y) gives one of the columns.
func rowElement(ref *pg.MultiAssignRef) *pg.Node {
	args := ref.Source.GetRowExpr().GetArgs()
	if i := int(ref.Colno) - 1; i >= 0 && i < len(args) {
		return args[i]
	}
	return nil
}

// insertLayout finds the places of an INSERT with VALUES. What the scanner finds has to
// agree with the tree.
func (w *walker) insertLayout(n *pg.InsertStmt) (l layout, ok bool) {
	s := scanner{sql: w.sql, pos: int(n.Relation.Location)}
	if !s.relation() {
		return l, false
	}
	if len(n.Cols) > 0 {
		if l.list, ok = s.brackets(); !ok {
			return l, false
		}
	}
	l.rest = s.peek().start
	if n.SelectStmt == nil {
		return s.defaultValues(l)
	}
	if !s.toValues() {
		return l, false
	}
	lists := n.SelectStmt.GetSelectStmt().ValuesLists
	l.rows = make([]int, 0, len(lists))
	for i, list := range lists {
		end, ok := s.row(i > 0)
		if !ok {
			return l, false
		}
		l.rows = append(l.rows, end)
		l.cells = appendDefaultCells(l.cells, i, list.GetList().GetItems())
	}
	return l, true
}

func appendDefaultCells(cells []defaultCell, row int, items []*pg.Node) []defaultCell {
	for column, item := range items {
		if d := item.GetSetToDefault(); d != nil {
			cells = append(cells, defaultCell{row: row, column: column, start: int(d.Location)})
		}
	}
	return cells
}

// relation reads a name, with schemas before it and an alias behind.
func (s *scanner) relation() bool {
	if !s.name() {
		return false
	}
	for s.peek().kind == '.' {
		s.next()
		if !s.name() {
			return false
		}
	}
	if s.isWord("as") {
		s.next()
		return s.name()
	}
	return true
}

func (s *scanner) name() bool {
	t := s.next()
	return t.kind == wordToken || t.kind == nameToken
}

func (s *scanner) isWord(word string) bool {
	t := s.peek()
	return t.kind == wordToken && strings.EqualFold(s.sql[t.start:t.end], word)
}

// brackets reads from an opening bracket to the one that closes it, and returns where
// that is.
func (s *scanner) brackets() (end int, ok bool) {
	if s.peek().kind != '(' {
		return 0, false
	}
	depth := 0
	for {
		t := s.next()
		switch t.kind {
		case '(':
			depth++
		case ')':
			depth--
			if depth == 0 {
				return t.start, true
			}
		case endToken:
			return 0, false
		}
	}
}

func (s *scanner) defaultValues(l layout) (layout, bool) {
	if !s.isWord("default") {
		return l, false
	}
	l.defaultValues = s.next().start
	if !s.isWord("values") {
		return l, false
	}
	l.after = s.next().end
	return l, true
}

// toValues reads up to VALUES: OVERRIDING and brackets around the whole list.
func (s *scanner) toValues() bool {
	for {
		t := s.next()
		switch {
		case t.kind == '(':
		case t.kind != wordToken:
			return false
		case strings.EqualFold(s.sql[t.start:t.end], "values"):
			return true
		}
	}
}

// row reads a row, with the comma before it unless it is the first.
func (s *scanner) row(comma bool) (end int, ok bool) {
	if comma && s.next().kind != ',' {
		return 0, false
	}
	return s.brackets()
}
