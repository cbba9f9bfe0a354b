package session

import (
	"context"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// An extended query is collected up to Sync or Flush and then run in segments: runs
// of messages that go to the same place. Nothing is pipelined into a node beyond a
// segment, whose requests are bounded in size, so that a node that waits for us to
// read its answers cannot make us wait for it to read our requests.

// batchEnd is what closes the messages collected so far.
type batchEnd uint8

const (
	endNone  batchEnd = iota // nothing: a bound was reached, or another message comes
	endFlush                 // Flush: the frontend waits for answers
	endSync                  // Sync: the implicit transaction ends
)

// Bounds on what is collected before it is run.
const (
	maxBatchBytes    = 64 << 10
	maxBatchMessages = 1000
)

// batch is the extended query that is being collected.
type batch struct {
	messages []wire.Frame // in text
	// text has the messages one behind the other. What grows it leaves earlier messages where
	// they are, in memory that is not used again.
	text []byte
	// end is what closed the messages that are being run.
	end batchEnd
	// copied: a COPY FROM STDIN was run, during which the server would have ignored
	// the Sync that had come before the data.
	copied bool
	// executed: something was executed since the last Sync.
	executed bool
	// pinned: what was executed since the last Sync is in the primary's own implicit
	// transaction.
	pinned bool
	// skipping: a message failed, what follows is ignored up to Sync.
	skipping bool
}

// collect keeps a message until the batch is run.
func (s *Session) collect(ctx context.Context, frame wire.Frame) error {
	if s.batch.skipping {
		return nil
	}
	s.batch.keep(frame)
	if len(s.batch.text) < maxBatchBytes && len(s.batch.messages) < maxBatchMessages {
		return nil
	}
	return s.runBatch(ctx, endNone)
}

func (b *batch) keep(frame wire.Frame) {
	at := len(b.text)
	b.text = append(b.text, frame...)
	b.messages = append(b.messages, wire.Frame(b.text[at:len(b.text):len(b.text)]))
}

// maxKeptBatch is the largest buffer that an idle session keeps for the next batch, in bytes.
const maxKeptBatch = 4 << 10

// forget drops the messages. Nobody may have kept a part of one.
func (b *batch) forget() {
	clear(b.messages)
	b.messages, b.text = b.messages[:0], b.text[:0]
	if cap(b.text) > maxKeptBatch {
		b.text = nil
	}
}

// runBatch runs what was collected. Errors of statements are answered inside.
func (s *Session) runBatch(ctx context.Context, end batchEnd) error {
	if len(s.batch.messages) > 0 {
		s.beginWork()
		ok, err := s.unparkForBatch(ctx, end)
		if ok && len(s.batch.messages) > 0 {
			ok, err = s.runCollected(ctx, end)
		}
		if err != nil {
			return err
		}
		if !ok {
			s.batch.skipping = true
			s.tx.failed = s.tx.kind != txNone
		}
		s.batch.forget()
	}
	if s.batch.copied && end == endSync {
		s.batch.copied = false
		s.flush()
		return s.gone
	}
	if end == endFlush {
		s.endAtOnce(true)
	}
	switch end {
	case endSync:
		return s.sync(ctx)
	case endFlush:
		s.flush()
		return s.gone
	}
	return nil
}

// runCollected runs the messages of the batch.
func (s *Session) runCollected(ctx context.Context, end batchEnd) (ok bool, err error) {
	s.refreshView()
	if err := s.lostLocks(); err != nil {
		return false, err
	}
	s.batch.end = end
	handled, ok, err := s.runSharedBatch(ctx, end)
	if !handled && err == nil {
		ok, err = s.runMessages(ctx, end)
	}
	s.batch.end = endNone
	return ok, err
}

// runMessages cuts the batch into segments and runs them in order.
func (s *Session) runMessages(ctx context.Context, end batchEnd) (ok bool, err error) {
	seg := &s.seg
	seg.reset(s)
	for _, frame := range s.batch.messages {
		if ok, err := s.runMessage(ctx, seg, frame); !ok || err != nil {
			seg.abandon()
			return false, err
		}
	}
	s.closing = end == endSync && seg.changesRows()
	return seg.run(ctx, end)
}

// runMessage puts a message into the segment, or runs the segment and begins the
// next one with it. What a message means may depend on what was run before it, so it
// is planned again then.
func (s *Session) runMessage(ctx context.Context, seg *segment, frame wire.Frame) (ok bool, err error) {
	if ok, err := s.snapshotBefore(ctx, seg, frame); !ok || err != nil {
		return false, err
	}
	step, err := s.plan(frame)
	if err != nil || !seg.takes(step) {
		if ok, err := seg.run(ctx, endNone); !ok || err != nil {
			return false, err
		}
		step, err = s.plan(frame)
	}
	if err := s.disturbed(ctx); err != nil {
		return s.refuseOrEnd(err)
	}
	if err != nil {
		return s.refused(err)
	}
	s.noteStep(step)
	if step.kind == wire.KindExecute && step.prepared != nil {
		s.logStatement(step.prepared.text)
		s.notePreparing(step.prepared.stmt)
		s.noteWrite(step.prepared.stmt, step.where)
		s.noteLoan(step.prepared.stmt, step.prepared.text, step.where)
	}
	if step.local != nil {
		return step.local(ctx)
	}
	if step.kind == wire.KindBind && s.replicates() && step.where.all {
		if ok, err := s.makeValues(ctx, seg, &step); !ok || err != nil {
			return false, err
		}
	}
	if step.kind == wire.KindBind {
		if ok, err := s.bindElsewhere(ctx, seg, &step); !ok || err != nil {
			return false, err
		}
		if ok, err := s.makeObjects(ctx, seg, &step); !ok || err != nil {
			return false, err
		}
		if ok, err := s.watchBound(ctx, seg, &step); !ok || err != nil {
			return false, err
		}
	}
	seg.add(step)
	return true, nil
}

// makeValues makes the values that a Bind is given in addition. What is asked of main for
// them is asked behind the messages before it.
func (s *Session) makeValues(ctx context.Context, seg *segment, st *step) (ok bool, err error) {
	planned := st.prepared.generation
	s.drew.before = seg
	err = s.bindValues(ctx, st)
	s.drew.before = nil
	if err != nil {
		return s.refuseOrEnd(err)
	}
	if st.prepared.generation == planned {
		return true, nil
	}
	return s.careAgain(ctx, seg, st)
}

// careAgain decides anew what is done for a Bind whose statement was planned anew.
func (s *Session) careAgain(ctx context.Context, seg *segment, st *step) (ok bool, err error) {
	if st.portal.care = s.careForBind(st.portal, st.frame); st.portal.care == nil {
		return true, nil
	}
	if err := st.prepared.checkParams(st.frame); err != nil {
		return s.refused(err)
	}
	if !seg.takes(*st) {
		return seg.run(ctx, endNone)
	}
	return true, nil
}

// makeObjects numbers the large objects that a Bind has made.
func (s *Session) makeObjects(ctx context.Context, seg *segment, st *step) (ok bool, err error) {
	executed, _ := s.effectiveOf(st.prepared.stmt, st.prepared.text)
	if executed.Objects == 0 || !st.where.all || !s.replicates() {
		return true, nil
	}
	if ok, err := seg.run(ctx, endNone); !ok || err != nil {
		return false, err
	}
	if err := s.numberObjects(ctx, executed); err != nil {
		return s.refuseOrEnd(err)
	}
	return true, nil
}

// noteStep makes a message's statement or portal known to those that follow.
func (s *Session) noteStep(st step) {
	switch st.kind {
	case wire.KindParse:
		if st.taken == nil {
			s.st.prepared[st.prepared.name] = st.prepared
			st.prepared.scopes = s.caching.scopes
		}
	case wire.KindBind:
		if len(s.seg.steps) == 0 {
			s.st.forgetPortal(st.portal.name)
		}
		s.st.portals[st.portal.name] = st.portal
	case wire.KindClose:
		s.noteClose(st)
	}
}

// sync ends the extended query: nodes that wait for a Sync get it, the implicit
// transaction ends, and the frontend hears ReadyForQuery.
func (s *Session) sync(ctx context.Context) error {
	s.syncLinks(ctx)
	ok := !s.batch.skipping
	s.batch.skipping, s.batch.executed, s.batch.pinned = false, false, false
	if s.tx.kind != txExplicit {
		s.st.forgetPortals()
	}
	return s.settleAt(ctx, ok, keepTag)
}

// syncLinks sends Sync where messages were sent without one. What a standby says then, such
// as that a setting has changed, the primary has said before.
func (s *Session) syncLinks(ctx context.Context) {
	s.work = syncWork{}
	for _, l := range s.links {
		if l == nil || !l.unsynced && !l.conn.Skipping {
			continue
		}
		l.unsynced = true
		visible := !s.hasPrimary() || l == s.main()
		err := l.Start(visible)
		if err == nil {
			_, err = l.Finish(visible)
		}
		if err != nil {
			s.lost(ctx, l, err)
		}
	}
}

// endOpenReads ends, at a simple query, what messages without a Sync have begun on standbys:
// a server, too, ends its implicit transaction with the query.
func (s *Session) endOpenReads(ctx context.Context) {
	if s.tx.kind != txNone || !s.hasPrimary() {
		return
	}
	for _, l := range s.links {
		if l != nil && l.unsynced && l != s.main() {
			s.endPart(ctx, l)
		}
	}
}

// functionCall runs a function call message, which may do anything: on all nodes.
func (s *Session) functionCall(ctx context.Context, frame wire.Frame) error {
	if s.batch.skipping {
		return nil
	}
	call := append(wire.Frame(nil), frame...)
	if err := s.runBatch(ctx, endNone); err != nil || s.batch.skipping {
		return err
	}
	s.beginWork()
	ok, err := s.unpark(ctx)
	if ok {
		s.refreshView()
		s.noteAnything()
		s.noteAnyEffect()
		ok, err = s.runCall(ctx, call)
	}
	if err != nil {
		return err
	}
	return s.settle(ctx, ok)
}

// step is one message of a batch with what it means.
type step struct {
	kind     wire.Kind
	frame    wire.Frame
	where    target
	prepared *prepared // of Parse, Bind, Describe S
	portal   *portal   // of Bind, Describe P, Execute
	target   byte      // of Describe and Close: S or P
	name     string    // of Close
	// taken is the statement that has the name of a Parse already.
	taken *prepared
	// acts: it binds or executes, which all nodes have to do.
	acts bool
	// values are those of Bind that are added for the prepared statement's plan.
	values []parser.Value
	// translated: a Bind whose parameters have numbers of types in them.
	translated bool
	// whole: an Execute without a limit. With one, the rows are the first in the order
	// that they have on disk, which is each node's own.
	whole bool
	// anywhere: it goes along with whatever segment it is in.
	anywhere bool
	// local answers the message without a node.
	local func(ctx context.Context) (ok bool, err error)
}

// plan finds out what a message means and where it goes. It may rely on the messages
// before it having succeeded: if they did not, it is not run.
func (s *Session) plan(frame wire.Frame) (step, error) {
	switch frame.Kind() {
	case wire.KindParse:
		return s.planParse(frame)
	case wire.KindBind:
		return s.planBind(frame)
	case wire.KindDescribe:
		return s.planDescribe(frame)
	case wire.KindExecute:
		return s.planExecute(frame)
	}
	return s.planClose(frame)
}

func malformed(err error) error {
	return pgerr.New(pgerr.ProtocolViolation, err.Error())
}

func (s *Session) planParse(frame wire.Frame) (step, error) {
	m, err := wire.DecodeParse(frame.Body())
	if err != nil {
		return step{}, malformed(err)
	}
	script := s.memo.Script(s.Scripts, m.Query)
	if p := s.parsedBefore(&m, script); p != nil {
		return step{kind: wire.KindParse, frame: frame, prepared: p, local: s.replyLocal(wire.KindParseComplete)}, nil
	}
	p, err := s.newPrepared(m, script)
	if err != nil {
		return step{}, err
	}
	switch {
	case s.tx.failed && script.Err != nil && !isPgpool(m.Query):
		return step{}, script.Err
	case s.tx.failed && !endsFailed(p.kind()) && p.kind() != parser.Empty:
		return step{}, s.failedTransaction()
	case m.Name != "" && s.st.prepared[m.Name] != nil:
		return s.planDuplicate(frame, p)
	}
	if err := s.learnTypes(p.types); err != nil {
		return step{}, err
	}
	if !s.answersHere(p) && p.kind() != parser.Prepare {
		if err := s.checkSafety(p.stmt, p.text, 0); err != nil {
			return step{}, err
		}
	}
	p.sent = s.raised(p.stmt, s.withRolePassword(p.stmt, p.sent))
	p.sent, _ = s.withObjects(p.stmt, s.withProcess(p.stmt, s.withAddedTimes(p.stmt, p.sent)))
	p.others = othersText(p.stmt, p.sent)
	st := step{kind: wire.KindParse, frame: frame, prepared: p}
	if s.answersHere(p) {
		st.local = s.parseHere(p)
		return st, nil
	}
	s.noteParsed(p, script)
	st.where = s.routePrepared(p)
	if st.where.all {
		// A statement that is only prepared concerns main alone; the others are given
		// it when it is bound.
		st.where = s.mainTarget()
		st.anywhere = true
	}
	return st, nil
}

// planDuplicate is a Parse whose name is taken. Main refuses it, after it has looked for
// other errors in the text.
func (s *Session) planDuplicate(frame wire.Frame, p *prepared) (step, error) {
	taken := s.st.prepared[p.name]
	if s.answersHere(taken) {
		return step{}, pgerr.Newf(pgerr.DuplicatePreparedStatement, "prepared statement %q already exists", p.name)
	}
	return step{kind: wire.KindParse, frame: frame, prepared: p, taken: taken, where: s.mainTarget(), anywhere: true}, nil
}

// routePrepared is where the execution of p goes.
func (s *Session) routePrepared(p *prepared) target {
	if where, ok := s.signalTarget(p.stmt); ok {
		return where
	}
	return s.route(s.traits(p.stmt, p.text))
}

func (s *Session) mainTarget() target {
	if main := s.main(); main != nil {
		return target{node: main.ID()}
	}
	return target{node: noNode}
}

func (s *Session) planBind(frame wire.Frame) (step, error) {
	portalName, name, err := wire.BindNames(frame.Body())
	if err != nil {
		return step{}, malformed(err)
	}
	p := s.st.prepared[string(name)]
	if p == nil {
		return step{}, unknownStatement(string(name))
	}
	if s.tx.failed && !endsFailed(p.kind()) {
		return step{}, s.failedTransaction()
	}
	if err := p.checkBind(frame, s.answersHere(p) || p.auto != nil); err != nil {
		return step{}, err
	}
	bound := s.st.newPortal(string(portalName), p)
	st := step{kind: wire.KindBind, frame: frame, prepared: p, portal: bound, acts: true}
	if s.answersHere(p) {
		st.local = s.replyLocal(wire.KindBindComplete)
		return st, nil
	}
	if err := s.bindNumbers(&st); err != nil {
		return step{}, err
	}
	if err := s.checkSafety(p.stmt, p.text, 0); err != nil {
		return step{}, err
	}
	bound.basis = s.basis
	if changed, where, signals := s.bindProcess(p, frame); signals {
		st.frame, bound.target = changed, where
	} else if where, signals := s.signalTarget(p.stmt); signals {
		bound.target = where
	} else {
		bound.target = s.routeAnd(s.traits(p.stmt, p.text))
		if bound.care = s.careForBind(bound, frame); bound.care != nil {
			if err := p.checkParams(frame); err != nil {
				return step{}, err
			}
		}
	}
	st.where = bound.target
	return st, nil
}

func (s *Session) planDescribe(frame wire.Frame) (step, error) {
	what, name, err := decodeTarget(frame, "DESCRIBE")
	if err != nil {
		return step{}, err
	}
	st := step{kind: wire.KindDescribe, frame: frame, target: what}
	if what == 'S' {
		return s.planDescribeStatement(st, name)
	}
	st.portal, err = s.portalNamed(name)
	if err != nil {
		return step{}, err
	}
	st.prepared = st.portal.prepared
	if p := st.prepared; p != nil && s.answersHere(p) {
		st.local = s.describeHere(p, false)
		return st, nil
	}
	st.where = st.portal.target
	return st, nil
}

func (s *Session) planDescribeStatement(st step, name string) (step, error) {
	st.prepared = s.st.prepared[name]
	switch {
	case st.prepared == nil:
		return step{}, unknownStatement(name)
	case s.answersHere(st.prepared):
		st.local = s.describeHere(st.prepared, true)
		return st, nil
	case s.tx.failed:
		return step{}, s.failedTransaction()
	}
	st.where = s.routePrepared(st.prepared)
	if st.where.all {
		st.where, st.anywhere = s.mainTarget(), true
	}
	return st, nil
}

// portalNamed is a portal that Bind has made, or else a cursor that SQL may have.
func (s *Session) portalNamed(name string) (*portal, error) {
	if p := s.st.portals[name]; p != nil {
		return p, nil
	}
	if s.tx.kind == txExplicit && !s.tx.failed && name != "" {
		return &portal{name: name, target: s.cursorTarget()}, nil
	}
	return nil, pgerr.Newf(pgerr.InvalidCursorName, "portal %q does not exist", name)
}

// cursorTarget: DECLARE has run where writes go, and so has to what moves the cursor.
func (s *Session) cursorTarget() target { return s.route(lb.Traits{}) }

func (s *Session) planExecute(frame wire.Frame) (step, error) {
	name, limit, err := wire.DecodeExecute(frame.Body())
	if err != nil {
		return step{}, malformed(err)
	}
	p, err := s.portalNamed(name)
	if err != nil {
		return step{}, err
	}
	st := step{kind: wire.KindExecute, frame: frame, portal: p, acts: true, whole: limit == 0, where: p.target}
	if p.prepared == nil {
		return st, nil
	}
	st.prepared = p.prepared
	if limit != 0 {
		if err := s.limitCare(p); err != nil {
			return step{}, err
		}
	}
	if s.tx.failed && !endsFailed(p.prepared.kind()) {
		return step{}, s.failedTransaction()
	}
	if s.answersHere(p.prepared) {
		st.local = s.executeHere(p)
	}
	if s.tx.failed && p.prepared.kind() == parser.PrepareTransaction {
		st.local = func(ctx context.Context) (bool, error) { return s.commitBlock(ctx, p.prepared.stmt) }
	}
	if s.tx.kind == txImplicit || s.tx.kind == txNone && s.batch.executed {
		return st, refusedInPipeline(p.prepared.stmt)
	}
	return st, nil
}

func (s *Session) planClose(frame wire.Frame) (step, error) {
	what, name, err := decodeTarget(frame, "CLOSE")
	if err != nil {
		return step{}, err
	}
	return step{kind: wire.KindClose, frame: frame, target: what, name: name, local: s.replyLocal(wire.KindCloseComplete)}, nil
}

// decodeTarget reads what Describe or Close is about.
func decodeTarget(frame wire.Frame, message string) (what byte, name string, err error) {
	what, name, err = wire.DecodeTarget(frame.Body())
	switch {
	case err != nil:
		return 0, "", malformed(err)
	case what != 'S' && what != 'P':
		return 0, "", pgerr.Newf(pgerr.ProtocolViolation, "invalid %s message subtype %d", message, what)
	}
	return what, name, nil
}

// noteClose forgets a statement or portal. The nodes that have it are told when next
// they are sent something.
func (s *Session) noteClose(st step) {
	if st.target == 'P' {
		delete(s.st.portals, st.name)
	} else {
		delete(s.st.prepared, st.name)
	}
	for _, l := range s.links {
		if l != nil && (st.target == 'P' && (l.begun || l.unsynced) && st.name != "" || st.target == 'S' && l.prepared[st.name] != nil) {
			l.forgotten = append(l.forgotten, closing{what: st.target, name: st.name})
		}
	}
}

// refusedInPipeline is PostgreSQL's error for what cannot follow another statement in
// an implicit transaction.
func refusedInPipeline(stmt *parser.Statement) error {
	switch {
	case needsBlock(stmt.Kind), needsAnyBlock(stmt):
		return outsideOfBlock(stmt.Kind)
	case stmt.Block == parser.BlockNever:
		return pgerr.Newf(pgerr.ActiveSQLTransaction, "%s cannot be executed within a pipeline", strings.ToUpper(stmt.Kind.String()))
	}
	return nil
}

// endsFailed reports whether a statement may run in an aborted transaction.
func endsFailed(kind parser.Kind) bool {
	switch kind {
	case parser.Commit, parser.Rollback, parser.RollbackTo, parser.PrepareTransaction:
		return true
	}
	return false
}
