package session

import (
	"cmp"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// prepared is a prepared statement. Which nodes have it is each link's to know, so
// that any node can be given it when it is needed there.
type prepared struct {
	name string
	text string // as the frontend gave it
	// others is sent to the nodes that are not main.
	others string
	sent   string // as the nodes are given it: values replaced by parameters
	types  []uint32
	stmt   *parser.Statement
	// plan is what is replaced by parameters, those of filled; nil for nothing.
	plan   *parser.Plan
	filled parser.Filled
	// params is how many parameters the frontend knows of.
	params int
	// seen is what nodes have said of its parameters and its result.
	seen described
	// locks are the sequences that each node draws from by itself.
	locks []parser.SequenceRef
	// generation is that of the catalogue from which it was planned.
	generation uint64
	// unlike is what plan has left for each node to compute.
	unlike []parser.Reason
	// scopes is caching.scopes of when it was prepared.
	scopes uint64
	// accepted: a node has parsed it. auto is what it is called on the nodes, if it is given to them under a name of ours.
	accepted bool
	auto     *autoStatement
	// names are what it is called on connections that are lent.
	names wireNames
	// bySQL is set for PREPARE: text is then the whole PREPARE.
	bySQL bool
	// origin is what it was before it was planned anew, with other text for the nodes; nil if it was not.
	origin *prepared
}

// is reports whether both are the statement of one Parse.
func (p *prepared) is(other *prepared) bool {
	return p == other || p != nil && other != nil && p.first() == other.first()
}

// first is the statement as it was planned at first.
func (p *prepared) first() *prepared { return cmp.Or(p.origin, p) }

// again is a copy, to be planned anew.
func (p *prepared) again() prepared {
	next := *p
	next.origin = p.first()
	return next
}

// newPrepared makes a prepared statement of a Parse message.
func (s *Session) newPrepared(m wire.ParseMessage, script *parser.Script) (*prepared, error) {
	p := &prepared{name: m.Name, text: m.Query, sent: m.Query, types: m.Types}
	if len(script.Statements) > 1 {
		return nil, pgerr.New(pgerr.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	p.stmt = &script.Statements[0]
	if p.stmt.Kind == parser.Prepare {
		return p, nil
	}
	p.params = max(p.stmt.MaxParam, len(m.Types))
	s.planPrepared(p, false)
	return p, nil
}

func (p *prepared) kind() parser.Kind { return p.stmt.Kind }

// appendBind encodes a Bind of p: the frontend's own, or with the values added.
func (p *prepared) appendBind(dst []byte, frame wire.Frame, values []parser.Value) ([]byte, error) {
	if p.plan == nil {
		return append(dst, frame...), nil
	}
	m, err := wire.DecodeBind(frame.Body())
	if err != nil {
		return dst, pgerr.New(pgerr.ProtocolViolation, "invalid message format").Wrap(err)
	}
	added := make(wire.Row, len(p.filled.Slots))
	for i, slot := range p.filled.Slots {
		if !values[slot].Null {
			added[i] = []byte(values[slot].Text)
		}
	}
	return wire.AppendBindWith(dst, m, p.params, added), nil
}

// checkBind refuses a Bind with a wrong number of parameters, in the words of the server,
// where that knows of one more than the frontend or is not asked.
func (p *prepared) checkBind(frame wire.Frame, here bool) error {
	if p.plan == nil && !here {
		return nil
	}
	return p.checkParams(frame)
}

// checkParams is checkBind where the server would speak of another statement.
func (p *prepared) checkParams(frame wire.Frame) error {
	m, err := wire.DecodeBind(frame.Body())
	if err != nil {
		return malformed(err)
	}
	if len(m.Params) != p.params {
		return pgerr.Newf(pgerr.ProtocolViolation, "bind message supplies %d parameters, but prepared statement %q requires %d",
			len(m.Params), p.name, p.params)
	}
	return nil
}

// portal is what Bind created.
type portal struct {
	name     string
	prepared *prepared // nil for a cursor that SQL has made
	target   target
	basis    basis
	care     *care // nil for nothing
	// times are the parameters that nodes may read as different times.
	times []parser.Reason
	// copies looks through the copy data; nil for none.
	copies *copyWatch
	done   bool // answered here, and executed
	// formats are those of its result.
	formats resultFormats
	// kept is the Bind of an unnamed portal that has not been executed; nil for none.
	kept *step
}

// statements are the session's prepared statements and portals by name. SQL's
// PREPARE and the Parse message share one name space, as they do in PostgreSQL.
type statements struct {
	prepared map[string]*prepared
	portals  map[string]*portal
	// spare are portals that nobody knows any more, to be used again.
	spare []*portal
}

// maxSpare is how many are kept: a portal is made before the one in its place is dropped.
const maxSpare = 2

func newStatements() statements {
	return statements{prepared: map[string]*prepared{}, portals: map[string]*portal{}}
}

func (st *statements) newPortal(name string, p *prepared) *portal {
	last := len(st.spare) - 1
	if last < 0 {
		return &portal{name: name, prepared: p}
	}
	bound := st.spare[last]
	st.spare = st.spare[:last]
	*bound = portal{name: name, prepared: p}
	return bound
}

// forgetPortal is for when no message is left to be run that is about one.
func (st *statements) forgetPortal(name string) {
	if p := st.portals[name]; p != nil {
		delete(st.portals, name)
		if len(st.spare) < maxSpare {
			st.spare = append(st.spare, p)
		}
	}
}

// forgetPortals is that for all of them. A frontend has the unnamed one at most, mostly.
func (st *statements) forgetPortals() {
	st.forgetPortal("")
	clear(st.portals)
}

func (st *statements) forgetAll() { clear(st.prepared) }

func unknownStatement(name string) error {
	if name == "" {
		return pgerr.New(pgerr.InvalidSQLStatementName, "unnamed prepared statement does not exist")
	}
	return pgerr.Newf(pgerr.InvalidSQLStatementName, "prepared statement %q does not exist", name)
}
