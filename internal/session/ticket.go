package session

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// With parallel_dispatch a write of one row by its key goes to all nodes at once, if it is alone
// in its transaction and has its ticket (replicator.Tickets, decision 0036). Everything else that
// goes to all nodes claims the tables that it may lock, so that the two keep out of each other's
// way. What a statement is in that respect is found out once for its shape and state of the catalogue.

// ticketing is what a session needs for it.
type ticketing struct {
	holding replicator.Holding
	shapes  *shapeMemo[ticketShape] // nil until there is something to remember
	scanner *parser.LiteralScanner  // nil until a text has been looked at
	// text is the frontend's, of the statement that is a query of its own.
	text string
}

// ticketShape is what is known of statements of one shape.
type ticketShape struct {
	known      *catalog.Database
	generation uint64
	// bounded: it locks in tables only; else it may do so anywhere.
	bounded bool
	tables  []replicator.TicketTable
	// pins are those of the key by which it finds the one row of the one table that it locks;
	// nil for another statement.
	pins []parser.Pin
	// adds: it locks nothing but the key of the row that it adds to the one table: the column added, at
	// that place in the table; "" if there is no key, so that it is in nobody's way.
	adds  bool
	added string
	place int
}

// takeTickets is called before the work is sent to any node.
func (a *attempt) takeTickets(ctx context.Context) error {
	s := a.s
	if s.Tickets == nil {
		return nil
	}
	s.useTickets()
	var err error
	switch w := s.work.(type) {
	case *queryWork:
		err = a.takeForQuery(ctx, w)
	case *segment:
		err = a.takeForSegment(ctx, w)
	default:
		err = s.claimEverything(ctx)
	}
	if err != nil {
		return s.interrupted(ctx)
	}
	return nil
}

// useTickets has the session's holding be of its database. What an earlier statement of the
// transaction has the ticket of is locked on all nodes by now.
func (s *Session) useTickets() {
	s.tickets.holding.Use(s.Tickets.Database(s.login.Database))
	s.tickets.holding.Yield()
}

func (a *attempt) takeForQuery(ctx context.Context, w *queryWork) error {
	s := a.s
	switch {
	case w.stmt != nil:
		key := func(shape *ticketShape) (uint64, bool) {
			if shape.adds {
				return s.addedKey(shape, w)
			}
			return s.literalKey(shape.pins)
		}
		return a.takeFor(ctx, w.stmt, s.tickets.text, !w.drawsSequence() && !w.digest, key)
	case w.kind == parser.SetConstraints:
		return nil // what it looks at are rows that foreign keys look for, or has been claimed
	}
	return s.claimEverything(ctx)
}

