package session

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// allOptions say how work is done on all nodes.
type allOptions struct {
	// bare: outside of any block of ours.
	bare bool
	// regardless: after which failures on main the others run it too; see
	// replicator.Options.
	regardless func(code string) bool
	// maintains: it changes no data, so that a node that answers otherwise stays.
	maintains bool
	// early: the frontend may be answered before the others have answered.
	early bool
}

// executeAll runs the session's work on all nodes, main first, and compares. ok is
// false when the frontend was answered with an error; err ends the session.
func (s *Session) executeAll(ctx context.Context, opt allOptions) (ok bool, err error) {
	if err := s.disturbed(ctx); err != nil {
		return s.refuseOrEnd(err)
	}
	if err := s.enterBarrier(ctx); err != nil {
		return s.refuseOrEnd(err)
	}
	if !opt.bare && s.tx.kind == txNone {
		s.openBlock(txImplicit, plainBegin, nil)
		s.tx.inside = true
	}
	a := s.newAttempt(opt)
	if err := s.disturbed(ctx); err != nil {
		return s.refuseOrEnd(err)
	}
	if err := cmp.Or(a.takeTickets(ctx), s.disturbed(ctx)); err != nil {
		return s.refuseOrEnd(err)
	}
	for ; ; a.repeats++ {
		if err := s.lockSequencesAgain(ctx); err != nil {
			return s.refuseOrEnd(err)
		}
		if err := s.writeSnapshot(ctx); err != nil {
			return s.refuseOrEnd(err)
		}
		if err := s.askBeforeAgain(ctx); err != nil {
			return s.refuseOrEnd(err)
		}
		if err := s.askAboutCopy(ctx); err != nil {
			return s.refuseOrEnd(err)
		}
		again, ok, err := a.runOnce(ctx)
		if !again {
			return ok, err
		}
		s.tickets.holding.Yield()
		a.atOnce = false
	}
}

// executeBare runs the session's work, which says of itself that it is bare, outside of
// any block. It leaves no transaction behind.
func (s *Session) executeBare(ctx context.Context, opt allOptions) (ok bool, err error) {
	restore, err := s.easeBare()
	defer restore()
	if err != nil {
		return s.refuseOrEnd(err)
	}
	opt.bare = true
	s.beginBare(opt)
	defer s.changeByPrepared()()
	ok, err = s.executeAll(ctx, opt)
	s.tx.wrote = false
	s.leaveBarrier()
	s.releaseLeases()
	return ok, err
}

// executeMayCommit runs CALL and DO outside of a block. They are tried inside of one, so
// that a failure leaves nothing behind. Only if they want to commit or roll back
// themselves, which PostgreSQL refuses there, they run bare: on main and then on the
// others, whatever main answered, since a part of their work may have been committed.
// bare is where the session's work is told so.
func (s *Session) executeMayCommit(ctx context.Context, bare *bool) (ok bool, err error) {
	mark := s.front.Mark()
	s.tentative = true
	ok, err = s.executeAll(ctx, allOptions{})
	s.tentative = false
	if ok || err != nil || !s.triedToCommit() || !s.takeBack(mark) {
		return ok, err
	}
	holds := s.drew.holds
	s.rollback(ctx)
	if holds {
		s.holdLeases()
	}
	*bare, s.care = true, nil
	return s.executeBare(ctx, allOptions{regardless: always})
}

// triedToCommit reports whether main has just refused a COMMIT inside a procedure.
func (s *Session) triedToCommit() bool {
	main := s.main()
	return main != nil && main.answer.Code() == string(pgerr.InvalidTransactionTermination)
}

