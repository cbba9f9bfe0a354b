package session

import (
	"encoding/binary"
	"slices"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

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

// describes is whom the answer to a Describe is kept with; nil for nobody.
func (s *Session) describes(st *step) any {
	if !s.numbers.on || st.prepared == nil {
		return nil
	}
	return st.prepared
}

// ownDescribe is a Describe that nobody else has asked for.
type ownDescribe struct{ of *prepared }

// aboutOf is whom a description is kept with, nil for nobody, and whether it is for us alone.
func aboutOf(e *wire.Expect) (p *prepared, ours bool) {
	switch about := e.About.(type) {
	case *prepared:
		return about, false
	case ownDescribe:
		return about.of, true
	}
	return nil, false
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

// noteColumns keeps the types of the result as a node has told them.
func (seen *described) noteColumns(l *link, body []byte) {
	seen.known, seen.node, seen.holding = true, l.home, false
	seen.columns = oidmap.ColumnTypes(body, seen.columns)
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
func (l *link) appendResultQuestion(st *step) {
	p := st.portal
	if !l.s.numbers.on || len(p.formats) == 0 || st.prepared == nil || st.prepared.seen.known {
		return
	}
	l.append(wire.Expect{What: wire.ExpectDescribePortal, About: ownDescribe{st.prepared}},
		func(b []byte) []byte { return wire.AppendDescribe(b, 'P', p.name) })
}

// rowHook translates the rows of an Execute, where they have numbers in them: those of main
// for the frontend, those of others so that they can be compared with main's.
func (l *link) rowHook(st *step) func(row []byte) {
	s, p := l.s, st.portal
	if !s.numbers.on || len(p.formats) == 0 || st.prepared == nil || l.home == s.numbers.spoken ||
		st.prepared.seen.known && !st.prepared.seen.holding {
		return nil
	}
	return l.rowTranslation(st.prepared, p)
}

func (l *link) rowTranslation(of *prepared, p *portal) func(row []byte) {
	s := l.s
	var types []uint32
	return func(row []byte) {
		t := s.fromNode(l.home)
		if types == nil {
			types = s.columnsOn(l, of, p)
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
