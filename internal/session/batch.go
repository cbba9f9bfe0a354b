package session

import (
	"context"
	"strings"

	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
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