// repeatsFailure reports whether a statement that failed on main is run on the others
// too: it may have drawn values from a sequence, which no rollback takes back. An error
// that came from main's own moment (Pgpool-II's special errors) is not repeated, nor one
// that came before anything was executed.
func (s *Session) repeatsFailure(code string) bool {
	switch pgerr.Code(code) {
	case pgerr.DeadlockDetected, pgerr.SerializationFailure, pgerr.ActiveSQLTransaction, pgerr.QueryCanceled,
		pgerr.SyntaxError, pgerr.InFailedSQLTransaction, pgerr.LockNotAvailable:
		return false
	}
	return s.work.drawsSequence() && !s.running.wasCancelled()
}

// maxRepeats is how often the first write of a transaction is done again because a
// connection to a node that is alive was lost under it.
const maxRepeats = 2

// startOver takes back what the nodes have done of a transaction that had not written
// before, and gives the session a connection to every live node again.
func (s *Session) startOver(ctx context.Context) error {
	s.running.forgive()
	s.unanswered = nil
	s.tx.relock, s.tx.locked = slices.AppendSeq(s.tx.relock, maps.Keys(s.tx.locked)), nil
	if s.care != nil && s.care.elsewhere != nil {
		s.care.elsewhere.before = nil // it was of a transaction that is gone
	}
	for _, loss := range replicator.Rollback(s.begun(), false) {
		s.lost(ctx, loss.Node.(*link), loss.Err)
	}
	s.tx.lostPart = false
	return s.enterBarrier(ctx)
}

// oneSnapshot reports whether the transaction's statements all see one snapshot, which
// cannot be had again.
func (s *Session) oneSnapshot() bool {
	isolation := s.isolation()
	return s.tx.kind == txExplicit && (isolation == "repeatable read" || isolation == "serializable")
}

// takeBack removes what was appended behind mark, if the frontend has not had it.
func (s *Session) takeBack(mark wire.Mark) bool {
	if s.front.SentAfter(mark) {
		return false
	}
	s.front.Rewind(mark)
	return true
}

// judge acts on what became of a statement on all nodes. torn is set, and the frontend
// not answered yet, when only a connection was lost, or a deadlock was broken.
func (s *Session) judge(ctx context.Context, out *replicator.Outcome, mark wire.Mark, opt allOptions) (ok bool, torn, err error) {
	torn = s.noteLosses(ctx, out, opt.bare && !opt.maintains)
	switch {
	case s.terminated != nil:
		return false, nil, errTerminatedByNode
	case out.Broken:
		last := out.Lost[len(out.Lost)-1]
		s.replyError(lostWhileAnswering(last.Node.ID(), last.Err))
		return false, nil, nil
	case out.Answer == nil && torn == nil:
		return false, nil, errNoNodes()
	case out.Answer == nil:
		return false, torn, nil
	case len(out.Differ) > 0 && opt.bare:
		ok, err = s.settleBare(ctx, out, mark)
		return ok, nil, err
	case wasCancelledOn(out) && s.deadlocked(true) != nil:
		s.letGo(ctx)
		return false, s.deadlocked(true), nil
	case len(out.Differ) > 0 && !s.settleMismatch(ctx, out):
		s.takeBack(mark)
		s.replyError(s.disagreement(out))
		return false, nil, nil
	case out.Answer.Failed():
		return false, nil, nil
	case torn != nil:
		return false, torn, nil
	}
	return true, nil, s.gone
}

// noteLosses reports lost nodes. A node that stays in service but lost its connection
// has rolled back its part of the transaction, so the transaction cannot be committed:
// torn says so. With a bare statement it is not known whether it took effect there,
// so the node has to go.
func (s *Session) noteLosses(ctx context.Context, out *replicator.Outcome, bare bool) (torn error) {
	for _, loss := range out.Lost {
		l := loss.Node.(*link)
		id := l.ID()
		if !l.reported {
			s.lost(ctx, l, loss.Err)
		}
		if !s.view.Up(id) {
			continue
		}
		if bare && !out.Failed() {
			s.fence(ctx, id, "its connection broke in a statement that cannot be rolled back")
			continue
		}
		torn = lostTransaction(id, loss.Err)
	}
	return torn
}

