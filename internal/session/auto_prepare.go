package session

import (
	"slices"
	"strconv"
	"unsafe"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// Reading or writing one row by its key costs a server less than to parse and plan the text that
// asks for it. So with auto_prepare such a text goes to the node as Bind and Execute of a statement
// that we have prepared there, its constants as parameters. The frontend must not notice: only
// statements whose parameters mean what their constants do (parser.Point) and that are about
// one row at most, however they are planned. Outside of blocks the text itself is sent after any error,
// whose error the frontend is given. What is different for writes is in auto_write.go, and for blocks,
// where nothing can be sent behind an error, in auto_block.go.

// autoSlots is how many statements of ours a node has of a session, at most.
const autoSlots = memoShapes

// autoPrepare is what a session knows of the shapes of its reads and writes (shapePlace).
type autoPrepare struct {
	shapes  [autoSlots]autoShape
	scanner parser.LiteralScanner
	// literals are those of the text at hand, and tried is its shape; nil if the text is none that could be prepared.
	literals []parser.Literal
	tried    *autoShape
}

// autoShape is a shape, and whether it is prepared: when it comes for the second time.
type autoShape struct {
	of         unsafe.Pointer // shapeOf
	generation uint64         // of the catalogue
	judged     bool
	statement  *autoStatement // nil: it is not to be
	// proven: a text of parameters of these types has been run.
	proven bool
	// parsed is the statement of the last Parse of that shape; unparsed: it is to be parsed each time.
	parsed   *prepared
	unparsed bool
	// runs is how often it was run so, and vain, how often the text had to be run after all.
	runs, vain uint32
}

// maxVain is how often a text may be run behind a statement of ours before it counts whether that
// is worth while.
const maxVain = 16

// giveUp notes that the text had to be run because of this error, or without one because there
// was no row.
func (sh *autoShape) giveUp(code string) {
	sh.vain++
	switch {
	case code == string(pgerr.FeatureNotSupported): // the table has other columns now (PostgreSQL, RevalidateCachedQuery)
		sh.judged, sh.statement = false, nil
	case code != "" && !isDatas(code), sh.vain > maxVain && sh.vain > sh.runs/4:
		sh.statement = nil
	}
}

// autoStatement is a statement of ours. It does not change.
type autoStatement struct {
	slot  int
	text  string
	types []uint32
	// plan has the values that are parameters behind the literals, slots which of them; planned is the text
	// that it was made for. nil: there are none.
	plan    *parser.Plan
	planned string
	slots   []int
	// generation is that of the catalogue for which it was made. The server keeps the types that
	// parameters had then.
	generation uint64
	doubts     doubts
	// foreseen: in a block, too; see foresees.
	foreseen bool
}

// unsureAuto stands for one that the node has or has not.
var unsureAuto = &autoStatement{}

// name is by what the nodes know it.
func (a *autoStatement) name() string { return autoNames[a.slot] }

// same reports whether another session on the same connection, or this one before the catalogue
// has changed, has made the same statement.
func (a *autoStatement) same(b *autoStatement) bool {
	return b != nil && a.slot == b.slot && a.generation == b.generation && a.text == b.text && slices.Equal(a.types, b.types)
}

var autoNames = func() (names [autoSlots + 3]string) {
	for i := range names {
		names[i] = "pgchorus_auto_" + strconv.Itoa(i)
	}
	names[autoMark.slot], names[autoCommit.slot] = "pgchorus_mark", "pgchorus_commit"
	return names
}()

// autoAsIs is the statement of ours by which a text can be run on one node, which is given nothing
// but the text's own constants; nil for none.
func (s *Session) autoAsIs(stmt *parser.Statement, sql string) *autoStatement {
	a := s.autoFor(stmt, sql)
	if a == nil || a.plan != nil {
		return nil
	}
	return a
}

// autoFor is the statement of ours by which a text can be run; nil for none.
func (s *Session) autoFor(stmt *parser.Statement, sql string) *autoStatement {
	if stmt.Point == nil || !s.config().Replication.AutoPrepare || !s.mayAuto(sql) {
		return nil
	}
	shape, slot, fresh := s.autoShapeOf(stmt)
	s.auto.tried = nil
	switch {
	case fresh:
		return nil
	case !shape.judged:
		shape.judged = true
		shape.statement = s.newAuto(stmt, sql, slot, shape.generation)
	}
	if shape.statement == nil || !s.auto.fits(shape.statement, sql) {
		return nil
	}
	s.auto.tried = shape
	if s.tx.kind != txNone && !shape.suitsBlock() {
		return nil
	}
	shape.runs++
	return shape.statement
}

// autoShapeOf is the shape of a statement, and its place. fresh: nothing is known of it in this state of the catalogue.
func (s *Session) autoShapeOf(stmt *parser.Statement) (shape *autoShape, slot int, fresh bool) {
	if s.auto == nil {
		s.auto = &autoPrepare{}
	}
	of, generation := shapeOf(stmt), s.generation()
	slot = shapePlace(of, autoSlots, func(place int) unsafe.Pointer { return s.auto.shapes[place].of })
	shape = &s.auto.shapes[slot]
	if fresh = shape.of != of || shape.generation != generation; fresh {
		*shape = autoShape{of: of, generation: generation}
	}
	return shape, slot, fresh
}

// mayAuto: the tables are those that the catalogue knows, not temporary ones of their names.
func (s *Session) mayAuto(sql string) bool {
	switch {
	case s.hasTemporary():
		return false
	case s.tx.kind == txNone:
		return !s.isolates() // or it is in a block of ours
	}
	return s.mayAutoInBlock(sql)
}

// newAuto is nil for what may be about several rows.
func (s *Session) newAuto(stmt *parser.Statement, sql string, slot int, generation uint64) *autoStatement {
	literals, ok := s.auto.scanner.Scan(sql)
	if !ok || len(literals) != len(stmt.Point.Uses) {
		return nil
	}
	t, ambiguous := s.pointTable(stmt.Point)
	a := &autoStatement{slot: slot, text: parser.WithParameters(sql, literals), generation: generation}
	if t == nil || ambiguous && stmt.Kind != parser.Select || !s.fillAuto(a, stmt, sql, literals) || !isOneRow(stmt, t, a.plan) {
		return nil
	}
	for i, l := range literals {
		oid, ok := l.Type(sql)
		if !ok {
			return nil
		}
		a.types = append(a.types, oid)
		a.doubts |= doubtsOf(stmt.Point.Uses[i], oid, t)
	}
	if a.doubts&meansElse != 0 {
		return nil
	}
	a.foreseen = foresees(stmt.Point, a.types, t)
	a.types = append(a.types, make([]uint32, len(a.slots))...) // the text has a cast for each
	return a
}

// pointTable is the table of a statement of one row; nil if it is not known, or not a table.
// ambiguous: the statement means another one when search_path is another one.
func (s *Session) pointTable(p *parser.Point) (t *catalog.Table, ambiguous bool) {
	f := s.planFacts()
	t, known := f.table(p.Relation)
	for i := 0; !known && i < maxPlans && s.learn(f); i++ {
		f.missing, f.ambiguous = catalog.Question{}, nil
		t, known = f.table(p.Relation)
	}
	if !known || !t.Exists || t.View {
		return nil, false
	}
	return t, len(f.schemas) > 0
}

// isOneRow reports whether a statement is about one row at most.
func isOneRow(stmt *parser.Statement, t *catalog.Table, plan *parser.Plan) bool {
	switch p := stmt.Point; p.Kind {
	case parser.Select:
		return findsOneRow(p, t)
	case parser.Insert:
		return isPlainTable(p, t) && givesAll(stmt, t, plan)
	default:
		return isPlainTable(p, t) && findsOneRow(p, t)
	}
}

// findsOneRow reports whether a unique key is among the columns that a statement gives values for.
func findsOneRow(p *parser.Point, t *catalog.Table) bool {
	return (!t.Children || p.Only) && slices.ContainsFunc(t.Keys, func(key []string) bool {
		return len(key) > 0 && !slices.ContainsFunc(key, func(column string) bool { return !slices.Contains(p.Equal, column) })
	})
}

// fits reports whether the literals of a text have the types of the statement's parameters,
// and keeps them.
func (p *autoPrepare) fits(a *autoStatement, sql string) bool {
	var ok bool
	if p.literals, ok = p.scanner.Scan(sql); !ok || len(p.literals)+len(a.slots) != len(a.types) {
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
	a := w.auto
	if l.answers {
		w.main = l
	}
	whole := l.s.attempt.whole
	switch {
	case whole || !l.needsBegin():
	case l.beginText() == plainBegin:
		l.appendAutoBegin()
	default:
		l.appendBegin()
	}
	l.appendAutoParse(a)
	l.append(hidden(wire.ExpectBind), func(b []byte) []byte {
		return wire.AppendBindTexts(b, a.name(), len(a.types), func(i int) string { return l.s.autoParameter(w, i) })
	})
	if w.kind == parser.Select {
		l.append(wire.Expect{What: wire.ExpectDescribePortal}, func(b []byte) []byte { return wire.AppendDescribe(b, 'P', "") })
	}
	l.append(wire.Expect{What: wire.ExpectExecute}, func(b []byte) []byte { return wire.AppendExecute(b, "") })
	if whole {
		l.appendAutoMark()
	}
	l.unsynced = true
	l.appendSync()
}

// autoParameter is a literal of the text or, behind those, a value that was made for it.
func (s *Session) autoParameter(w *queryWork, i int) string {
	literals := s.auto.literals
	if i < len(literals) {
		return literals[i].Value(w.sql)
	}
	return w.values[w.auto.slots[i-len(literals)]].Text
}

// appendAutoParse gives the node a statement of ours, in the place of that of another shape.
func (l *link) appendAutoParse(a *autoStatement) {
	if l.autos == nil {
		l.autos = make([]*autoStatement, len(autoNames))
	}
	had := l.autos[a.slot]
	l.autos[a.slot] = a
	if had != a && !a.same(had) {
		l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', a.name()) })
		l.append(hidden(wire.ExpectParse), func(b []byte) []byte { return wire.AppendParse(b, a.name(), a.text, a.types) })
	}
}

// appendNoAutos closes the statements of ours on a node, before somebody looks at its list.
func (l *link) appendNoAutos() {
	for slot, a := range l.autos {
		if a != nil {
			l.autos[slot] = nil
			l.append(hidden(wire.ExpectClose), func(b []byte) []byte { return wire.AppendClose(b, 'S', autoNames[slot]) })
			l.unsynced = true
		}
	}
}

// autoWork is the work at hand if it is sent as a statement of ours; nil if it is not.
func (s *Session) autoWork() *queryWork {
	if w, is := s.work.(*queryWork); is && w.auto != nil {
		return w
	}
	return nil
}

// noteAutoFailed is for an answer with an error: it is not known which of the statements of ours
// the node has.
func (l *link) noteAutoFailed() {
	w := l.s.autoWork()
	if w != nil {
		l.doubtAutos(w.auto, autoBegin)
	}
	if g, is := l.s.work.(*segment); is {
		l.doubtAutos(autoBegin)
		for p := range g.autoParsed() {
			l.doubtAutos(p.auto)
		}
	}
	if l.s.ending || l.s.attempt.whole || w != nil && l.answer.Code() == string(pgerr.InvalidSQLStatementName) {
		l.doubtAutos(autoMark, autoCommit)
	}
}

// doubtAutos has statements of ours be given to the node again before they are used.
func (l *link) doubtAutos(all ...*autoStatement) {
	if l.autos == nil {
		return
	}
	for _, a := range all {
		l.autos[a.slot] = unsureAuto
	}
}

// runsAsText reports whether the text is to be run instead of a statement of ours, and takes back
// what the frontend was to be told of that.
func (s *Session) runsAsText(answer *wire.Answer, mark wire.Mark) bool {
	w := s.autoWork()
	if w == nil || !s.wantsText(w, answer) {
		return false
	}
	s.auto.shapes[w.auto.slot].giveUp(answer.Code())
	s.auto.tried = nil
	w.auto = nil
	return s.takeBack(mark)
}

// wantsText reports whether the frontend is to be told what the text has to say, instead of the
// answer to a statement of ours: an error, if the text has one, or that there is no row. What has
// ended the statement from outside has nothing to do with how it was sent.
func (s *Session) wantsText(w *queryWork, answer *wire.Answer) bool {
	switch pgerr.Code(answer.Code()) {
	case "":
		return w.auto.doubts&failsUnasked != 0 && answer.Nothing()
	case pgerr.QueryCanceled, pgerr.AdminShutdown, pgerr.SerializationFailure, pgerr.DeadlockDetected, pgerr.LockNotAvailable:
		return false
	}
	return s.tx.kind != txExplicit
}
