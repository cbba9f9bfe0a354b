package session

import (
	"slices"
	"sync"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// What a frontend without connections is answered without any: what begins or ends a
// transaction in which nothing has been done, what pgchorus tells itself, and a Parse that a
// node has accepted before. A client that prepares its statements while all connections are
// lent would otherwise wait, and with it perhaps those that have them.

// SharedTexts are the names of statements that nodes have accepted. Safe for concurrent use.
type SharedTexts struct {
	mu    sync.RWMutex // guards names
	names map[string]struct{}
}

// maxSharedTexts bounds how many are remembered; when there are more, all are forgotten.
const maxSharedTexts = 20000

// NewSharedTexts returns an empty memory.
func NewSharedTexts() *SharedTexts { return &SharedTexts{names: map[string]struct{}{}} }

func (t *SharedTexts) has(name string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.names[name]
	return ok
}

func (t *SharedTexts) add(name string) {
	if t.has(name) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.names) >= maxSharedTexts {
		clear(t.names)
	}
	t.names[name] = struct{}{}
}

// noteAccepted remembers that a node has accepted a Parse.
func (s *Session) noteAccepted(p *prepared) {
	if s.loan.on && p.names.main != "" && p.names.sent == p.sent && !p.names.private {
		s.SharedTexts.add(p.names.main)
	}
}

// asksNoNode reports whether a query string is answered here even if all connections are lent.
func (s *Session) asksNoNode(script *parser.Script) bool {
	if len(script.Statements) == 1 && script.Statements[0].Kind == parser.Begin && s.tx.kind == txNone {
		return true
	}
	for i := range script.Statements {
		if stmt := &script.Statements[i]; !needsNoNode(stmt) {
			return false
		}
	}
	return script.Err == nil
}

// needsNoNode names statements that a session without connections is answered here. A BEGIN
// with options may stand in a block, whose nodes have to hear of them.
func needsNoNode(stmt *parser.Statement) bool {
	switch stmt.Kind {
	case parser.Begin:
		return !hasOptions(stmt)
	case parser.Empty, parser.Commit, parser.Rollback:
		return true
	case parser.Show:
		return showNames[stmt.Name]
	}
	return false
}

// batchAsksNoNode is asksNoNode for what was collected of an extended query.
func (s *Session) batchAsksNoNode() bool {
	if s.set != nil {
		return false
	}
	var parsed []string // names of statements of the batch that need no node
	for _, frame := range s.batch.messages {
		switch frame.Kind() {
		case wire.KindParse:
			m, err := wire.DecodeParse(frame.Body())
			if err != nil {
				return false
			}
			script := s.memo.Script(s.Scripts, m.Query)
			if script.Err != nil || len(script.Statements) != 1 || !needsNoNode(&script.Statements[0]) {
				return false
			}
			parsed = append(parsed, m.Name)
		case wire.KindBind:
			_, name, err := wire.BindNames(frame.Body())
			if p := s.st.prepared[string(name)]; err != nil || !slices.Contains(parsed, string(name)) && (p == nil || !needsNoNode(p.stmt)) {
				return false
			}
		case wire.KindDescribe:
			if what, _, err := wire.DecodeTarget(frame.Body()); err != nil || what != 'P' {
				return false
			}
		case wire.KindExecute, wire.KindClose:
		default:
			return false
		}
	}
	return true
}

// parseFromMemory answers a batch of nothing but Parse messages that nodes have accepted
// before. handled is false if it is not one.
func (s *Session) parseFromMemory(end batchEnd) (handled bool) {
	if s.set != nil || !s.loan.on || end != endSync || s.tx.failed {
		return false
	}
	steps := make([]step, 0, len(s.batch.messages))
	for _, frame := range s.batch.messages {
		if frame.Kind() != wire.KindParse {
			return false
		}
		st, known := s.planKnown(frame)
		if !known || slices.ContainsFunc(steps, func(other step) bool { return other.prepared.name == st.prepared.name }) {
			return false
		}
		steps = append(steps, st)
	}
	for _, st := range steps {
		s.noteStep(st)
		s.replyEmpty(wire.KindParseComplete)
	}
	return true
}

// planKnown plans a Parse; known is false unless a node has accepted it, or none has to. It was
// planned without a node to ask, so that it is planned anew when it is bound.
func (s *Session) planKnown(frame wire.Frame) (st step, known bool) {
	st, err := s.plan(frame)
	if err != nil || st.taken != nil || st.prepared.name == "" {
		return step{}, false
	}
	p := st.prepared
	if st.local != nil {
		return st, true
	}
	s.namePrepared(p)
	if p.names.private || !s.SharedTexts.has(p.names.main) {
		return step{}, false
	}
	p.generation = unplanned
	return st, true
}

// unplanned is a generation that the catalogue never has.
const unplanned = ^uint64(0)