// disagreement is what the frontend is told when nodes answered differently: nothing
// was committed anywhere.
func (s *Session) disagreement(out *replicator.Outcome) error {
	texts := make([]string, len(out.Differ))
	for i, d := range out.Differ {
		texts[i] = d.String()
	}
	detail := strings.Join(texts, "; ")
	code, message := pgerr.SerializationFailure, "nodes disagree about the statement, the transaction is rolled back"
	switch first := pgerr.Code(out.Differ[0].Code); {
	case s.tx.gid != "" && isDatas(out.Differ[0].Code):
		// What PREPARE TRANSACTION refuses hangs on what was read there: retrying is no help.
		return pgerr.New(first, out.Differ[0].Message)
	case s.running.wasCancelled() && first == pgerr.QueryCanceled:
		return errCancelled()
	case first == pgerr.DeadlockDetected:
		code, message = first, "deadlock detected"
	}
	s.log.Warn("nodes disagree", zap.String("detail", detail))
	hint := "The transaction might succeed if retried."
	if out.Differ[0].Values {
		hint += " If it does not: a DEFAULT, function or trigger may give a value that each node computes for itself, such as now() or random(). Give the value in the statement."
	}
	return pgerr.New(code, message).WithDetail("%s", detail).WithHint("%s", hint)
}

// settleMismatch applies replication_stop_on_mismatch and
// failover_if_affected_tuples_mismatch. It reports whether the nodes that stay agree with
// main, so that the transaction goes on.
func (s *Session) settleMismatch(ctx context.Context, out *replicator.Outcome) bool {
	cfg := s.Config().Replication
	verdict := out.Judge(replicator.Policy{StopOnMismatch: cfg.ReplicationStopOnMismatch, FailoverOnTuples: cfg.FailoverIfAffectedTuplesMismatch})
	for _, fenced := range verdict.Fence {
		s.fence(ctx, fenced.Node, fenced.Reason)
	}
	return !verdict.RollBack
}

// fenceDifferent removes the nodes that did not do what main did, where main's work
// cannot be rolled back.
func (s *Session) fenceDifferent(ctx context.Context, out *replicator.Outcome) (ok bool, err error) {
	for _, d := range out.Differ {
		reason := "lacks a statement that cannot be rolled back: " + d.String()
		if !s.fence(ctx, d.Node, reason) {
			return false, pgerr.Fatal(pgerr.TransactionResolutionUnknown, "nodes disagree about a statement that cannot be rolled back").WithDetail("%s", reason)
		}
	}
	return !out.Answer.Failed(), nil
}

// enterBarrier begins to write: it waits while a node joins, and gives the session a
// connection to every live node.
func (s *Session) enterBarrier(ctx context.Context) error {
	if !s.tx.inside {
		if err := s.awaitCommits(ctx); err != nil {
			return err
		}
		if err := s.Barrier.Enter(ctx); err != nil {
			return stopping(ctx)
		}
		s.tx.inside = true
	}
	s.refreshView()
	if s.first() == nil {
		return s.reconnect(ctx)
	}
	if err := s.complete(ctx); err != nil {
		return err
	}
	if s.first() == nil {
		return s.reconnect(ctx)
	}
	return nil
}

func (s *Session) leaveBarrier() {
	if s.tx.inside {
		s.Barrier.Leave()
		s.tx.inside = false
	}
}

