package parser

import (
	"strings"
	"time"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// Added is a column that ALTER TABLE gives to rows that are there already: added with a
// default, or changed to another type by an expression.
type Added struct {
	Column string
	// Time: the default asks for the transaction's time, and for nothing else that nodes
	// compute differently. SpliceAdded gives all nodes one.
	Time bool
	// Differs is what nodes would compute differently for these rows, such as
	// "calls random()", or "".
	Differs string
	// Stored: what differs becomes a part of the default itself, such as the time that a
	// constant 'now' is read at.
	Stored bool
	// IfMissing: only if there is no column of that name yet.
	IfMissing bool
	// Functions are those that only the catalogue knows.
	Functions []Function

	value string // the default as it is to be from then on
	calls []TimeCall
}

// alterTable looks at the columns that ALTER TABLE adds and at the types that it changes.
func (w *walker) alterTable(n *pg.AlterTableStmt) {
	for _, cmd := range n.Cmds {
		c := cmd.GetAlterTableCmd()
		column := c.GetDef().GetColumnDef()
		switch {
		case column == nil:
		case c.Subtype == pg.AlterTableType_AT_AddColumn:
			before := len(w.st.Added)
			w.addColumn(column)
			for i := range w.st.Added[before:] {
				w.st.Added[before+i].IfMissing = c.MissingOk
			}
		case c.Subtype == pg.AlterTableType_AT_AlterColumnType && column.RawDefault != nil:
			if a := w.added(c.Name, column.RawDefault); a.Differs != "" || a.Time || len(a.Functions) > 0 {
				if a.Time {
					a.Time, a.Differs = false, "asks for the time"
				}
				w.st.Added = append(w.st.Added, a)
			}
		}
	}
}

func (w *walker) addColumn(column *pg.ColumnDef) {
	if names := column.GetTypeName().GetNames(); len(names) > 0 && isSerial(names[len(names)-1].GetString_().GetSval()) {
		w.st.Added = append(w.st.Added, Added{Column: column.Colname, Differs: numbersRows})
	}
	for _, constraint := range column.Constraints {
		c := constraint.GetConstraint()
		switch c.GetContype() {
		case pg.ConstrType_CONSTR_IDENTITY:
			w.st.Added = append(w.st.Added, Added{Column: column.Colname, Differs: numbersRows})
		case pg.ConstrType_CONSTR_DEFAULT:
			if a := w.added(column.Colname, c.RawExpr); a.Differs != "" || a.Time || len(a.Functions) > 0 {
				w.st.Added = append(w.st.Added, a)
			}
		}
	}
}

const numbersRows = "numbers the rows in the order that they have on disk"

func isSerial(name string) bool {
	switch name {
	case "serial", "bigserial", "smallserial", "serial2", "serial4", "serial8":
		return true
	}
	return false
}

// added says what an expression computes.
func (w *walker) added(column string, expression *pg.Node) Added {
	var st Statement
	sub := walker{builder: w.builder, st: &st}
	sub.walk(expression.ProtoReflect())
	a := Added{Column: column, calls: sub.timeCalls()}
	for _, f := range st.Functions {
		switch f.Class {
		case Random, NodeLocal, Writer:
			a.Differs = "calls " + f.String() + "()"
		case Sequence:
			a.Differs = numbersRows
		case UnknownFunction:
			a.Functions = append(a.Functions, f)
		case Clock:
			if f.Name == "clock_timestamp" || f.Name == "timeofday" || f.Name == "age" {
				a.Differs = "calls " + f.String() + "()"
			}
		}
	}
	for _, c := range a.calls {
		if a.Time = true; !c.Spliceable() || c.Constant {
			a.Differs, a.Stored = "has a time that only the server can read", c.Constant || c.Kind == TimeString
		}
	}
	if a.Time && a.Differs == "" {
		a.value, a.Time = deparsed(expression)
		if !a.Time {
			a.Differs = "asks for the time"
		}
	}
	a.Time = a.Time && a.Differs == ""
	return a
}

// deparsed writes an expression as SQL.
func deparsed(expression *pg.Node) (text string, ok bool) {
	query := &pg.SelectStmt{TargetList: []*pg.Node{pg.MakeResTargetNodeWithVal(expression, -1)}}
	sql, err := pg.Deparse(&pg.ParseResult{Stmts: []*pg.RawStmt{{Stmt: &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: query}}}}})
	return strings.TrimPrefix(sql, defaultPrefix), err == nil && strings.HasPrefix(sql, defaultPrefix)
}

// SpliceAdded gives the rows that an ALTER TABLE finds one time on all nodes: the columns
// that it adds get it as their default, and behind that the one that was asked for. sql is
// the statement's own text. exists is asked about columns that are added if they are missing.
func (s *Statement) SpliceAdded(sql string, at time.Time, exists func(column string) bool) string {
	instant := quoted(timeText(at))
	var b, behind strings.Builder
	done := 0
	for i := range s.Added {
		a := &s.Added[i]
		if !a.Time || a.IfMissing && exists(a.Column) {
			continue
		}
		for _, c := range a.calls {
			start, end := c.Start-s.Start, c.End-s.Start
			if start < done || end > len(sql) {
				return sql
			}
			b.WriteString(sql[done:start])
			writeInstant(&b, c, instant)
			done = end
		}
		behind.WriteString(", ALTER COLUMN " + quotedName(a.Column) + " SET DEFAULT " + a.value)
	}
	if done == 0 {
		return sql
	}
	rest := trimStatement(sql[done:])
	return b.String() + rest + "\n" + behind.String()
}
