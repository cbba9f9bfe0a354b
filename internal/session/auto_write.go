package session

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// A write that is sent as a statement of ours is run by all nodes alike, main first. If the
// text has to be run instead, the others have heard of nothing, and main's part, in which
// there is nothing else, is rolled back.

// autoBegin is the BEGIN in front of a statement of ours, at the place behind those of the shapes.
// As a part of the same extended query it costs no answer of its own.
var autoBegin = &autoStatement{slot: autoSlots, text: plainBegin}

// decideAuto has w be run on all nodes as a statement of ours, if there is one and nothing else is to be
// done for it. decided is false if it is to be decided in the way of other statements.
func (s *Session) decideAuto(ctx context.Context, w *queryWork) (decided bool, err error) {
	a := s.autoFor(w.stmt, w.text)
	if a == nil || w.sql != w.text || !s.fillsAlike(a, w) || len(s.drawsUnseen(w.stmt)) > 0 || s.careFor(w.stmt, w.text, w.sql, false) != nil {
		return false, nil
	}
	if a.plan != nil {
		w.values, err = s.valuesOf(ctx, a.plan, w.stmt)
		switch {
		case errors.Is(err, errNoRight), errors.Is(err, errNoSequence):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	s.care, s.unlike = nil, nil
	w.auto, w.plan, w.planned = a, a.plan, cmp.Or(a.planned, w.sql)
	return true, nil
}

// fillAuto has a statement of ours be given what nodes would compute for themselves. ok is false if that is more
// than values which are made here.
func (s *Session) fillAuto(a *autoStatement, stmt *parser.Statement, sql string, literals []parser.Literal) (ok bool) {
	if stmt.Kind != parser.Insert {
		return true // of constants and columns, there is nothing
	}
	plan := s.planOf(stmt, sql, parser.PlanOptions{})
	if plan == nil {
		return len(s.unlike) == 0
	}
	filled, ok := plan.Params(len(literals) + 1)
	a.plan, a.planned, a.slots, a.text = plan, sql, filled.Slots, filled.WithParameters(literals)
	return ok && plan.Made() && filled.ASCII()
}

// fillsAlike reports whether the values are still those that are wanted. Where facts are forgotten by their age, that is
// asked each time.
func (s *Session) fillsAlike(a *autoStatement, w *queryWork) bool {
	switch {
	case s.Catalog.Database(s.login.Database).Ages():
		return a.plan == nil && s.planOf(w.stmt, w.sql, parser.PlanOptions{}) == nil && len(s.unlike) == 0
	case a.plan == nil:
		return true
	}
	return !s.settings.seeded && s.leasesSequences(w.stmt)
}

// fillText puts the values that were parameters of a statement of ours into the text, which is to be run instead: a
// sequence is drawn from once for both. If the catalogue wants others by now, they are made anew.
func (s *Session) fillText(ctx context.Context, w *queryWork) (err error) {
	values := w.values
	if values == nil {
		return nil
	}
	plan := s.planOf(w.stmt, w.text, parser.PlanOptions{})
	if plan == nil || !reflect.DeepEqual(plan.Slots, w.plan.Slots) {
		plan, values, err = s.planAndValues(ctx, w.stmt, w.text)
	}
	if err = cmp.Or(err, s.disturbed(ctx)); err != nil {
		return err
	}
	w.values, w.planned = nil, w.text
	s.splice(w, plan, values)
	return nil
}

// appendAutoBegin opens the implicit transaction; there is no other one around a statement of ours.
func (l *link) appendAutoBegin() {
	l.appendAutoParse(autoBegin)
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte { return wire.AppendBindPlain(b, "", autoBegin.name()) })
	l.append(hidden(wire.ExpectExecute), func(b []byte) []byte { return wire.AppendExecute(b, "") })
}

// wantsText is Session.wantsText for work on all nodes.
func (a *attempt) wantsText(out *replicator.Outcome) bool {
	w := a.s.autoWork()
	return w != nil && out.Answer != nil && a.s.terminated == nil && len(out.Differ) == 0 && a.s.wantsText(w, out.Answer)
}

// asText has the text run instead of a statement of ours.
func (a *attempt) asText(ctx context.Context, out *replicator.Outcome) (again, ok bool, err error) {
	s := a.s
	switch {
	case s.running.wasCancelled():
		return a.refuse(errCancelled())
	case !s.runsAsText(out.Answer, a.mark):
		return false, false, s.gone
	}
	s.noteLosses(ctx, out, false)
	a.repeats-- // it has not been tried yet
	return a.startAsText(ctx)
}

// startAsText takes back what the nodes have done, and has the text be run from then on.
func (a *attempt) startAsText(ctx context.Context) (again, ok bool, err error) {
	s := a.s
	w, is := s.work.(*queryWork)
	if is {
		w.auto = nil
	}
	if s.tx.kind != txExplicit { // of a block there is nothing to be taken back: there was no row
		if err := s.startOver(ctx); err != nil {
			return false, false, err
		}
	}
	if is {
		if err := s.fillText(ctx, w); err != nil {
			ok, err = s.refuseOrEnd(err)
			return false, ok, err
		}
	}
	return true, false, nil
}

// isPlainTable reports whether nobody but the statement itself changes rows when it changes the
// table's: what triggers and rules are shown as the session's statement would have parameters.
func isPlainTable(p *parser.Point, t *catalog.Table) bool {
	e := &t.Effects
	return t.Schema != "pg_catalog" && !e.Triggers && !e.Rules && !e.RowSecurity && !e.Foreign && (!e.Cascades || p.Kind == parser.Insert)
}

// givesAll reports whether an INSERT, with the values of a plan, leaves no column to a default that is another value
// each time: a second attempt would draw from a sequence again.
func givesAll(stmt *parser.Statement, t *catalog.Table, plan *parser.Plan) bool {
	target := &stmt.Targets[0]
	for i := range t.Columns {
		c, cell := &t.Columns[i], i
		if target.Columns != nil {
			cell = slices.Index(target.Columns, c.Name)
		}
		given := cell >= 0 && cell < target.Cells && !slices.Contains(stmt.Point.Defaults, cell)
		if !given && c.Volatile && !plan.Gives(c.Name) {
			return false
		}
	}
	return true
}

// doubts are why a parameter may not be the same as the constant in its place.
type doubts uint8

const (
	// failsUnasked: the constant may fail, or find a row, where the parameter finds none. So the text
	// itself has to say that there is none.
	failsUnasked doubts = 1 << iota
	// meansElse: no parameter is to stand for it.
	meansElse
)

// doubtsOf are those about a parameter of this type. A conversion of a constant is done when the
// statement is planned, one of a parameter when there is a row.
func doubtsOf(u parser.Use, oid uint32, t *catalog.Table) doubts {
	typ := typeOf(u, t)
	if oid == parser.Unspecified {
		return doubtsOfString(u, typ)
	}
	known := false
	switch u.How {
	case parser.Operand:
		known = oid != parser.Int8 // which may be made an oid
	case parser.Compared:
		known = isNumber(typ)
	case parser.Assigned:
		known = takesAll(typ, oid)
	}
	if known {
		return 0
	}
	return failsUnasked
}

// doubtsOfString are those about a string, which the server converts to the type that a column
// had when the statement was prepared. If the column has another type by now, of which nobody may
// have told us, a date would lose the hour that the text gives it. So a string is a parameter only
// where every type that the column could have either takes the same or refuses the
// parameter's. That a column of text has become one whose comparisons are wider (citext) shows in that
// no row is found. Intervals would not even do with the type of today: a constant is read with
// the fields that the column has (PostgreSQL, coerce_type).
func doubtsOfString(u parser.Use, typ string) doubts {
	switch {
	case u.How == parser.Assigned && typ == "text", u.How == parser.Compared && !isText(typ) && meetsItselfOnly(typ):
		return 0
	case u.How != parser.Operand && isText(typ):
		return failsUnasked // a text may be too long, too
	}
	return meansElse
}

func isText(typ string) bool { return typ == "text" || typ == "character varying" }

// meetsItselfOnly reports whether a value of a type can be compared with another type's only if
// its text means the same to both.
func meetsItselfOnly(typ string) bool {
	switch typ {
	case "uuid", "boolean", "bytea", "jsonb", "smallint", "integer", "bigint":
		return true
	}
	return false
}

// typeOf is the type of the column that a literal is used for; "" if it is for none.
func typeOf(u parser.Use, t *catalog.Table) string {
	if u.Column == "" {
		if u.How == parser.Assigned && u.Place < len(t.Columns) {
			return t.Columns[u.Place].Type
		}
		return ""
	}
	i := slices.IndexFunc(t.Columns, func(c catalog.Column) bool { return c.Name == u.Column })
	if i < 0 {
		return ""
	}
	return t.Columns[i].Type
}

func isNumber(typ string) bool {
	return typ == "numeric" || typ == "smallint" || takesAll(typ, parser.Int4)
}

// takesAll reports whether a column of a type can be given every number of a parameter.
func takesAll(typ string, oid uint32) bool {
	switch typ {
	case "double precision":
		return true
	case "real", "bigint":
		return oid != parser.Numeric
	case "integer":
		return oid == parser.Int4
	}
	return false
}