// commit ends the transaction on all nodes that have a part of it. ok is false when
// it was not committed; the frontend has been told why. The tag is the caller's.
func (s *Session) commit(ctx context.Context) (ok bool, err error) {
	defer func() {
		s.tx.committed = ok
		s.endTransaction()
	}()
	if ok, err := s.checkDeferred(ctx); !ok || err != nil {
		s.rollback(ctx)
		return false, err
	}
	s.ending = true
	s.beginWrites()
	s.attempt.nodes = s.appendBegun(s.attempt.nodes[:0])
	nodes := s.attempt.nodes
	if s.tx.writer != noNode && s.link(s.tx.writer) == nil {
		s.rollbackNodes(ctx, nodes)
		return s.refused(lostTransaction(s.tx.writer, errLeft))
	}
	if len(nodes) == 0 {
		return true, nil
	}
	if !s.tx.wrote {
		return s.commitSingle(ctx, nodes)
	}
	if s.tx.kind == txExplicit {
		if nodes = s.stillConnected(ctx, nodes); s.terminated != nil {
			s.rollbackNodes(ctx, nodes)
			return false, errTerminatedByNode
		}
	}
	if missing, whole := s.covers(ctx); !whole {
		s.rollbackNodes(ctx, nodes)
		return s.refused(pgerr.Newf(pgerr.SerializationFailure, "node %d lacks a part of the transaction, which is rolled back", missing).
			WithHint("The transaction might succeed if retried."))
	}
	mode, err := s.prepareEnding(ctx)
	if err = cmp.Or(err, s.lostSerial()); err != nil {
		s.rollbackNodes(ctx, nodes)
		return s.refused(err)
	}
	s.beginChange()
	d, err := s.commitOn(ctx, nodes, mode)
	if err != nil {
		s.rollbackNodes(ctx, nodes)
		return s.refuseOrEnd(s.interrupted(ctx))
	}
	ok, err = s.decide(ctx, d)
	s.rollbackNodes(ctx, s.begun()) // a mark that fails leaves the block open
	return ok, err
}

// commitOn has the nodes commit. A cancel ends the wait for the window.
func (s *Session) commitOn(ctx context.Context, nodes []replicator.Node, mode replicator.CommitMode) (replicator.Decision, error) {
	opt := replicator.CommitOptions{Mode: mode, Gate: s.Gate, Window: s.Window, Bound: s.hooks().bound}
	if mode == replicator.LastAgent && s.mayAcknowledge() {
		opt.Decided = s.acknowledge
	}
	return replicator.CommitWithin(ctx, nodes, opt)
}

// stillConnected are the nodes whose connection is alive before COMMIT is sent. One
// that has broken since the last statement has rolled back: that is known now, and
// would not be later.
func (s *Session) stillConnected(ctx context.Context, nodes []replicator.Node) []replicator.Node {
	return slices.DeleteFunc(nodes, func(node replicator.Node) bool { return s.brokeBefore(ctx, node.(*link)) })
}

// sinkOf is where a node's own words go: main's to the frontend.
func (s *Session) sinkOf(l *link) backend.Sink {
	if l == s.main() {
		return s
	}
	return nil
}

// covers reports whether every live node has its part of the transaction. A node whose
// connection broke in a question of ours may have died, and nobody has noticed.
func (s *Session) covers(ctx context.Context) (missing config.NodeID, whole bool) {
	s.refreshView()
	for _, id := range s.view.Live() {
		l := s.link(id)
		switch {
		case l != nil && !l.begun, l == nil && s.lives(ctx, id):
			return id, false
		}
	}
	return noNode, true
}

// lives looks whether a node that the session has no connection to is there.
func (s *Session) lives(ctx context.Context, id config.NodeID) bool {
	_, alive, _ := s.Cluster.Suspect(ctx, id, errNotConnected)
	s.refreshView()
	return alive
}

var errNotConnected = errors.New("the session has no connection to the node")

// commitSingle ends a transaction that one node has written to at most, whose word is
// the transaction's. Losing a node that was only read loses nothing.
func (s *Session) commitSingle(ctx context.Context, nodes []replicator.Node) (ok bool, err error) {
	for _, l := range s.decidingFirst(nodes) {
		decides := s.tx.writer == noNode || s.tx.writer == l.ID()
		answer, err := s.end(l, decides)
		switch {
		case err != nil:
			s.lost(ctx, l, err)
			if s.tx.writer == l.ID() {
				s.caching.unknown = true
				s.rollbackNodes(ctx, s.begun())
				return s.refused(pgerr.Newf(pgerr.TransactionResolutionUnknown, "node %d was lost during COMMIT", l.ID()).
					WithDetail("Whether the transaction took effect is not known."))
			}
		case decides && answer.Failed():
			s.replyRaw(answer.Err)
			s.rollbackNodes(ctx, s.begun())
			return false, nil
		}
	}
	return true, nil
}

