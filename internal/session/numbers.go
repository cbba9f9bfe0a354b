package session

import (
	"context"
	"encoding/binary"
	"slices"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// Where writes are replicated, each node numbers types, tables and functions for itself.
// The frontend is told, and tells us, numbers of types and functions as the node has them
// that was main when it logged in, and of tables as main has them; what it reads in the
// catalogue is main's too. See package oidmap and ADR 0019.
//
// A read whose answer has a number in it that is not known yet is done by main instead, and
// the number is learnt; that happens once for each object. What is told to nodes is learnt
// before it is sent.

// numbering is what a session knows of its numbers.
type numbering struct {
	on bool
	// spoken is the node in whose numbers of types the session speaks.
	spoken oidmap.Node
	known  *oidmap.Database
	// missed is what the answer under way had in it and is not known. Nothing of that
	// answer is passed on then.
	missed []oidmap.Object
}

// beginNumbering is for a session that has its connections.
func (s *Session) beginNumbering() {
	if !s.replicates() {
		return
	}
	s.numbers = numbering{on: true, spoken: s.main().home, known: s.Numbers.Database(s.login.Database)}
	for _, l := range s.links {
		if l == nil {
			continue
		}
		if _, _, known := s.numbers.known.Listed(l.home); !known {
			s.listNumbers()
			return
		}
	}
}

// listNumbers learns what has come since it was last asked for: at the first log-in to a
// database, and when DDL was committed, so that they are known should a node be lost.
func (s *Session) listNumbers() {
	var said []oidmap.Listing
	for _, l := range s.links {
		if l == nil {
			continue
		}
		highest, _, _ := s.numbers.known.Listed(l.home)
		rows, err := l.askObjects(oidmap.Above(highest))
		if err != nil {
			s.log.Warn("object identifiers not read", zap.Error(err))
			return
		}
		said = append(said, oidmap.Listing{Node: l.home, Rows: rows})
	}
	s.numbers.known.LearnAll(said...)
}

// numbersAfterDDL is for the end of a transaction.
func (s *Session) numbersAfterDDL() {
	if s.numbers.on && s.tx.committed && len(s.tx.ddl) > 0 {
		s.listNumbers()
	}
}

func (l *link) askObjects(question string) ([]oidmap.Row, error) {
	if question == "" {
		return nil, nil
	}
	lines, err := l.ask(question)
	if err != nil {
		return nil, err
	}
	return oidmap.Decode(lines), nil
}

// linkOf is the link to a node as it was when it was called that.
func (s *Session) linkOf(node oidmap.Node) *link {
	if l := s.link(node.ID); l != nil && l.home == node {
		return l
	}
	return nil
}

// toNode leads from what the frontend says to what a node is told.
func (s *Session) toNode(l *link) oidmap.Translation {
	return oidmap.Translation{Database: s.numbers.known, From: s.numbers.spoken, To: l.home}
}

// fromNode leads from what a node says to what the frontend is told.
func (s *Session) fromNode(node oidmap.Node) oidmap.Translation {
	return oidmap.Translation{Database: s.numbers.known, From: node, To: s.numbers.spoken}
}

// speaks reports whether a node's numbers are those of the session.
func (s *Session) speaks(l *link) bool {
	return l.home == s.numbers.spoken && l == s.main()
}

// takeColumns passes a RowDescription on in the session's numbers.
func (s *Session) takeColumns(c *backend.Conn, total int, e *wire.Expect) error {
	l := s.link(c.Node())
	described, _ := e.About.(*description)
	if !s.numbers.on || l == nil || described == nil && s.speaks(l) {
		return s.takeBytes(c, total)
	}
	frame, err := c.Next(total)
	if err != nil {
		return err
	}
	if described != nil {
		described.note(l, frame.Body())
		if described.ours {
			return nil
		}
	}
	if !s.speaks(l) {
		s.translateColumns(l, frame.Body())
	}
	if len(s.numbers.missed) == 0 {
		s.pass(frame)
	}
	return nil
}

func (s *Session) translateColumns(l *link, body []byte) {
	types := s.fromNode(l.home)
	tables := types
	tables.To = s.main().home
	types.RowDescription(body, &tables)
	s.miss(l, types.Missing)
	s.miss(l, tables.Missing)
}

// takeParameters is takeColumns for a ParameterDescription, which the caller has in hand.
func (s *Session) takeParameters(c *backend.Conn, body []byte, e *wire.Expect) {
	l := s.link(c.Node())
	if !s.numbers.on || l == nil {
		return
	}
	if l.home != s.numbers.spoken {
		t := s.fromNode(l.home)
		t.ParameterDescription(body)
		s.miss(l, t.Missing)
	}
	if described, _ := e.About.(*description); described != nil {
		described.of.seen.params, described.of.seen.described = oidmap.ParameterTypes(body), true
	}
}

// miss keeps what is not known. If the node that the session's numbers are from is lost and
// main tells of something new, main's number will do, if it is free.
func (s *Session) miss(l *link, missing []oidmap.Object) {
	for _, object := range missing {
		alone := s.linkOf(s.numbers.spoken) == nil && l == s.main()
		if !alone || !s.numbers.known.Adopt(object, s.numbers.spoken) {
			s.numbers.missed = append(s.numbers.missed, object)
		}
	}
}

// hasMissed reports whether the answer was not passed on for want of numbers, and learns
// them.
func (s *Session) hasMissed(ctx context.Context) bool {
	missed := s.numbers.missed
	if len(missed) == 0 {
		return false
	}
	s.numbers.missed = nil
	if err := s.learnNumbers(missed); err != nil {
		s.log.Info("object identifiers not learnt", zap.Error(err))
	}
	return true
}

// errMissed is told when an answer with unknown numbers in it cannot be had from main.
func errMissed() error {
	return pgerr.New(pgerr.SerializationFailure, "object identifiers of the result have changed").
		WithDetail("Types or tables in it are new, or the main node was replaced, and part of the answer had been sent before.").
		WithHint("Repeat the transaction; if that does not help, connect again.")
}

// learnNumbers asks the nodes for objects: the one that has told of them what they are, and the
// others what they call them.
func (s *Session) learnNumbers(missed []oidmap.Object) error {
	for len(missed) > 0 {
		node := missed[0].Node
		same := func(o oidmap.Object) bool { return o.Node == node }
		var here []oidmap.Object
		for _, o := range missed {
			if same(o) && !slices.Contains(here, o) {
				here = append(here, o)
			}
		}
		missed = slices.DeleteFunc(slices.Clone(missed), same)
		if err := s.learnFrom(node, here); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) learnFrom(node oidmap.Node, objects []oidmap.Object) error {
	from := s.linkOf(node)
	if from == nil {
		return s.adopt(objects)
	}
	if !s.canAsk(from) {
		return errCannotLearn(from)
	}
	rows, err := from.askObjects(oidmap.ByNumber(objects))
	if err != nil || len(rows) == 0 {
		return err
	}
	said := []oidmap.Listing{{Node: from.home, Rows: rows}}
	for _, l := range s.links {
		if l == nil || l == from {
			continue
		}
		if !s.canAsk(l) {
			return errCannotLearn(l)
		}
		rows, err := l.askObjects(oidmap.ByName(rows))
		if err != nil {
			return err
		}
		said = append(said, oidmap.Listing{Node: l.home, Rows: rows})
	}
	s.numbers.known.Learn(said...)
	return nil
}

// adopt is for numbers of a node that is lost, of which nothing is known: they are main's,
// if they are anybody's.
func (s *Session) adopt(objects []oidmap.Object) error {
	main := s.main()
	if main == nil || !s.canAsk(main) {
		return nil
	}
	moved := make([]oidmap.Object, len(objects))
	for i, o := range objects {
		moved[i] = oidmap.Object{Class: o.Class, Node: main.home, OID: o.OID}
	}
	if err := s.learnFrom(main.home, moved); err != nil {
		return err
	}
	for i, o := range moved {
		_, complete, _ := s.numbers.known.Listed(objects[i].Node)
		if !complete || !s.numbers.known.Knows(o) || !s.numbers.known.Adopt(o, objects[i].Node) {
			return errRenumbered(o.OID)
		}
	}
	return nil
}

func errCannotLearn(l *link) error {
	return pgerr.Newf(pgerr.ObjectNotInPrerequisiteState, "object identifiers cannot be looked up on node %d in the middle of a pipeline", l.ID()).
		WithHint("Send Sync before a statement that uses a type for the first time.")
}

func errRenumbered(oid uint32) error {
	return pgerr.Newf(pgerr.ObjectNotInPrerequisiteState, "object identifier %d cannot be told any more", oid).
		WithDetail("The node that it was learnt from has left.").
		WithHint("Connect again.")
}

// numbersOf sees to it that every node can be told of the types that the frontend has named.
func (s *Session) learnTypes(types []uint32) error {
	if !s.numbers.on || !oidmap.Custom(types) {
		return nil
	}
	return s.untilKnown(func(t *oidmap.Translation) { t.Types(types) })
}

// maxLearning bounds how often something is tried again because more has to be learnt for
// it: types may be nested.
const maxLearning = 8

// untilKnown tries something for every node and learns what it misses, until nothing is
// missing or the nodes do not know it either.
func (s *Session) untilKnown(try func(t *oidmap.Translation)) error {
	before := 0
	for range maxLearning {
		var missing []oidmap.Object
		for _, l := range s.links {
			if l != nil {
				t := s.toNode(l)
				try(&t)
				missing = append(missing, t.Missing...)
			}
		}
		if len(missing) == 0 || len(missing) == before {
			return nil // it is no type; the server says so
		}
		before = len(missing)
		if err := s.learnNumbers(missing); err != nil {
			return err
		}
	}
	return nil
}

// typesFor are the types of p's parameters as a node is told them.
func (l *link) typesFor(p *prepared) []uint32 {
	if !l.s.numbers.on {
		return p.types
	}
	t := l.s.toNode(l)
	return t.Types(p.types)
}

// learnFunction sees to it that every node can be told which function is called.
func (s *Session) learnFunction(call wire.Frame) error {
	body := call.Body()
	if !s.numbers.on || len(body) < 4 {
		return nil
	}
	oid := binary.BigEndian.Uint32(body)
	return s.untilKnown(func(t *oidmap.Translation) { t.Number(oidmap.Function, oid) })
}

// appendCall encodes a function call with the node's number of the function.
func (l *link) appendCall(b []byte, frame wire.Frame) []byte {
	at := len(b)
	b = append(b, frame...)
	if l.s.numbers.on {
		t := l.s.toNode(l)
		t.FunctionCall(wire.Frame(b[at:]).Body())
	}
	return b
}

// describes is what is kept of the answer to a Describe; nil for nothing.
func (s *Session) describes(st step) any {
	if !s.numbers.on || st.prepared == nil {
		return nil
	}
	return &description{of: st.prepared}
}

// description is what a Describe is about, and what is kept of its answer.
type description struct {
	of   *prepared
	ours bool // nobody else has asked
}

// described is what is known of a prepared statement's parameters and result.
type described struct {
	// described: params are the types of all parameters, in the session's numbers.
	described bool
	params    []uint32
	// columns are the types of the result, as node numbers them; known says that they are.
	known   bool
	node    oidmap.Node
	columns []uint32
	// holding: binary values of the result have numbers of types in them.
	holding bool
}

func (d *description) note(l *link, body []byte) {
	seen := &d.of.seen
	seen.known, seen.node, seen.holding = true, l.home, false
	seen.columns = oidmap.ColumnTypes(body)
	t := l.s.fromNode(l.home)
	for _, oid := range seen.columns {
		seen.holding = t.Holds(oid) || seen.holding
	}
	seen.holding = seen.holding || len(t.Missing) > 0
}

// paramTypes are the types of a statement's parameters; false if nobody has said.
func (p *prepared) paramTypes() ([]uint32, bool) {
	if p.seen.described {
		return p.seen.params, true
	}
	return p.types, len(p.types) > 0 && !slices.Contains(p.types, 0)
}

// bindNumbers prepares for a Bind whose binary parameters have numbers of types in them.
func (s *Session) bindNumbers(st *step) error {
	if !s.numbers.on {
		return nil
	}
	body := st.frame.Body()
	st.portal.formats = oidmap.BinaryResults(body)
	types, known := st.prepared.paramTypes()
	if known && !oidmap.Custom(types) {
		return nil
	}
	suspect := false
	oidmap.EachBinary(body, func(i int, value []byte) {
		of := uint32(0)
		if i < len(types) {
			of = types[i]
		}
		suspect = suspect || (of >= oidmap.First || of == 0) && oidmap.Suspect(value)
	})
	if !suspect {
		return nil
	}
	if !known {
		if err := s.describeParams(st.prepared); err != nil {
			return err
		}
		types, _ = st.prepared.paramTypes()
	}
	st.translated = oidmap.Custom(types)
	if !st.translated {
		return nil
	}
	scratch := slices.Clone(body)
	return s.untilKnown(func(t *oidmap.Translation) {
		copy(scratch, body)
		translateParams(t, types, scratch)
	})
}

func translateParams(t *oidmap.Translation, types []uint32, body []byte) {
	oidmap.EachBinary(body, func(i int, value []byte) {
		if i < len(types) {
			t.Value(types[i], value)
		}
	})
}

// translateBind translates the parameters of a Bind that stands in the outbox from at on.
func (l *link) translateBind(p *prepared, frame []byte) {
	types, _ := p.paramTypes()
	t := l.s.toNode(l)
	if !t.Same() {
		translateParams(&t, types, wire.Frame(frame).Body())
	}
}

// typesStatement is a name of our own on a node; closed again at once.
const typesStatement = "pgchorus_types"

// describeParams asks main what types a statement's parameters have.
func (s *Session) describeParams(p *prepared) error {
	l := s.main()
	if l == nil || !s.canAsk(l) {
		if l == nil {
			return nil // who needs the node finds out why
		}
		return errCannotLearn(l)
	}
	l.begin()
	l.appendSync()
	asked := paramsOnly{}
	l.append(wire.Expect{What: wire.ExpectParse}, func(b []byte) []byte { return wire.AppendParse(b, typesStatement, p.sent, l.typesFor(p)) })
	l.append(wire.Expect{What: wire.ExpectDescribeStatement}, func(b []byte) []byte { return wire.AppendDescribe(b, 'S', typesStatement) })
	l.append(wire.Expect{What: wire.ExpectClose}, func(b []byte) []byte { return wire.AppendClose(b, 'S', typesStatement) })
	l.append(wire.Expect{What: wire.ExpectSync}, wire.AppendSync)
	if l.conn.Flush() != nil || l.conn.Receive(&l.exchange, &asked, &l.answer) != nil {
		return nil
	}
	if l.answer.Failed() {
		return pgerr.New(pgerr.Code(l.answer.Code()), wire.ErrorField(l.answer.Err, wire.FieldMessage))
	}
	t := s.fromNode(l.home)
	for i, oid := range asked.types {
		asked.types[i] = t.Number(oidmap.Type, oid)
	}
	if p.plan != nil { // the last ones are ours
		asked.types = asked.types[:min(len(asked.types), p.params)]
	}
	p.seen.params, p.seen.described = asked.types, true
	return s.learnNumbers(t.Missing)
}

// paramsOnly keeps a ParameterDescription.
type paramsOnly struct{ types []uint32 }

var _ backend.Sink = (*paramsOnly)(nil)

// Take keeps the types.
func (p *paramsOnly) Take(c *backend.Conn, kind wire.Kind, total int, _ *wire.Expect) error {
	if kind != wire.KindParameterDescription {
		return c.Discard(total)
	}
	frame, err := c.Next(total)
	if err == nil {
		p.types = oidmap.ParameterTypes(frame.Body())
	}
	return err
}

// Fail leaves the error to the answer.
func (p *paramsOnly) Fail(wire.Frame, *wire.Expect) error { return nil }

// appendResultQuestion has a node say what the result of a portal is made of, if that is
// not known and its values may have to be translated.
func (l *link) appendResultQuestion(st step) {
	p := st.portal
	if !l.s.numbers.on || len(p.formats) == 0 || st.prepared == nil || st.prepared.seen.known {
		return
	}
	l.append(wire.Expect{What: wire.ExpectDescribePortal, About: &description{of: st.prepared, ours: true}},
		func(b []byte) []byte { return wire.AppendDescribe(b, 'P', p.name) })
}

// rowHook translates the rows of an Execute, where they have numbers in them: those of main
// for the frontend, those of others so that they can be compared with main's.
func (l *link) rowHook(st step) func(row []byte) {
	s, p := l.s, st.portal
	if !s.numbers.on || len(p.formats) == 0 || st.prepared == nil || l.home == s.numbers.spoken ||
		st.prepared.seen.known && !st.prepared.seen.holding {
		return nil
	}
	var types []uint32
	return func(row []byte) {
		t := s.fromNode(l.home)
		if types == nil {
			types = s.columnsOn(l, st.prepared, p)
		}
		t.Row(types, row)
		s.missInRow(l, t.Missing)
	}
}

// missInRow: the numbers in a row that only is compared make it differ, no more.
func (s *Session) missInRow(l *link, missing []oidmap.Object) {
	if l.answers {
		s.miss(l, missing)
	}
}

// columnsOn are the types of p's binary columns as a node numbers them, 0 for others.
func (s *Session) columnsOn(l *link, p *prepared, of *portal) []uint32 {
	t := oidmap.Translation{Database: s.numbers.known, From: p.seen.node, To: l.home}
	columns := make([]uint32, len(p.seen.columns))
	for i, oid := range p.seen.columns {
		if of.formats.binary(i) {
			columns[i] = t.Number(oidmap.Type, oid)
		}
	}
	s.missInRow(l, t.Missing)
	return columns
}

// resultFormats are the format codes that a Bind asks its result in; empty if all of it
// is text.
type resultFormats []byte

func (f resultFormats) binary(i int) bool {
	switch {
	case len(f) == 2:
		i = 0
	case len(f) < 2*(i+1):
		return false
	}
	return binary.BigEndian.Uint16(f[2*i:]) == 1
}
