package capture

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Statement is one statement of a replay, and the command tag that it has to end with.
type Statement struct {
	SQL, Tag string
}

const (
	// batchRows and batchBytes bound a statement of a replay. More rows would save
	// nothing: parsing takes as long for each.
	batchRows  = 1000
	batchBytes = 256 << 10
)

// Replay makes the statements that give a node the captured rows: what OnMain's last column
// was for each row. They are written over.
func (p *Plan) Replay(rows [][]byte) ([]Statement, error) {
	out, err := p.replay(rows)
	if err == nil && p.quiet && len(out) > 0 {
		out = hushed(out)
	}
	return out, err
}

// replay is Replay, in which triggers fire.
func (p *Plan) replay(rows [][]byte) ([]Statement, error) {
	var out []Statement
	if len(rows) == 0 {
		return nil, nil
	}
	for _, c := range p.shape.draws {
		out = append(out, p.draw(c, len(rows)))
	}
	b := batch{plan: p}
	for _, row := range rows {
		if err := b.add(row); err != nil {
			return nil, err
		}
		if b.rows >= batchRows || b.values.Len() >= batchBytes {
			out = append(out, b.takeAll()...)
		}
	}
	if b.rows > 0 {
		out = append(out, b.takeAll()...)
	}
	return out, nil
}

// draw takes as many values from the column's sequence as rows were inserted.
func (p *Plan) draw(c *catalog.Column, rows int) Statement {
	value := c.Default
	if c.Identity != 0 {
		value = "pg_catalog.nextval(" + SequenceOf(p.target.Relation, c.Name) + "::pg_catalog.regclass)"
	}
	return Statement{SQL: fmt.Sprintf("SELECT pg_catalog.count(%s) FROM pg_catalog.generate_series(1, %d)", value, rows), Tag: "SELECT 1"}
}

// SequenceOf is an expression for the name of the sequence that belongs to a column.
func SequenceOf(r parser.Relation, column string) string {
	return "pg_catalog.pg_get_serial_sequence(" + string(appendLiteral(nil, []byte(quoteRelation(r)))) + ", " + string(appendLiteral(nil, []byte(column))) + ")"
}

// batch is a statement that is being made.
type batch struct {
	plan   *Plan
	rows   int
	values bytes.Buffer
	fields []field
}

func (b *batch) add(row []byte) error {
	var err error
	b.fields, err = fields(row, b.fields[:0])
	if err != nil {
		return err
	}
	s := b.plan.shape
	if len(b.fields) != len(s.columns) {
		return errRecord
	}
	if b.rows > 0 {
		b.values.WriteString(", ")
	}
	typed := b.rows == 0 && (b.plan.target.Kind != parser.Insert || b.plan.quiet || b.plan.ruled) // INSERT knows the types
	b.values.WriteByte('(')
	for i, f := range b.fields {
		if i > 0 {
			b.values.WriteString(", ")
		}
		b.values.Write(appendValue(b.values.AvailableBuffer(), f))
		if typed {
			b.values.WriteString("::" + s.columns[i].Type)
		}
	}
	b.values.WriteByte(')')
	b.rows++
	return nil
}

// takeAll is take, with the locks on the rows that the captured ones refer to.
func (b *batch) takeAll() []Statement {
	locks := b.parentLocks()
	if b.plan.ruled && len(b.plan.shape.sets) > 0 {
		return append(b.takeApart(), locks...)
	}
	return append([]Statement{b.take()}, locks...)
}

// takeApart returns statements that put the rows where they are, and then those that are not there.
// ON CONFLICT DO UPDATE would do both, but PostgreSQL refuses it for a table with a rule for UPDATE,
// even one that does not fire (RewriteQuery in rewriteHandler.c).
func (b *batch) takeApart() []Statement {
	values := make([]string, len(b.plan.shape.columns))
	for i := range values {
		values[i] = inValues + placeName(i)
	}
	missing := b.into() + " SELECT " + strings.Join(values, ", ") + " FROM " + b.source() +
		" WHERE NOT EXISTS (SELECT FROM " + b.plan.relation() + " AS pgchorus_table WHERE " + b.match() + ")"
	out := []Statement{counted(b.update()), counted(missing)}
	b.reset()
	return out
}

