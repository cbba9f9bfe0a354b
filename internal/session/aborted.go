package session

import (
	"context"
	"slices"

	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// A server takes back at once, locks included, what an aborted block has done since its
// last savepoint. The nodes that have not met the error do the same here: else they would
// hold the locks until the frontend ends the block, and transactions that wait for nobody on
// main would wait there.

// savepoints are the names of the savepoints that the transaction has, the newest last.
type savepoints []string

// note follows a statement that has succeeded.
func (p *savepoints) note(stmt *parser.Statement) {
	switch stmt.Kind {
	case parser.Savepoint:
		*p = append(*p, stmt.Name)
	case parser.Release:
		*p = (*p)[:p.find(stmt.Name)]
	case parser.RollbackTo:
		*p = (*p)[:min(p.find(stmt.Name)+1, len(*p))]
	}
}

// find is the place of the newest savepoint of that name; the end where there is none.
func (p savepoints) find(name string) int {
	for i, other := range slices.Backward(p) {
		if other == name {
			return i
		}
	}
	return len(p)
}

// notePrepareFailed is called when a statement has failed on main, or not come out alike on
// all nodes. PREPARE TRANSACTION ends the frontend's block whatever becomes of it; where it
// has succeeded, because that node was not asked the same before, it is taken back.
func (s *Session) notePrepareFailed(ctx context.Context, out *replicator.Outcome) {
	if s.tx.gid == "" || out.Answer == nil || out.Answer.Status != wire.TxIdle {
		return
	}
	s.tx.ended = true
	if out.Answer.Failed() {
		return // the others have not been sent it
	}
	for _, l := range s.links {
		if l != nil && !l.begun && !l.answer.Failed() {
			s.takeBackPrepared(ctx, l, s.tx.gid)
		}
	}
}

// notePreparing remembers what is about to be prepared.
func (s *Session) notePreparing(stmt *parser.Statement) {
	if stmt.Kind == parser.PrepareTransaction {
		s.tx.gid = stmt.Name
	}
}

// takeBackPrepared: a node that keeps a prepared transaction that no other has, and its
// locks, has to go.
func (s *Session) takeBackPrepared(ctx context.Context, l *link, gid string) {
	if _, err := l.ask("ROLLBACK PREPARED " + quoteLiteral(gid)); err != nil {
		s.fence(ctx, l.ID(), "keeps a prepared transaction that was refused by others: "+err.Error())
	}
}

// abortBlock is called when the frontend's block has failed: it takes back on the other
// nodes what the failed one has taken back by itself. Once for each failure.
func (s *Session) abortBlock(ctx context.Context) {
	if s.tx.aborted || !s.replicates() {
		return
	}
	s.tx.aborted = true
	var others []replicator.Node
	for _, l := range s.links {
		if l != nil && l.begun && l.conn.Status == wire.TxOpen {
			others = append(others, l)
		}
	}
	if len(s.tx.savepoints) == 0 {
		s.rollbackQuietly(ctx, others)
		return
	}
	s.rollbackToLast(ctx, others)
}

func (s *Session) rollbackQuietly(ctx context.Context, nodes []replicator.Node) {
	for _, loss := range replicator.Rollback(nodes, false) {
		s.lost(ctx, loss.Node.(*link), loss.Err)
	}
}

// rollbackToLast leaves the block open on the nodes, at its last savepoint.
func (s *Session) rollbackToLast(ctx context.Context, nodes []replicator.Node) {
	last := s.tx.savepoints[len(s.tx.savepoints)-1]
	work := s.work
	defer func() { s.work = work }()
	s.work = &queryWork{sql: "ROLLBACK TO SAVEPOINT " + quoteName(last), kind: parser.RollbackTo}
	started := nodes[:0]
	for _, node := range nodes {
		if err := node.Start(false); err != nil {
			s.lost(ctx, node.(*link), err)
			continue
		}
		started = append(started, node)
	}
	for _, node := range started {
		if _, err := node.Finish(false); err != nil {
			s.lost(ctx, node.(*link), err)
		}
	}
}
