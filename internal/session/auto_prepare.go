package session

import (
	"slices"
	"strconv"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// Reading one row by its key costs a server less than to parse and plan the text that asks for
// it. So with auto_prepare such a text goes to the node as Bind and Execute of a statement that
// we have prepared there, its constants as parameters. The frontend must not notice: only
// SELECTs whose parameters mean what their constants do (parser.PointRead) and that find one
// row at most, however they are planned; only outside of blocks, so that after any error
// the text itself can be sent instead, whose error the frontend is given.

// autoSlots is how many statements of ours a node has of a session, at most; a power of 2.
const autoSlots = 64

// autoPrepare is what a session knows of the shapes of its reads, each at a place that its
// facts' address decides. A shape that comes to another's place takes it.
type autoPrepare struct {
	shapes  [autoSlots]autoShape
	scanner parser.LiteralScanner
	// literals are those of the text at hand.
	literals []parser.Literal
}

// autoShape is a shape, and whether it is prepared: when it comes for the second time.
type autoShape struct {
	stmt       *parser.Statement
	generation uint64 // of the catalogue
	judged     bool
	statement  *autoStatement // nil: it is not to be
}

// autoStatement is a statement of ours. It does not change.
type autoStatement struct {
	slot  int
	text  string
	types []uint32
}

// unsureAuto stands for one that the node has or has not.
var unsureAuto = &autoStatement{}

// name is by what the nodes know it.
func (a *autoStatement) name() string { return autoNames[a.slot] }

// same reports whether another session on the same connection, or this one before the catalogue
// has changed, has made the same statement.
func (a *autoStatement) same(b *autoStatement) bool {
	return b != nil && a.slot == b.slot && a.text == b.text && slices.Equal(a.types, b.types)
}

var autoNames = func() (names [autoSlots]string) {
	for i := range names {
		names[i] = "pgchorus_auto_" + strconv.Itoa(i)
	}
	return names
}()

// autoFor is the statement of ours by which a text can be run; nil for none.
func (s *Session) autoFor(stmt *parser.Statement, sql string) *autoStatement {
	if stmt.Point == nil || !s.config().Replication.AutoPrepare || !s.mayAuto() {
		return nil
	}
	if s.auto == nil {
		s.auto = &autoPrepare{}
	}
	shape := s.auto.place(stmt)
	generation := s.Catalog.Database(s.login.Database).Generation()
	switch {
	case shape.stmt != stmt || shape.generation != generation:
		*shape = autoShape{stmt: stmt, generation: generation}
		return nil
	case !shape.judged:
		shape.judged = true
		shape.statement = s.newAuto(stmt, sql)
	}
	if shape.statement == nil || !s.auto.fits(shape.statement, sql) {
		return nil
	}
	return shape.statement
}

// mayAuto: after an error the text can be sent, and the tables are those that the catalogue
// knows, not temporary ones of their names.
func (s *Session) mayAuto() bool {
	return s.tx.kind == txNone && !s.isolates() && !s.settings.temporary
}

func (p *autoPrepare) place(stmt *parser.Statement) *autoShape {
	return &p.shapes[p.slot(stmt)]
}

func (p *autoPrepare) slot(stmt *parser.Statement) int {
	return int(uintptr(shapeOf(stmt)) >> 6 % autoSlots)
}

// newAuto is nil for what may find several rows.
func (s *Session) newAuto(stmt *parser.Statement, sql string) *autoStatement {
	literals, ok := s.auto.scanner.Scan(sql)
	if !ok || !s.findsOneRow(stmt.Point) {
		return nil
	}
	a := &autoStatement{slot: s.auto.slot(stmt), text: parser.WithParameters(sql, literals)}
	for _, l := range literals {
		oid, ok := l.Type(sql)
		if !ok {
			return nil
		}
		a.types = append(a.types, oid)
	}
	return a
}

// findsOneRow reports whether a unique key is among the columns that a read gives values for.
func (s *Session) findsOneRow(read *parser.PointRead) bool {
	f := s.planFacts()
	t, known := f.table(read.Relation)
	for i := 0; !known && i < maxPlans && s.learn(f); i++ {
		f.missing, f.ambiguous = catalog.Question{}, nil
		t, known = f.table(read.Relation)
	}
	return known && t.Exists && !t.View && (!t.Children || read.Only) && slices.ContainsFunc(t.Keys, func(key []string) bool {
		return len(key) > 0 && !slices.ContainsFunc(key, func(column string) bool { return !slices.Contains(read.Equal, column) })
	})
}

// fits reports whether the literals of a text have the types of the statement's parameters,
// and keeps them.
func (p *autoPrepare) fits(a *autoStatement, sql string) bool {
	var ok bool
	if p.literals, ok = p.scanner.Scan(sql); !ok || len(p.literals) != len(a.types) {
		return false
	}
	for i, l := range p.literals {
		if oid, ok := l.Type(sql); !ok || oid != a.types[i] {
			return false
		}
	}
	return true
}

// appendAuto encodes the statement's execution, and gives the node the statement if it lacks
// it.
func (l *link) appendAuto(w *queryWork) {
	a, literals := w.auto, l.s.auto.literals
	hidden := func(what wire.ExpectKind) wire.Expect { return wire.Expect{What: what, Hide: true} }
	if l.autos == nil {
		l.autos = make([]*autoStatement, autoSlots)
	}
	had := l.autos[a.slot]
	l.autos[a.slot] = a
	if had != a && !a.same(had) {
		l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', a.name()) }) // that of another shape
		l.append(hidden(wire.ExpectParse), func(b []byte) []byte { return wire.AppendParse(b, a.name(), a.text, a.types) })
	}
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte {
		return wire.AppendBindTexts(b, a.name(), len(literals), func(i int) string { return literals[i].Value(w.sql) })
	})
	l.append(wire.Expect{What: wire.ExpectDescribePortal}, func(b []byte) []byte { return wire.AppendDescribe(b, 'P', "") })
	l.append(wire.Expect{What: wire.ExpectExecute}, func(b []byte) []byte { return wire.AppendExecute(b, "") })
	l.unsynced = true
	l.appendSync()
}

// appendNoAutos closes the statements of ours on a node, before somebody looks at its list.
func (l *link) appendNoAutos() {
	for slot, a := range l.autos {
		if a != nil {
			l.autos[slot] = nil
			l.append(wire.Expect{What: wire.ExpectClose, Hide: true}, func(b []byte) []byte { return wire.AppendClose(b, 'S', autoNames[slot]) })
			l.unsynced = true
		}
	}
}

// runsAsText reports whether the text is to be run instead of a statement of ours, which has
// failed: the frontend is to be told of the text's error, if that has one. What has ended the
// statement from outside has nothing to do with how it was sent.
func (s *Session) runsAsText(l *link, answer *wire.Answer, mark wire.Mark) bool {
	w, is := s.work.(*queryWork)
	if !is || w.auto == nil || !answer.Failed() {
		return false
	}
	l.autos[w.auto.slot] = unsureAuto
	shape := &s.auto.shapes[w.auto.slot]
	shape.statement = nil
	switch pgerr.Code(answer.Code()) {
	case pgerr.FeatureNotSupported:
		shape.judged = false // the table has other columns now (PostgreSQL, RevalidateCachedQuery)
	case pgerr.QueryCanceled, pgerr.AdminShutdown, pgerr.SerializationFailure, pgerr.DeadlockDetected:
		return false
	}
	w.auto = nil
	return s.takeBack(mark)
}