func (a *attempt) takeForSegment(ctx context.Context, g *segment) error {
	executed, lone := (*step)(nil), g.end == endSync
	for i := range g.steps {
		st := &g.steps[i]
		switch {
		case st.kind != wire.KindExecute:
			continue
		case st.prepared == nil:
			return a.s.claimEverything(ctx) // a cursor of SQL's
		}
		lone, executed = lone && executed == nil && st.whole, st
	}
	for i := range g.steps {
		if st := &g.steps[i]; st.kind == wire.KindExecute {
			p := st.prepared
			mayGo := lone && !wantsDigest(p.stmt) && p.stmt.Kind != parser.Insert // which may draw from a sequence
			key := func(shape *ticketShape) (uint64, bool) {
				if shape.adds {
					return a.s.ownKey(), shape.added == ""
				}
				return g.boundKey(st, shape.pins)
			}
			if err := a.takeFor(ctx, p.stmt, p.text, mayGo, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeFor gets what one statement needs. mayGo: nothing in the way that it is sent keeps it from
// going to all nodes at once. key finds the number of its key.
func (a *attempt) takeFor(ctx context.Context, stmt *parser.Statement, text string, mayGo bool, key func(*ticketShape) (uint64, bool)) error {
	s := a.s
	executed, text := s.effectiveOf(stmt, text)
	shape := s.ticketShapeOf(executed, text)
	switch {
	case shape == nil || !shape.bounded:
		return s.claimEverything(ctx)
	case executed == stmt && (len(shape.pins) > 0 || shape.adds):
		value, ok := key(shape)
		if !ok {
			break
		}
		if !mayGo || !a.mayGoAtOnce() {
			return s.tickets.holding.Key(ctx, shape.tables[0], value, s.hooks().bound)
		}
		granted, err := s.tickets.holding.AtOnce(ctx, shape.tables[0], value, s.hooks().bound)
		if a.atOnce = granted; granted && shape.generation != shape.known.Generation() {
			s.tickets.holding.Yield()
			a.atOnce = false
		}
		return err
	}
	for _, table := range shape.tables {
		if err := s.tickets.holding.Table(ctx, table, s.hooks().bound); err != nil {
			return err
		}
	}
	return nil
}

// mayGoAtOnce: the work is alone in its transaction, which looks at data as it is now and is
// committed by all nodes at the same time; and nothing is to be done for it beside running
// it. With timeouts main would end, now and then, what the others have done.
func (a *attempt) mayGoAtOnce() bool {
	s := a.s
	return a.alone && s.tx.kind == txImplicit && !s.tx.pinned && s.care == nil && len(s.unlike) == 0 &&
		!s.settings.timesOut && !s.hasTemporary() && !s.isolates() && !keepsSnapshot(s.isolation()) && s.commitsAtOnce()
}

// commitsAtOnce: and no other server of pgchorus, which has tickets of its own, writes to the nodes.
func (s *Session) commitsAtOnce() bool {
	cfg := s.Config()
	return !cfg.Watchdog.UseWatchdog && chooseCommitMode(commitInput{configured: cfg.Replication.CommitMode}) == replicator.Parallel
}

// claimEverything is for what may lock anything.
func (s *Session) claimEverything(ctx context.Context) error {
	return s.tickets.holding.Everything(ctx, s.hooks().bound)
}

// claimUnseen is for what is run in front of a statement, and may lock anything.
func (s *Session) claimUnseen(ctx context.Context) error {
	if s.Tickets == nil {
		return nil
	}
	s.useTickets()
	if s.claimEverything(ctx) != nil {
		return s.interrupted(ctx)
	}
	return nil
}

// ticketShapeOf is what is known of a statement, of which text is the text; nil if it may do
// anything.
func (s *Session) ticketShapeOf(stmt *parser.Statement, text string) *ticketShape {
	known := s.Catalog.Database(s.login.Database)
	at, generation := shapeOf(stmt), known.Generation()
	if shape := s.tickets.shapes.find(at); shape != nil && shape.known == known && shape.generation == generation && !known.Ages() {
		return shape
	}
	if s.tickets.shapes == nil {
		s.tickets.shapes = newShapeMemo[ticketShape]()
	}
	shape := s.tickets.shapes.keep(at, ticketShape{known: known, generation: generation})
	s.learnTicketShape(shape, stmt, text)
	return shape
}

// learnTicketShape asks the catalogue for what has to be known.
func (s *Session) learnTicketShape(shape *ticketShape, stmt *parser.Statement, text string) {
	if s.hasTemporary() || !locksByText(s.verdictOf(stmt, text)) {
		return
	}
	f := careFacts{s.planFacts()}
	var tables []catalog.Name
	for range maxPlans {
		f.missing, f.ambiguous = catalog.Question{}, nil
		tables, shape.bounded = capture.Touches(stmt, f)
		if shape.bounded || !s.learn(f.planFacts) {
			break
		}
	}
	for _, name := range tables {
		shape.tables = append(shape.tables, replicator.TicketTable{Schema: name.Schema, Name: name.Name})
	}
	if len(f.schemas) > 0 {
		shape.bounded = false // which table it is hangs on search_path, which is not followed
	}
	if !shape.bounded || len(tables) != 1 || len(stmt.Targets) != 1 {
		return
	}
	if t, ok := f.TableOf(stmt.Targets[0].Relation); ok {
		shape.pins = capture.ByKey(stmt, t)
		shape.added, shape.adds = capture.Adds(stmt, t)
		shape.place = slices.IndexFunc(t.Columns, func(c catalog.Column) bool { return c.Name == shape.added })
	}
}

// locksByText reports whether what a statement locks is in its text: it sets off no code that
// locks something else.
func locksByText(v *safety.Verdict) bool {
	return v.Level < safety.SideEffects && len(v.Locks) == 0 && len(v.ReadLocks) == 0 && !v.Firing.InRow && !v.Firing.Beside
}

// literalKey is the number of the key whose pins stand in the text; false if a value is not an
// integer.
func (s *Session) literalKey(pins []parser.Pin) (number uint64, ok bool) {
	text := s.tickets.text
	if s.tickets.scanner == nil {
		s.tickets.scanner = &parser.LiteralScanner{}
	}
	literals, ok := s.tickets.scanner.Scan(text)
	if !ok {
		return 0, false
	}
	for _, p := range pins {
		if p.Literal == 0 || p.Literal > len(literals) {
			return 0, false
		}
		value, ok := decimal(literals[p.Literal-1].Value(text))
		if !ok {
			return 0, false
		}
		number = mixKey(number, value)
	}
	return number, true
}

// ownKey is a number for rows that are in nobody's way.
func (s *Session) ownKey() uint64 { return uint64(s.id) }

// addedKey is the number of the key of the row that an INSERT adds: it stands in the text, or was made for it.
func (s *Session) addedKey(shape *ticketShape, w *queryWork) (number uint64, ok bool) {
	if shape.added == "" {
		return s.ownKey(), true
	}
	if w.auto == nil {
		return 0, false
	}
	text := ""
	for i, use := range w.stmt.Point.Uses {
		if use.Column == shape.added || use.Column == "" && use.Place == shape.place {
			text = s.auto.literals[i].Value(w.text)
		}
	}
	if text == "" && w.plan.Gives(shape.added) {
		text = drawnValue(w)
	}
	value, ok := decimal(text)
	return mixKey(0, value), ok
}

// drawnValue is the one value that was drawn from a sequence; "" if there are several.
func drawnValue(w *queryWork) (text string) {
	for i := range w.plan.Slots {
		switch {
		case w.plan.Slots[i].Source != parser.FromSequence:
		case text != "":
			return ""
		default:
			text = w.values[i].Text
		}
	}
	return text
}

// boundKey is the number of the key whose pins are parameters of a Bind in the segment.
func (g *segment) boundKey(executed *step, pins []parser.Pin) (number uint64, ok bool) {
	for i := range g.steps {
		if st := &g.steps[i]; st.kind == wire.KindBind && st.portal == executed.portal {
			return keyOfBind(st, pins)
		}
	}
	return 0, false
}

func keyOfBind(st *step, pins []parser.Pin) (number uint64, ok bool) {
	for _, p := range pins {
		bytes, format, there := wire.BindParam(st.frame.Body(), p.Param)
		if !there {
			return 0, false
		}
		var declared uint32
		if p.Param <= len(st.prepared.types) {
			declared = st.prepared.types[p.Param-1]
		}
		value, ok := integerParam(bytes, format, declared)
		if !ok {
			return 0, false
		}
		number = mixKey(number, value)
	}
	return number, len(pins) > 0
}

// The types of integers (pg_type.dat).
const (
	int2Type uint32 = 21
	int4Type uint32 = 23
	int8Type uint32 = 20
)

// integerParam is the value of a parameter that is compared with a column of integers. Where its
// type is left to the server, it is the column's: the parameter stands nowhere else, and WHERE
// is looked at first (PostgreSQL, transformUpdateStmt).
func integerParam(value []byte, format uint16, declared uint32) (int64, bool) {
	switch declared {
	case 0, int2Type, int4Type, int8Type:
	default:
		return 0, false
	}
	switch {
	case value == nil:
		return 0, false
	case format == 0:
		return decimal(value)
	case len(value) == 2:
		return int64(int16(binary.BigEndian.Uint16(value))), true
	case len(value) == 4:
		return int64(int32(binary.BigEndian.Uint32(value))), true
	case len(value) == 8:
		return int64(binary.BigEndian.Uint64(value)), true
	}
	return 0, false
}

// maxDecimals is how many digits certainly fit an int64.
const maxDecimals = 18

// decimal reads an integer of digits and perhaps a sign in front; no other spelling of one.
func decimal[T string | []byte](text T) (value int64, ok bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	if len(text) == 0 || len(text) > maxDecimals {
		return 0, false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0, false
		}
		value = value*10 + int64(text[i]-'0')
	}
	if negative {
		value = -value
	}
	return value, true
}

// mixKey makes one number of several values (FNV-1a's prime).
func mixKey(number uint64, value int64) uint64 {
	number = (number ^ uint64(value)) * 1099511628211
	return number ^ number>>32
}