// end sends COMMIT to one node.
func (s *Session) end(l *link, visible bool) (*wire.Answer, error) {
	s.marking.on = false // one node alone has written
	if err := l.StartEnd(replicator.SendCommit); err != nil {
		return nil, err
	}
	return l.Finish(visible)
}

// decidingFirst are the links with the one in front that the transaction was written to.
func (s *Session) decidingFirst(nodes []replicator.Node) []*link {
	links := make([]*link, 0, len(nodes))
	for _, node := range nodes {
		links = append(links, node.(*link))
	}
	slices.SortStableFunc(links, func(a, b *link) int { return cmp.Compare(s.turn(a), s.turn(b)) })
	return links
}

func (s *Session) turn(l *link) int {
	if l.ID() == s.tx.writer {
		return 0
	}
	return 1
}

// decide acts on what became of a COMMIT.
func (s *Session) decide(ctx context.Context, d replicator.Decision) (ok bool, err error) {
	s.fenceUndecided(ctx, &d)
	switch {
	case d.Committed:
		return true, nil
	case d.Unknown:
		return false, pgerr.Fatal(pgerr.TransactionResolutionUnknown, "every node was lost during COMMIT").
			WithDetail("Whether the transaction took effect is not known.")
	case d.Answer.Failed():
		if err := s.explainRefusal(d.Answer); err != nil {
			return s.refused(err)
		}
		s.replyRaw(d.Answer.Err)
		return false, nil
	}
	return s.refused(pgerr.New(pgerr.SerializationFailure, "the transaction had failed on a node and is rolled back").
		WithHint("The transaction might succeed if retried."))
}

// fenceUndecided has the nodes go that must not stay behind a COMMIT.
func (s *Session) fenceUndecided(ctx context.Context, d *replicator.Decision) {
	for _, loss := range d.Fence {
		id := loss.Node.ID()
		reason := "did not confirm a COMMIT"
		for _, refused := range d.Refused {
			if refused.Node == id {
				reason = "refused a COMMIT: " + refused.String()
			}
		}
		s.fence(ctx, id, reason)
	}
	s.caching.doubt = s.caching.doubt || d.Unknown || len(d.Fence) > 0
}

// rollback ends the transaction without effect.
func (s *Session) rollback(ctx context.Context) {
	s.ending = true
	s.rollbackNodes(ctx, s.begun())
	s.endTransaction()
}

func (s *Session) rollbackNodes(ctx context.Context, nodes []replicator.Node) {
	for _, loss := range replicator.Rollback(nodes, true) {
		s.lost(ctx, loss.Node.(*link), loss.Err)
	}
}

// endTransaction forgets the transaction, which has ended on every node.
func (s *Session) endTransaction() {
	s.ending = false
	s.leaveBarrier()
	s.endSequences()
	if s.tx.roles {
		s.Pool.CloseIdle()
	}
	s.keepSettings()
	if s.hasPrimary() {
		s.endOnPrimary()
	}
	s.endChange()
	s.closeChanges()
	s.numbersAfterDDL()
	s.endWrites(s.tx.committed)
	if s.tx.touchedRights {
		s.rights = nil
	}
	if !s.tx.committed {
		s.doubtUndone()
	}
	s.tx.reset()
	if len(s.seg.steps) == 0 {
		s.st.forgetPortals()
	}
	clear(s.st.portals)
	s.tickets.holding.Release() // what others do from here on sees that all of it is over
}
