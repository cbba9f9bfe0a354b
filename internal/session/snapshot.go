package session

import (
	"context"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// A transaction above READ COMMITTED has one snapshot, and has it on several nodes. For
// all of them to show the same, the snapshots are taken at once, while nobody commits
// (replicator.Window): by a query of ours that waits for no lock. In snapshot_isolation
// every transaction is one, also that around a single statement.

// snapshotQuery makes a server take the transaction's snapshot.
const snapshotQuery = "SELECT 1"

const repeatableRead = "repeatable read"

// openBlock begins a transaction, which no node hears of yet.
func (s *Session) openBlock(kind txKind, begin string, stmt *parser.Statement) {
	isolation := s.settings.isolation
	if stmt != nil && stmt.Isolation != "" {
		isolation = stmt.Isolation
	}
	if s.isolates() && !keepsSnapshot(isolation) {
		isolation = repeatableRead
		begin = beginWith(stmt)
	}
	s.track.Begin()
	s.tx.open(kind, begin, isolation)
	s.noteSeen()
	if stmt != nil {
		s.tx.readOnly = stmt.ReadOnlyTransaction
		s.tx.modes.note(stmt)
	}
}

// modes are those of a transaction (SET TRANSACTION).
type modes struct{ readOnly, deferrable bool }

// note follows BEGIN and SET TRANSACTION.
func (m *modes) note(stmt *parser.Statement) {
	m.readOnly = (m.readOnly || stmt.ReadOnlyTransaction) && !stmt.ReadWriteTransaction
	m.deferrable = m.deferrable || stmt.Deferrable
}

// waitsForSnapshot: SERIALIZABLE READ ONLY DEFERRABLE waits in the server until those that
// write have ended, whose COMMIT must not wait for the snapshot. It reads on main alone, so
// it needs none on the others.
func (s *Session) waitsForSnapshot() bool {
	return s.tx.modes.readOnly && s.tx.modes.deferrable && s.isolation() == "serializable"
}

// isolates reports whether the clustering mode is snapshot_isolation.
func (s *Session) isolates() bool { return s.Config().ClusteringMode == config.SnapshotIsolation }

func keepsSnapshot(isolation string) bool {
	return isolation == repeatableRead || isolation == "serializable"
}

// beginWith is a BEGIN at REPEATABLE READ with the other modes of the frontend's own.
func beginWith(stmt *parser.Statement) string {
	modes := []string{"BEGIN ISOLATION LEVEL REPEATABLE READ"}
	if stmt != nil {
		for _, mode := range []struct {
			on   bool
			text string
		}{{stmt.ReadOnlyTransaction, "READ ONLY"}, {stmt.ReadWriteTransaction, "READ WRITE"}, {stmt.Deferrable, "DEFERRABLE"}} {
			if mode.on {
				modes = append(modes, mode.text)
			}
		}
	}
	return strings.Join(modes, ", ")
}

// raised is the text of a SET TRANSACTION that asks for less than the clustering mode gives,
// with what it gives. Once there is a snapshot, the server refuses it.
func (s *Session) raised(stmt *parser.Statement, sql string) string {
	sets := stmt.Kind == parser.SetTransaction || stmt.Kind == parser.Set && stmt.Name == "transaction_isolation"
	if !sets || stmt.Isolation == "" || keepsSnapshot(stmt.Isolation) || !s.isolates() {
		return sql
	}
	if main := s.main(); main == nil || main.snapshot {
		return sql
	}
	return "SET TRANSACTION" + strings.TrimPrefix(beginWith(stmt), "BEGIN")
}

// wantsSnapshot reports whether the work at hand takes the transaction's snapshot, which
// is to be the same on all nodes. SET and its relatives take none: SET TRANSACTION has to
// come before it.
func (s *Session) wantsSnapshot() bool {
	return s.replicates() && s.tx.kind != txNone && (s.isolates() || keepsSnapshot(s.isolation())) &&
		(s.work.takesSnapshot() || s.lowers() && setsSavepoint(s.work)) && !s.waitsForSnapshot()
}

// lowers reports whether the level of the transaction is set anew where its snapshot is taken
// (snapshotWork). The server refuses that behind a savepoint, so the snapshot comes first.
func (s *Session) lowers() bool {
	return s.isolation() == serializable || !keepsSnapshot(s.isolation())
}

func setsSavepoint(w work) bool {
	switch w := w.(type) {
	case *queryWork:
		return w.kind == parser.Savepoint
	case *segment:
		return slices.ContainsFunc(w.steps, func(st step) bool { return st.prepared != nil && st.prepared.stmt.Kind == parser.Savepoint })
	}
	return false
}

// takesSnapshot reports whether a statement of that kind looks at data.
func takesSnapshot(kind parser.Kind) bool {
	switch kind {
	case parser.Set, parser.SetLocal, parser.SetTransaction, parser.Reset, parser.Show, parser.Begin,
		parser.Savepoint, parser.Release, parser.RollbackTo, parser.Discard, parser.Deallocate:
		return false
	}
	return true
}

// readSnapshot is for work of one node. In snapshot_isolation a statement outside of any
// block gets one of ours. The frontend's own transaction takes its snapshot on all nodes,
// whichever its first statement needs: later ones may go elsewhere.
func (s *Session) readSnapshot(ctx context.Context, l *link) error {
	if s.isolates() && s.tx.kind == txNone && s.work.takesSnapshot() {
		s.openBlock(txImplicit, plainBegin, nil)
		s.tx.single = true
	}
	if !s.wantsSnapshot() || l.snapshot {
		return nil
	}
	if s.tx.single {
		return s.takeSnapshot(ctx, func() []replicator.Node { return []replicator.Node{l} })
	}
	if err := s.enterBarrier(ctx); err != nil {
		return err
	}
	return s.takeSnapshot(ctx, s.all)
}

// writeSnapshot is for work of all nodes.
func (s *Session) writeSnapshot(ctx context.Context) error {
	if !s.wantsSnapshot() || s.haveSnapshot() {
		return nil
	}
	s.tx.single = false
	return s.takeSnapshot(ctx, s.all)
}

// haveSnapshot reports whether all nodes have the transaction's snapshot.
func (s *Session) haveSnapshot() bool {
	for _, l := range s.links {
		if l != nil && !l.snapshot {
			return false
		}
	}
	return true
}

// takeSnapshot takes the transaction's snapshot on the nodes, and once more on all of them
// when a connection breaks on the way.
func (s *Session) takeSnapshot(ctx context.Context, nodes func() []replicator.Node) error {
	for range maxRepeats + 1 {
		for _, node := range nodes() {
			if l := node.(*link); l.snapshot {
				s.endPart(ctx, l) // one that was taken before the others'
			}
		}
		lost, err := s.snapshotOn(ctx, nodes())
		if err != nil || !lost {
			return err
		}
		if err := s.startOver(ctx); err != nil {
			return err
		}
	}
	return pgerr.New(pgerr.SerializationFailure, "connections to nodes broke while the transaction's snapshot was taken").
		WithHint("The transaction might succeed if retried.")
}

// snapshotOn does it once. lost: a connection was lost.
func (s *Session) snapshotOn(ctx context.Context, nodes []replicator.Node) (lost bool, err error) {
	s.noteSerial()
	work := s.work
	s.work = snapshotWork{raise: !keepsSnapshot(s.isolation())}
	defer func() { s.work = work }()
	waiting, stop := s.running.await(ctx)
	defer stop()
	out, err := replicator.TakeSnapshot(waiting, nodes, s.Window)
	if err != nil {
		return false, s.interrupted(ctx)
	}
	for _, loss := range out.Lost {
		s.lost(ctx, loss.Node.(*link), loss.Err)
	}
	for _, node := range nodes {
		l := node.(*link)
		if l.answer.Failed() {
			return false, s.replyFailure(ctx, l.answer.Err)
		}
		l.snapshot = true
	}
	return len(out.Lost) > 0, nil
}

// interrupted is what a wait of ours has ended with: the frontend's cancel, or the end of
// the server.
func (s *Session) interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return stopping(ctx)
	}
	return errCancelled()
}

// snapshotWork opens the transaction where it is not open and takes its snapshot. raise:
// SET TRANSACTION has asked for less than the clustering mode gives.
type snapshotWork struct{ raise bool }

func (w snapshotWork) appendTo(l *link) {
	l.appendSync()
	var parts []string
	if l.needsBegin() {
		parts = append(parts, l.beginPrefix())
	}
	if w.raise || l.s.isolation() == serializable && l != l.s.main() {
		// Of a SERIALIZABLE transaction main alone knows the conflicts (ADR 0019).
		parts = append(parts, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;")
	}
	l.appendQuery(hidden(wire.ExpectQuery), append(parts, snapshotQuery)...)
}

func (snapshotWork) drawsSequence() bool { return false }
func (snapshotWork) takesSnapshot() bool { return false }
