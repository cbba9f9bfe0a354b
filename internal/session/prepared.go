package session

import (
	"slices"
	"time"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// prepared is a prepared statement. Which nodes have it is each link's to know, so
// that any node can be given it when it is needed there.
type prepared struct {
	name  string
	text  string // as the frontend gave it
	sent  string // as the nodes are given it: times replaced by a parameter
	types []uint32
	stmt  *parser.Statement
	// timeParam is the number of the parameter that carries the time; 0 for none.
	timeParam int
	// place leads positions in sent back to text; nil where they are the same.
	place func(position int) int
	// params is how many parameters the frontend knows of; set with timeParam.
	params int
	// bySQL is set for PREPARE: text is then the whole PREPARE.
	bySQL bool
}

// newPrepared makes a prepared statement of a Parse message. replicates: nodes shall
// not compute the time for themselves.
func newPrepared(m wire.ParseMessage, script *parser.Script, replicates bool) (*prepared, error) {
	p := &prepared{name: m.Name, text: m.Query, sent: m.Query, types: m.Types}
	if len(script.Statements) > 1 {
		return nil, pgerr.New(pgerr.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	p.stmt = &script.Statements[0]
	if replicates && spliceable(p.stmt.TimeCalls) && p.stmt.Kind != parser.Prepare {
		p.params = max(p.stmt.MaxParam, len(m.Types))
		p.timeParam = p.params + 1
		splice := func(sql string, calls []parser.TimeCall) string { return parser.ParamTime(sql, calls, p.timeParam) }
		p.sent = splice(m.Query, p.stmt.TimeCalls)
		p.place = placeIn(m.Query, p.stmt.TimeCalls, splice)
	}
	return p, nil
}

func (p *prepared) kind() parser.Kind { return p.stmt.Kind }

// appendBind encodes a Bind of p: the frontend's own, or with the time added.
func (p *prepared) appendBind(dst []byte, frame wire.Frame, at time.Time) ([]byte, error) {
	if p.timeParam == 0 {
		return append(dst, frame...), nil
	}
	m, err := wire.DecodeBind(frame.Body())
	if err != nil {
		return dst, pgerr.New(pgerr.ProtocolViolation, "invalid message format").Wrap(err)
	}
	return wire.AppendBindWith(dst, m, p.timeParam, at.UTC().Format(timeLayout)), nil
}

// checkBind refuses a Bind with a wrong number of parameters, in the words of the server,
// where that knows of one more than the frontend or is not asked.
func (p *prepared) checkBind(frame wire.Frame, here bool) error {
	if p.timeParam == 0 && !here {
		return nil
	}
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

// timeLayout is a timestamptz as PostgreSQL reads it under every DateStyle.
const timeLayout = "2006-01-02 15:04:05.999999+00"

// spliceable reports whether any of the calls is replaced at all.
func spliceable(calls []parser.TimeCall) bool {
	return slices.ContainsFunc(calls, parser.TimeCall.Spliceable)
}

// portal is what Bind created.
type portal struct {
	name     string
	prepared *prepared // nil for a cursor that SQL has made
	target   target
	done     bool // answered here, and executed
}

// statements are the session's prepared statements and portals by name. SQL's
// PREPARE and the Parse message share one name space, as they do in PostgreSQL.
type statements struct {
	prepared map[string]*prepared
	portals  map[string]*portal
}

func newStatements() statements {
	return statements{prepared: map[string]*prepared{}, portals: map[string]*portal{}}
}

func (st *statements) forgetAll() { clear(st.prepared) }

func unknownStatement(name string) error {
	if name == "" {
		return pgerr.New(pgerr.InvalidSQLStatementName, "unnamed prepared statement does not exist")
	}
	return pgerr.Newf(pgerr.InvalidSQLStatementName, "prepared statement %q does not exist", name)
}