// counted wraps a statement of which it is not known how many rows it changes.
func counted(sql string) Statement {
	return Statement{SQL: "WITH pgchorus_changed AS (" + sql + " RETURNING 1) SELECT pg_catalog.count(*) FROM pgchorus_changed", Tag: "SELECT 1"}
}

// take returns the statement and begins the next one.
func (b *batch) take() Statement {
	number := strconv.Itoa(b.rows)
	st := Statement{}
	switch b.plan.target.Kind {
	case parser.Insert:
		st = Statement{SQL: b.insert(), Tag: "INSERT 0 " + number}
	case parser.Update:
		st = Statement{SQL: b.update(), Tag: "UPDATE " + number}
	case parser.Select:
		st = Statement{SQL: b.lock(), Tag: "SELECT " + number}
	default:
		st = Statement{SQL: b.delete(), Tag: "DELETE " + number}
	}
	b.reset()
	return st
}

// reset begins the next statement.
func (b *batch) reset() {
	b.rows = 0
	b.values.Reset()
}

// into is the head of an INSERT.
func (b *batch) into() string {
	p := b.plan
	return "INSERT INTO " + quoteRelation(p.target.Relation) + " (" + strings.Join(p.shape.names(nil), ", ") + ") OVERRIDING SYSTEM VALUE"
}

func (b *batch) insert() string {
	s := b.plan.shape
	sql := b.into() + " VALUES " + b.values.String()
	if len(s.sets) == 0 {
		return sql
	}
	assignments := make([]string, len(s.sets))
	for i, name := range s.names(s.sets) {
		assignments[i] = name + " = excluded." + name
	}
	return sql + " ON CONFLICT (" + strings.Join(s.names(s.key), ", ") + ") DO UPDATE SET " + strings.Join(assignments, ", ")
}

// The names by which a replay speaks of the table and of the values.
const (
	inTable  = "pgchorus_table."
	inValues = "pgchorus_rows."
)

func (b *batch) update() string {
	s := b.plan.shape
	assignments := make([]string, len(s.sets))
	for i, name := range s.names(s.sets) {
		assignments[i] = name + " = " + inValues + placeName(s.sets[i])
	}
	return "UPDATE " + b.plan.relation() + " AS pgchorus_table SET " + strings.Join(assignments, ", ") + " FROM " + b.source() + " WHERE " + b.match()
}

func (b *batch) delete() string {
	return "DELETE FROM " + b.plan.relation() + " AS pgchorus_table USING " + b.source() + " WHERE " + b.match()
}

// source is the values as a table.
func (b *batch) source() string {
	names := make([]string, len(b.plan.shape.columns))
	for i := range names {
		names[i] = placeName(i)
	}
	return "(VALUES " + b.values.String() + ") AS pgchorus_rows (" + strings.Join(names, ", ") + ")"
}

func (b *batch) match() string {
	s := b.plan.shape
	conditions := make([]string, len(s.key))
	for i, name := range s.names(s.key) {
		conditions[i] = inTable + name + " = " + inValues + placeName(s.key[i])
	}
	return strings.Join(conditions, " AND ")
}

// names are those of the columns at these places, quoted; nil means all.
func (s *shape) names(places []int) []string {
	if places == nil {
		places = make([]int, len(s.columns))
		for i := range places {
			places[i] = i
		}
	}
	names := make([]string, len(places))
	for i, place := range places {
		names[i] = quoteName(s.columns[place].Name)
	}
	return names
}

func appendValue(dst []byte, f field) []byte {
	if f.null {
		return append(dst, "NULL"...)
	}
	return appendLiteral(dst, f.text)
}

// appendLiteral writes a string constant that every setting of standard_conforming_strings
// reads alike.
func appendLiteral(dst, text []byte) []byte {
	if bytes.IndexByte(text, '\\') >= 0 {
		dst = append(dst, " E"...)
	}
	dst = append(dst, '\'')
	for _, c := range text {
		if c == '\'' || c == '\\' {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}
