package session

import (
	"context"
	"slices"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
)

// A transaction above READ COMMITTED may have begun on the nodes without a snapshot, by SET or
// SAVEPOINT. What a later statement means may not be asked of the catalogue then (canAsk): the
// question would take the snapshot on one node. So it is taken on all before the statement is
// looked at; else what nodes compute for themselves would not be found in it.

// snapshotDue reports whether a node has begun the transaction and has no snapshot of it.
func (s *Session) snapshotDue() bool {
	return s.tx.kind != txNone && !s.tx.failed && s.replicates() && keepsSnapshot(s.isolation()) && !s.waitsForSnapshot() &&
		slices.ContainsFunc(s.links, func(l *link) bool { return l != nil && l.begun && !l.snapshot })
}

// snapshotFirst takes it, if the statement that comes next does.
func (s *Session) snapshotFirst(ctx context.Context, stmt *parser.Statement, sql string) error {
	if !s.snapshotDue() || !looksAtData(stmt, sql) {
		return nil
	}
	if err := s.enterBarrier(ctx); err != nil {
		return err
	}
	return s.takeSnapshot(ctx, s.all)
}

// looksAtData reports whether a statement takes a snapshot on the node that runs it.
func looksAtData(stmt *parser.Statement, sql string) bool {
	return takesSnapshot(stmt.Kind) && isHere(stmt, sql) == notHere
}

// snapshotBefore is snapshotFirst for a message of a batch. What stands before it in the batch
// is run first.
func (s *Session) snapshotBefore(ctx context.Context, seg *segment, frame wire.Frame) (ok bool, err error) {
	if !s.snapshotDue() {
		return true, nil
	}
	stmt, sql := s.statementOfFrame(frame)
	if stmt == nil || !looksAtData(stmt, sql) {
		return true, nil
	}
	if ok, err := seg.run(ctx, endNone); !ok || err != nil {
		return false, err
	}
	if err := s.snapshotFirst(ctx, stmt, sql); err != nil {
		return s.refuseOrEnd(err)
	}
	return true, nil
}

// statementOfFrame is what a Parse or a Bind is about; nil for other messages.
func (s *Session) statementOfFrame(frame wire.Frame) (*parser.Statement, string) {
	switch frame.Kind() {
	case wire.KindParse:
		m, err := wire.DecodeParse(frame.Body())
		if err != nil {
			return nil, ""
		}
		if script := s.memo.Script(s.Scripts, m.Query); script.Err == nil && len(script.Statements) == 1 {
			return &script.Statements[0], m.Query
		}
	case wire.KindBind:
		if _, name, err := wire.BindNames(frame.Body()); err == nil && s.st.prepared[string(name)] != nil {
			p := s.st.prepared[string(name)]
			return p.stmt, p.text
		}
	}
	return nil, ""
}
