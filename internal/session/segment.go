package session

import (
	"context"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// segment is a run of messages of an extended query that go to the same place. It is
// the session's work while it runs.
type segment struct {
	s     *Session
	steps []step
	where target
	end   batchEnd
	bare  bool
}

// reset empties a segment, whose memory is used again.
func (g *segment) reset(s *Session) {
	clear(g.steps)
	*g = segment{s: s, steps: g.steps[:0]}
}

// takes reports whether a message fits behind those that the segment has.
func (g *segment) takes(st step) bool {
	switch {
	case st.local != nil:
		return len(g.steps) == 0
	case len(g.steps) == 0:
		return true
	case st.needsOwnSegment() || g.steps[0].needsOwnSegment() && st.kind != wire.KindExecute && st.kind != wire.KindDescribe:
		return g.joinsOwn(st)
	case st.where == g.where, st.anywhere && g.where.all:
		return true
	}
	return st.where.all && g.onlyPrepares()
}

// joinsOwn: a statement that runs outside of any block shares its segment with its
// own messages only.
func (g *segment) joinsOwn(st step) bool {
	for _, other := range g.steps {
		if !other.prepared.is(st.prepared) || st.portal != nil && st.portal.care != nil && st.kind == other.kind {
			return false
		}
	}
	return true
}

// needsOwnSegment reports whether the message belongs to a statement that cannot share
// a transaction with others, or that changes what the names of others mean.
func (st step) needsOwnSegment() bool {
	if st.prepared == nil {
		return false
	}
	if st.portal != nil && st.portal.care != nil {
		return true
	}
	switch st.prepared.kind() {
	case parser.Prepare, parser.Execute, parser.Deallocate, parser.Discard:
		return true
	}
	return st.prepared.stmt.Block != parser.BlockAny || changesCatalogue(st.prepared.kind()) // what comes behind is decided by it
}

// onlyPrepares reports whether the segment would be content with going to all nodes.
func (g *segment) onlyPrepares() bool {
	for _, st := range g.steps {
		if !st.anywhere {
			return false
		}
	}
	return true
}

func (g *segment) add(st step) {
	if len(g.steps) == 0 || st.where.all {
		g.where = st.where
	}
	g.steps = append(g.steps, st)
}

// run has the segment done and empties it.
func (g *segment) run(ctx context.Context, end batchEnd) (ok bool, err error) {
	if len(g.steps) == 0 {
		return true, nil
	}
	s := g.s
	g.end = end
	if err := g.limitBound(); err != nil {
		return s.refused(err)
	}
	s.work, s.care, s.unlike = g, g.care(), g.unlike()
	defer s.endCare()
	g.openImplicit()
	switch {
	case g.where.all && s.replicates():
		ok, err = g.runAll(ctx)
	case g.where.all:
		ok, err = s.executeSession(ctx)
	default:
		ok, err = s.executeOne(ctx, g.where)
		g.movePortals()
	}
	g.conclude(ok)
	g.reset(s)
	return ok, err
}

// changesRows reports whether the segment executes nothing but statements that change rows,
// and all of each.
func (g *segment) changesRows() bool {
	executes := false
	for _, st := range g.steps {
		if st.kind == wire.KindExecute {
			if st.prepared == nil || !st.whole || !changesRows(st.prepared.kind()) {
				return false
			}
			executes = true
		}
	}
	return executes
}

// openImplicit opens a block of ours, where writes are not replicated, if the extended query
// goes on behind a segment that may change something: its end is ours to know, since other
// nodes may have a part in it. Up to Sync, a server's own implicit transaction will do.
func (g *segment) openImplicit() {
	s := g.s
	changes := g.where.once || g.where.all
	switch {
	case s.tx.kind != txNone || !changes || g.end == endSync || s.replicates():
	case g.block() != parser.BlockAny:
		s.batch.pinned = true
	default:
		s.openBlock(txImplicit, plainBegin, nil)
		s.tx.changed, s.tx.pinned = true, true // it was routed before there was a block
	}
}

// movePortals follows a segment that was run elsewhere than planned: what it has bound
// is there.
func (g *segment) movePortals() {
	for _, st := range g.steps {
		if st.kind == wire.KindBind {
			st.portal.target.node = g.s.ranOn
		}
	}
}

// runAll runs the segment on all nodes, in the way that its statement's relation to
// transaction blocks asks for.
func (g *segment) runAll(ctx context.Context) (ok bool, err error) {
	s := g.s
	block := g.block()
	s.utility = g.utility()
	if s.tx.kind != txNone || block == parser.BlockAny {
		return s.executeWithValues(ctx)
	}
	if warning, until := g.lastsToSync(); until {
		s.warning = warning
		return s.executeAll(ctx, allOptions{})
	}
	if block == parser.BlockMayCommit {
		return s.executeMayCommit(ctx, &g.bare)
	}
	return g.runBare(ctx)
}

// block is how the segment's statements relate to transaction blocks. One that is
// not BlockAny is alone in its segment.
func (g *segment) block() parser.Block {
	for _, st := range g.steps {
		if st.prepared != nil && st.prepared.stmt.Block != parser.BlockAny {
			return st.prepared.stmt.Block
		}
	}
	return parser.BlockAny
}

// utility is the command that the segment executes, which is alone in it.
func (g *segment) utility() utility {
	for _, st := range g.steps {
		if st.kind == wire.KindExecute && st.prepared != nil && st.prepared.stmt.Block != parser.BlockAny {
			return utility{st.prepared.stmt, st.prepared.sent}
		}
	}
	return utility{}
}

// lastsToSync: SET LOCAL and its relatives warn outside of a block, and yet hold up to
// Sync (PostgreSQL, WarnNoTransactionBlock).
func (g *segment) lastsToSync() (warning string, until bool) {
	for _, st := range g.steps {
		if st.kind == wire.KindExecute && st.prepared != nil {
			switch kind := st.prepared.stmt.Kind; kind {
			case parser.SetLocal, parser.SetTransaction, parser.SetConstraints:
				return strings.ToUpper(kind.String()) + " can only be used in transaction blocks", true
			}
		}
	}
	return "", false
}

func (g *segment) runBare(ctx context.Context) (ok bool, err error) {
	g.bare = true
	var opt allOptions
	if u := g.utility(); u.stmt != nil {
		if err := g.s.mayDrop(u.stmt, u.sql); err != nil {
			return g.s.refused(err)
		}
	}
	for _, st := range g.steps {
		if st.prepared != nil {
			g.s.prepareBare(st.prepared.stmt)
			opt = bareOptions(st.prepared.stmt)
		}
	}
	return g.s.executeBare(ctx, opt)
}

// conclude keeps what the statements changed of the session; after a failure it
// forgets the prepared statements that the frontend was not told of.
func (g *segment) conclude(ok bool) {
	s := g.s
	for _, st := range g.steps {
		if st.kind == wire.KindExecute {
			st.portal.kept = nil
		}
		switch {
		case !ok && st.kind == wire.KindParse:
			if p := s.st.prepared[st.prepared.name]; p.is(st.prepared) && !g.parsed(p) && !g.parsed(st.prepared) {
				delete(s.st.prepared, st.prepared.name)
			}
		case !ok && st.kind == wire.KindBind:
			if s.st.portals[st.portal.name] == st.portal {
				delete(s.st.portals, st.portal.name)
			}
		case ok && st.kind == wire.KindParse:
			st.prepared.accepted = true
			s.noteAccepted(st.prepared)
		case ok && st.kind == wire.KindExecute && st.prepared != nil:
			s.noteStatement(st.prepared.stmt, st.prepared.text)
			s.batch.executed = true
		}
	}
	if ok {
		s.noteEndedByStatement()
	}
}

// abandon is for messages that are not run any more, since one behind them was refused: nobody has prepared or bound
// what they did.
func (g *segment) abandon() {
	g.conclude(false)
	g.reset(g.s)
}

// parsed reports whether a node that failed had prepared the statement before.
func (g *segment) parsed(p *prepared) bool {
	for _, l := range g.s.links {
		if l != nil && l.answer.Failed() && (l.prepared[p.name] == p || l.hasShared(p)) {
			return true
		}
	}
	return false
}

// appendTo encodes the segment for a node. Only the node that answers for all is given
// the frontend's Parse and Describe; the others get what they lack and what acts.
func (g *segment) appendTo(l *link) {
	l.appendForgotten()
	if c := g.s.care; c.relayed() && !l.answers && g.has(wire.KindExecute) {
		l.unsynced = l.unsynced || len(l.exchange.Expect) > 0
		l.appendRelay(c.relay)
		return
	}
	if l.needsBegin() && !g.bare {
		l.appendBegin()
	}
	if g.s.care != nil {
		g.appendCare(l, g.s.care)
	} else {
		g.appendSteps(l)
	}
	g.countExecutes(l)
	l.unsynced = true
	switch {
	case g.end == endSync, g.where.all && g.s.replicates():
		l.appendSync()
	default:
		l.append(wire.Expect{}, wire.AppendFlush)
	}
}

// appendSteps encodes the messages as they are.
func (g *segment) appendSteps(l *link) {
	for i := range g.steps {
		if st := &g.steps[i]; l.answers || st.acts {
			g.appendStep(l, st)
		}
	}
}

func (g *segment) drawsSequence() bool {
	return slices.ContainsFunc(g.steps, func(st step) bool {
		return st.kind == wire.KindExecute && st.prepared != nil && drawsSequence(st.prepared.stmt)
	})
}

func (g *segment) takesSnapshot() bool {
	return slices.ContainsFunc(g.steps, func(st step) bool {
		return st.prepared != nil && takesSnapshot(st.prepared.stmt.Kind)
	})
}

func (g *segment) countExecutes(l *link) {
	for _, st := range g.steps {
		if st.kind == wire.KindExecute && st.prepared != nil {
			l.noteSent(st.prepared.stmt.Kind, st.prepared.text)
			l.noteCode(st.prepared.stmt.Kind)
		}
	}
}

func (g *segment) appendStep(l *link, st *step) {
	e := wire.Expect{What: expectOf(st)}
	if st.kind == wire.KindExecute && st.prepared != nil {
		e.Digest = st.whole && wantsDigest(st.prepared.stmt)
	}
	if st.prepared != nil && st.prepared.plan != nil {
		e.Params, e.Place = st.prepared.params+1, st.prepared.filled.Position
	}
	switch st.kind {
	case wire.KindExecute:
		g.bindAgain(l, st.portal, nil)
		l.appendResultQuestion(st)
		e.Row = l.rowHook(st)
	case wire.KindParse:
		if st.taken == nil {
			l.appendParse(st.prepared, e)
			return
		}
		l.appendNeeded(st.taken)
	case wire.KindBind:
		g.appendFrontendBind(l, st, e)
		return
	case wire.KindDescribe:
		e.About = g.s.describes(st)
		if st.target == 'S' {
			l.appendNeeded(st.prepared)
		} else {
			g.bindAgain(l, st.portal, nil)
		}
	}
	l.append(e, func(b []byte) []byte { return l.appendNamed(b, st) })
}

// appendFrontendBind binds a statement, which the node may have to be given.
func (g *segment) appendFrontendBind(l *link, st *step, e wire.Expect) {
	l.appendNeeded(st.prepared)
	if named := g.s.named(st.prepared.stmt); named != nil {
		l.appendNeeded(named)
	}
	if listsPrepared(st.prepared.stmt) {
		l.appendAllPrepared()
	}
	l.append(e, func(b []byte) []byte { return g.appendBind(l, b, st) })
	l.noteBound(st.portal)
}

// appendBind leaves a Bind that does not decode as it is: the server says what is
// wrong with it.
func (g *segment) appendBind(l *link, b []byte, st *step) []byte {
	out, err := st.prepared.appendBind(b, st.frame, st.values)
	if err != nil {
		return append(b, st.frame...)
	}
	if st.translated {
		l.translateBind(st.prepared, out[len(b):])
	}
	return l.renamed(out, len(b), st.prepared)
}

func expectOf(st *step) wire.ExpectKind {
	switch st.kind {
	case wire.KindParse:
		return wire.ExpectParse
	case wire.KindBind:
		return wire.ExpectBind
	case wire.KindDescribe:
		if st.target == 'S' {
			return wire.ExpectDescribeStatement
		}
		return wire.ExpectDescribePortal
	case wire.KindExecute:
		return wire.ExpectExecute
	}
	return wire.ExpectClose
}
