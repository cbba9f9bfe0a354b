package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"unsafe"

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
	args     wire.Arguments
	portal   string
	describe bool
	// params is the part of the key that the text does not tell. Its room is used again.
	params []byte
}

// runSharedBatch runs the batch if it is one read whose answer may be kept, which the
// simple protocol shares where the bytes are the same. handled is false if it is not.
// In a block the portal would have to outlive the answer, so a batch in one is not.
func (s *Session) runSharedBatch(ctx context.Context, end batchEnd) (handled, ok bool, err error) {
	b, is := s.sharedBatch(end)
	if !is {
		return false, false, nil
	}
	v := s.cacheVerdictOf(b.stmt, cachepolicy.HintOf(b.text), false)
	if !v.read.Keep || !s.learnScope() {
		return false, false, nil
	}
	k := b.key(s.caching.scope)
	e, found := s.find(k, b.describe, v)
	if e != nil {
		return s.giveBatch(b, e)
	}
	return s.missBatch(ctx, sharedRead{key: k, verdict: v, columns: b.describe, found: found})
}

// answerParked is runSharedBatch for a session without connections, as far as it needs none: the answer is in memory,
// and whether it may be given is known.
func (s *Session) answerParked(end batchEnd) (answered bool) {
	if !s.caching.scoped() {
		return false
	}
	b, is := s.sharedBatch(end)
	if !is {
		return false
	}
	v := s.knownCacheVerdict(s.cacheShapeOf(b.stmt, cachepolicy.HintOf(b.text), false))
	if v == nil || !v.read.Keep {
		return false
	}
	e := s.Cache.Look(b.key(s.caching.scope), b.describe)
	if e == nil {
		return false
	}
	s.refreshView()
	answered, _, _ = s.giveBatch(b, e)
	return answered
}

// sharedBatch is readBatch where an answer may be shared.
func (s *Session) sharedBatch(end batchEnd) (*readBatch, bool) {
	if s.Cache == nil || end != endSync || s.tx.kind != txNone || s.batch.copied || !s.mayShare() {
		return nil, false
	}
	return s.readBatch()
}

// missBatch has a node answer the batch, or another session that is asking for the same.
func (s *Session) missBatch(ctx context.Context, r sharedRead) (handled, ok bool, err error) {
	b := *s.caching.batch
	if r.where = s.route(s.traits(b.stmt, b.text)); r.where.all || r.where.once {
		return false, false, nil
	}
	r.key.Params = bytes.Clone(r.key.Params)
	r.give = func(e *cache.Entry) (bool, bool, error) { return s.giveBatch(&b, e) }
	ok, err = s.readAndKeep(ctx, &r, func() (bool, error) { return s.runMessages(ctx, endSync) })
	return true, ok, err
}

// readBatch looks at what was collected. What it returns is good until the next one.
func (s *Session) readBatch() (*readBatch, bool) {
	b := s.caching.batch
	if b == nil {
		b = &readBatch{}
		s.caching.batch = b
	}
	*b = readBatch{params: b.params[:0]}
	messages := s.batch.messages
	if len(messages) > 0 && messages[0].Kind() == wire.KindParse {
		b.parse, messages = messages[0], messages[1:]
	}
	if len(messages) < 2 || len(messages) > 3 || messages[0].Kind() != wire.KindBind || !b.executes(messages[1:]) {
		return nil, false
	}
	portal, name, err := wire.BindNames(messages[0].Body())
	if err != nil || string(portal) != b.portal || !s.statementOf(b, name) {
		return nil, false
	}
	if b.args, err = wire.BindArguments(messages[0].Body()); err != nil || b.args.Len < b.stmt.MaxParam {
		return nil, false
	}
	return b, !b.args.Any(namesMoment)
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
func (s *Session) statementOf(b *readBatch, name []byte) bool {
	if b.parse == nil {
		p := s.st.prepared[string(name)]
		if p == nil || p.bySQL || p.plan != nil || p.scopes != s.caching.scopes {
			return false // constants in it may mean what they meant in another scope
		}
		b.stmt, b.text, b.types = p.stmt, p.text, p.types
		return b.stmt.Kind == parser.Select
	}
	m, err := wire.DecodeParse(b.parse.Body())
	if err != nil || m.Name != string(name) || m.Name != "" && s.st.prepared[m.Name] != nil {
		return false
	}
	script := s.memo.Script(s.Scripts, m.Query)
	b.stmt, b.text, b.types = &script.Statements[0], m.Query, m.Types
	return len(script.Statements) == 1 && b.stmt.Kind == parser.Select
}

// namesMoment reports whether a parameter may stand for the current time.
func namesMoment(value []byte) bool { return parser.NamesMoment(string(value)) }

// key is the answer's. It is good as long as b.
func (b *readBatch) key(scope *cache.Scope) cache.Key {
	b.keyParams()
	return cache.Key{Scope: scope, Text: unsafe.Slice(unsafe.StringData(b.text), len(b.text)), Params: b.params}
}

// keyParams makes the part of the key that the text does not tell: nothing for a statement
// without parameters and with a result in text, as the simple protocol has them.
func (b *readBatch) keyParams() {
	if len(b.types) == 0 && b.args.Len == 0 && b.args.TextResults() {
		return
	}
	b.params = binary.BigEndian.AppendUint32(b.params, uint32(len(b.types)))
	for _, oid := range b.types {
		b.params = binary.BigEndian.AppendUint32(b.params, oid)
	}
	b.params = append(b.params, b.args.All...)
}

// giveBatch answers the batch with a kept answer. handled is false if its Parse is one that
// the road has something to say to.
func (s *Session) giveBatch(b *readBatch, e *cache.Entry) (handled, ok bool, err error) {
	if b.parse != nil {
		st, err := s.plan(b.parse)
		if err != nil || st.local != nil || st.taken != nil {
			return false, false, nil
		}
		if s.set == nil {
			st.prepared.generation = unplanned // no node could be asked
		}
		s.noteStep(st)
		s.replyEmpty(wire.KindParseComplete)
	}
	s.logStatement(b.text)
	s.replyEmpty(wire.KindBindComplete)
	s.giveEntry(e, b.describe)
	return true, true, s.gone
}
