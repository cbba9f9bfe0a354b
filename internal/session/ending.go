package session

import (
	"context"

	"github.com/pgchorus/pgchorus/internal/commitlog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// How a transaction of all nodes ends: in what order they are told, and the mark that it
// leaves on each of them, in the message that has COMMIT in it.

// marking is what the session needs to mark its transactions.
type marking struct {
	slot     *commitlog.Slot // nil where one node takes the writes
	standing commitlog.Standing
	asked    bool // standing is set
	// on: the transaction that is ending is marked. fresh: the objects may have been made
	// while it was under way.
	on, fresh bool
	// name is what it is called while it is prepared.
	name string
	// whole: the session's transactions are not prepared: it has temporary tables, which
	// PREPARE TRANSACTION does not take, or one could not be.
	whole bool
}

// lendSlot is for the beginning of the session: a transaction must not have a snapshot from
// before the last commit of the slot's session before, or its mark could not be serialized.
func (s *Session) lendSlot() {
	if s.Commits != nil {
		s.marking.slot = s.Commits.Lend()
	}
}

// giveBackSlot is for the end of the session.
func (s *Session) giveBackSlot() {
	if s.marking.slot != nil {
		s.Commits.GiveBack(s.marking.slot)
		s.marking.slot = nil
	}
}

// awaitCommits waits until the nodes have been compared after the start.
func (s *Session) awaitCommits(ctx context.Context) error {
	if s.Commits != nil && s.Commits.Await(ctx) != nil {
		return stopping(ctx)
	}
	return nil
}

// prepareEnding finds out how the transaction at hand ends on the nodes, and numbers it.
func (s *Session) prepareEnding(ctx context.Context) (replicator.CommitMode, error) {
	m := &s.marking
	m.on, m.fresh = false, false
	if s.Commits != nil && s.tx.marks {
		if err := s.learnStanding(ctx); err != nil {
			return 0, err
		}
		m.on = m.standing.Marked
	}
	mode := chooseCommitMode(commitInput{
		configured: s.Config().Replication.CommitMode, several: s.Config().Watchdog.UseWatchdog,
		serializable: s.isolation() == serializable, notifies: s.tx.notifies,
		canPrepare: m.on && m.standing.TwoPhase && !s.tx.unpreparable && !m.whole,
	})
	if !m.on {
		return mode, nil
	}
	m.slot.Next()
	if mode == replicator.LastAgent {
		m.name = m.slot.Name(int(s.first().ID()))
	}
	return mode, nil
}

// learnStanding costs one load of a pointer, but for the session's first commit and after
// databases have changed.
func (s *Session) learnStanding(ctx context.Context) error {
	if s.knowsStanding() {
		return nil
	}
	m := &s.marking
	standing, err := s.Commits.Ready(ctx, s.login.Database)
	if err != nil {
		return err
	}
	m.standing, m.asked, m.fresh = standing, true, true
	return nil
}

// knowsStanding reports whether transactions are marked, and that is known; if they were not, they may be by now.
func (s *Session) knowsStanding() bool {
	m := &s.marking
	return m.asked && m.standing.Marked && m.standing.Generation == s.Commits.Generation()
}

const serializable = "serializable"

// commitInput is what the order of COMMIT depends on.
type commitInput struct {
	configured config.CommitMode
	// several servers write to the same nodes.
	several bool
	// serializable: only main knows what the transaction conflicts with.
	serializable bool
	// notifies: main has a NOTIFY to deliver, for which its queue may be full.
	notifies bool
	// canPrepare: all nodes keep prepared transactions, this one can be prepared, and is
	// marked, so that it can be ended alike if we die.
	canPrepare bool
}

// chooseCommitMode says in which order the nodes are told; pure. Where main may refuse what
// the others would not, it is asked before they have committed, whatever is configured
// (ADR 0019).
func chooseCommitMode(in commitInput) replicator.CommitMode {
	mainMayRefuse := in.serializable || in.notifies
	switch {
	case in.canPrepare && !in.notifies && (in.serializable || in.configured == config.CommitLastAgent):
		return replicator.LastAgent
	case mainMayRefuse, in.configured == config.CommitMainFirst, in.configured == config.CommitLastAgent:
		return replicator.MainFirst
	case in.configured == config.CommitMainLast, in.configured == config.CommitAuto && in.several:
		return replicator.MainLast
	}
	return replicator.Parallel
}

// noteEndings follows what work of all nodes means for the end of the transaction.
func (s *Session) noteEndings() {
	s.tx.marks = s.tx.marks || s.work.takesSnapshot()
	s.noteSerial()
	switch w := s.work.(type) {
	case *queryWork:
		if w.stmt != nil {
			s.noteEnding(w.stmt)
		}
	case *segment:
		for _, st := range w.steps {
			if st.kind == wire.KindExecute && st.prepared != nil {
				s.noteEnding(st.prepared.stmt)
			}
		}
	case *callWork:
		s.tx.defers = true // the function may do anything
	}
}

// noteSerial remembers which node a SERIALIZABLE transaction is serializable on. The others
// run it at REPEATABLE READ.
func (s *Session) noteSerial() {
	if main := s.main(); main != nil && s.tx.serial == noNode && s.isolation() == serializable {
		s.tx.serial = main.ID()
	}
}

// lostSerial is why a SERIALIZABLE transaction cannot be committed: the node is lost that knew
// what it conflicts with. nil if it is not.
func (s *Session) lostSerial() error {
	if s.tx.serial == noNode || s.main() != nil && s.main().ID() == s.tx.serial {
		return nil
	}
	return pgerr.Newf(pgerr.SerializationFailure, "node %d was lost, which alone knew what the transaction conflicts with", s.tx.serial).
		WithHint("The transaction might succeed if retried.")
}

// noteEnding follows what a statement of all nodes means for the end of the transaction.
func (s *Session) noteEnding(stmt *parser.Statement) {
	tx := &s.tx
	tx.notifies = tx.notifies || stmt.Kind == parser.Notify
	switch stmt.Kind {
	case parser.Notify, parser.Listen, parser.Unlisten:
		tx.unpreparable = true
	case parser.Declare:
		tx.unpreparable = tx.unpreparable || stmt.Holds
	}
	s.marking.whole = s.marking.whole || createsTemporary(stmt)
	s.noteDeferred(stmt)
	if len(stmt.UnknownFunctions) > 0 {
		s.doubtMarks()
	}
}

// lookAgain makes a server that is in a transaction above READ COMMITTED look into its
// catalogue anew: only a lock of a relation does, and FROM is looked at first.
const lookAgain = " FROM pg_catalog.pg_am LIMIT 1"

// appendEnding appends what ends the node's part of the transaction.
func (l *link) appendEnding(e replicator.Ending) {
	m := &l.s.marking
	calm := l.s.settings.timesOut
	if m.endsPrepared(e, calm) {
		l.appendMarkedCommit()
		return
	}
	var end string
	switch e {
	case replicator.SendCommit:
		end = "COMMIT"
	case replicator.SendPrepare:
		end = "PREPARE TRANSACTION '" + m.name + "'"
	case replicator.SendCommitPrepared:
		end = "COMMIT PREPARED '" + m.name + "'"
	case replicator.SendRollbackPrepared:
		end = "ROLLBACK PREPARED '" + m.name + "'"
	default:
		end = "ROLLBACK"
	}
	expect := wire.Expect{What: wire.ExpectQuery, Silent: true}
	if m.on && (e == replicator.SendCommit || e == replicator.SendPrepare) {
		expect.HideTags = 1
		if calm {
			expect.HideTags++
		}
		l.appendQueryOf(expect, func(b []byte) []byte { return append(m.appendMark(b, calm), end...) })
		return
	}
	l.appendQuery(expect, end)
}

// appendMark appends the mark, with what goes in front of it: a timeout would end it, on one
// node perhaps.
func (m *marking) appendMark(b []byte, calm bool) []byte {
	if calm {
		b = append(b, "SET LOCAL statement_timeout = 0;"...)
	}
	b = m.slot.AppendMark(b)
	if m.fresh {
		b = append(b, lookAgain...)
	}
	return append(b, ';')
}

// explainRefusal is what the frontend is told when a COMMIT was refused for a reason that is
// not in its transaction; nil to show the server's own words.
func (s *Session) explainRefusal(answer *wire.Answer) error {
	m := &s.marking
	if !m.on {
		return nil
	}
	switch code := pgerr.Code(answer.Code()); {
	case code == pgerr.UndefinedFunction, code == pgerr.UndefinedTable, code == pgerr.InvalidSchemaName:
		s.Commits.Doubt() // somebody has dropped our objects; they are made again
	case code == pgerr.InvalidSQLStatementName: // the transaction's own code has had prepared statements forgotten
	case code == pgerr.FeatureNotSupported && m.standing.TwoPhase:
		m.whole = true // PREPARE TRANSACTION has its limits
	default:
		return nil
	}
	return pgerr.New(pgerr.SerializationFailure, "the transaction could not be committed on all nodes alike and is rolled back").
		WithDetail("A node said: %s", wire.ErrorField(answer.Err, wire.FieldMessage)).
		WithHint("The transaction might succeed if retried.")
}
