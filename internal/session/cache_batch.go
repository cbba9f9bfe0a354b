package session

import (
	"context"
	"encoding/binary"

	"github.com/pgchorus/pgchorus/cache"
	"github.com/pgchorus/pgchorus/internal/cachepolicy"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// readBatch is an extended query that is one read: Parse or none, Bind, Describe of the
// portal or none, Execute without a limit, Sync.
type readBatch struct {
	parse    wire.Frame // nil for none
	stmt     *parser.Statement
	text     string
	types    []uint32
	bind     wire.BindMessage
	args     []byte // of the Bind, without its names
	portal   string
	describe bool
}

// runSharedBatch runs the batch if it is one read whose answer may be kept, which the
// simple protocol shares where the bytes are the same. handled is false if it is not.
// In a block the portal would have to outlive the answer, so a batch in one is not.
func (s *Session) runSharedBatch(ctx context.Context, end batchEnd) (handled, ok bool, err error) {
	if s.Cache == nil || end != endSync || s.tx.kind != txNone || s.batch.copied || !s.mayShare() {
		return false, false, nil
	}
	b, is := s.readBatch()
	if !is {
		return false, false, nil
	}
	v := s.cacheVerdictOf(b.stmt, cachepolicy.HintOf(b.text), false)
	if !v.read.Keep || !s.learnScope() {
		return false, false, nil
	}
	r := sharedRead{key: cache.Key{Scope: s.caching.scope, Text: []byte(b.text), Params: b.params()}, verdict: v, columns: b.describe}
	if e := s.Cache.Look(r.key, r.columns); e != nil {
		return s.giveBatch(b, e)
	}
	if r.where = s.route(s.traits(b.stmt, b.text)); r.where.all || r.where.once {
		return false, false, nil
	}
	r.give = func(e *cache.Entry) (bool, bool, error) { return s.giveBatch(b, e) }
	ok, err = s.readAndKeep(ctx, &r, func() (bool, error) { return s.runMessages(ctx, end) })
	return true, ok, err
}

// readBatch looks at what was collected.
func (s *Session) readBatch() (*readBatch, bool) {
	b := &readBatch{}
	messages := s.batch.messages
	if len(messages) > 0 && messages[0].Kind() == wire.KindParse {
		b.parse, messages = messages[0], messages[1:]
	}
	if len(messages) < 2 || len(messages) > 3 || messages[0].Kind() != wire.KindBind || !b.executes(messages[1:]) {
		return nil, false
	}
	portal, name, err := wire.BindNames(messages[0].Body())
	if err != nil || string(portal) != b.portal || !s.statementOf(b, string(name)) {
		return nil, false
	}
	if b.bind, err = wire.DecodeBind(messages[0].Body()); err != nil || len(b.bind.Params) < b.stmt.MaxParam {
		return nil, false
	}
	b.args = b.bind.Arguments(messages[0].Body())
	return b, !b.namesMoment()
}

// executes reads what follows the Bind.
func (b *readBatch) executes(messages []wire.Frame) bool {
	if len(messages) == 2 {
		what, name, err := wire.DecodeTarget(messages[0].Body())
		if err != nil || messages[0].Kind() != wire.KindDescribe || what != 'P' {
			return false
		}
		b.describe, b.portal = true, name
	}
	last := messages[len(messages)-1]
	if last.Kind() != wire.KindExecute {
		return false
	}
	name, limit, err := wire.DecodeExecute(last.Body())
	same := !b.describe || name == b.portal
	b.portal = name
	return err == nil && limit == 0 && same
}

// statementOf finds the statement that is bound: the one of the batch's Parse, or one that
// was prepared before.
func (s *Session) statementOf(b *readBatch, name string) bool {
	if b.parse == nil {
		p := s.st.prepared[name]
		if p == nil || p.bySQL || p.plan != nil || p.scopes != s.caching.scopes {
			return false // constants in it may mean what they meant in another scope
		}
		b.stmt, b.text, b.types = p.stmt, p.text, p.types
		return b.stmt.Kind == parser.Select
	}
	m, err := wire.DecodeParse(b.parse.Body())
	if err != nil || m.Name != name || name != "" && s.st.prepared[name] != nil {
		return false
	}
	script := s.memo.Script(s.Scripts, m.Query)
	b.stmt, b.text, b.types = &script.Statements[0], m.Query, m.Types
	return len(script.Statements) == 1 && b.stmt.Kind == parser.Select
}

// namesMoment reports whether a parameter may stand for the current time.
func (b *readBatch) namesMoment() bool {
	for _, value := range b.bind.Params {
		if parser.NamesMoment(string(value)) {
			return true
		}
	}
	return false
}

// params is the part of the key that the text does not tell: nothing for a statement
// without parameters and with a result in text, as the simple protocol has them.
func (b *readBatch) params() []byte {
	if len(b.types) == 0 && len(b.bind.Params) == 0 && b.bind.TextResults() {
		return nil
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(b.types)))
	for _, oid := range b.types {
		out = binary.BigEndian.AppendUint32(out, oid)
	}
	return append(out, b.args...)
}

// giveBatch answers the batch with a kept answer. handled is false if its Parse is one that
// the road has something to say to.
func (s *Session) giveBatch(b *readBatch, e *cache.Entry) (handled, ok bool, err error) {
	if b.parse != nil {
		st, err := s.plan(b.parse)
		if err != nil || st.local != nil || st.taken != nil {
			return false, false, nil
		}
		s.noteStep(st)
		s.replyEmpty(wire.KindParseComplete)
	}
	s.logStatement(b.text)
	s.replyEmpty(wire.KindBindComplete)
	s.giveEntry(e, b.describe)
	return true, true, s.gone
}
