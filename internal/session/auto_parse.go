package session

import (
	"iter"
	"slices"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// Many drivers send Parse of an unnamed statement in front of each Bind, the same text again and again. With auto_prepare
// one about one row (parser.Point) is given to the nodes once, under a name of ours, and from the second Parse on the frontend is
// told at once that it is parsed. The text is the frontend's own, so an error of the
// server is told in the words that it would have (decision 0046).

// parsedBefore is the unnamed statement that a Parse asks for, if the nodes can be given it, or have it, under a name of
// ours. nil: they have to be sent the Parse.
func (s *Session) parsedBefore(m *wire.ParseMessage, script *parser.Script) *prepared {
	shape, slot := s.parsedShape(m.Name, script)
	if shape == nil || s.tx.failed || len(s.seg.steps) > 0 {
		return nil // an answer of ours cannot overtake those of the nodes
	}
	p := shape.parsed
	if p == nil || !p.accepted || p.text != m.Query || !slices.Equal(p.types, m.Types) {
		return nil
	}
	if p.auto == nil {
		if p.auto = s.autoOfParse(p, slot, shape.generation); p.auto == nil {
			shape.unparsed = s.unanswered == nil
			return nil
		}
	}
	p.names = wireNames{} // it has nothing of the settings under which it was parsed
	return p
}

// noteParsed remembers the statement of a Parse that the nodes are sent.
func (s *Session) noteParsed(p *prepared, script *parser.Script) {
	if shape, _ := s.parsedShape(p.name, script); shape != nil {
		shape.parsed = p
	}
}

// parsedShape is the shape of a statement of a Parse that might be given a name of ours, and its place; nil if it is not to be.
func (s *Session) parsedShape(name string, script *parser.Script) (shape *autoShape, slot int) {
	if name != "" || len(script.Statements) != 1 || script.Statements[0].Point == nil || !s.config().Replication.AutoPrepare || s.hasTemporary() {
		return nil, 0
	}
	if shape, slot, _ = s.autoShapeOf(&script.Statements[0]); shape.unparsed {
		return nil, 0
	}
	return shape, slot
}

// autoOfParse is the statement of ours that is p; nil if it may be about several rows, whose order its plan decides, or if its
// parameters and constants might mean something else when they are parsed the next time.
func (s *Session) autoOfParse(p *prepared, slot int, generation uint64) *autoStatement {
	if p.others != "" || len(p.locks)+len(p.unlike) > 0 || p.plan == nil && p.sent != p.text || p.plan != nil && p.sent != p.filled.SQL || oidmap.Custom(p.types) {
		return nil
	}
	t, ambiguous := s.pointTable(p.stmt.Point)
	if t == nil || ambiguous && p.stmt.Kind != parser.Select || p.stmt.Kind != parser.Insert && !findsOneRow(p.stmt.Point, t) {
		return nil
	}
	literals, ok := s.auto.scanner.Scan(p.text)
	if !ok || slices.ContainsFunc(literals, func(l parser.Literal) bool { return p.text[l.Start] == '\'' }) {
		return nil // a string may be a date, which the session's settings read
	}
	for _, u := range p.stmt.Point.Uses {
		if u.Param > 0 && !keepsType(u, p.types, t) {
			return nil
		}
	}
	return &autoStatement{slot: slot, text: p.sent, types: p.types, generation: generation}
}

// keepsType reports whether a parameter has the type that another Parse would give it, or if the column has become another,
// one that refuses what it cannot hold. A date would lose the hour of what is a timestamp by now.
func keepsType(u parser.Use, types []uint32, t *catalog.Table) bool {
	if u.Param <= len(types) && types[u.Param-1] != parser.Unspecified {
		return true
	}
	switch typ := typeOf(u, t); typ {
	case "smallint", "integer", "bigint", "boolean", "uuid":
		return true
	default:
		return isText(typ) && u.How == parser.Assigned
	}
}

// parsedWork is the work at hand if it stands on statements of ours that are the frontend's; nil if it does not.
func (s *Session) parsedWork() *segment {
	if g, is := s.work.(*segment); is {
		for range g.autoParsed() {
			return g
		}
	}
	return nil
}

// mayParse reports whether the segment can be run again with the frontend's Parse in it.
func (g *segment) mayParse() bool { return g != nil && g.end == endSync && !g.bare }

// parseAgain has the nodes be given a statement as the frontend has named it.
func (s *Session) parseAgain(p *prepared) {
	p.auto, p.accepted = nil, false
	for _, l := range s.links {
		if l != nil && l.prepared[p.name] == p {
			delete(l.prepared, p.name) // it may be another one of that name, by now
		}
	}
}

// autoParsed are the statements that a segment stands on, and that have a name of ours.
func (g *segment) autoParsed() iter.Seq[*prepared] {
	return func(yield func(*prepared) bool) {
		for i := range g.steps {
			if p := g.steps[i].prepared; p != nil && p.auto != nil && !yield(p) {
				return
			}
		}
	}
}
