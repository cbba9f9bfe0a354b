package session

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/parser"
	"github.com/pgchorus/pgchorus/replicator"
)

// What is special where PostgreSQL itself replicates (streaming_replication and
// logical_replication): one node, the primary, takes the writes and is the main node;
// the others read. The session connects to the primary and to its load balance node,
// and to others when it needs them. What it sets goes to all nodes that it is connected to.

// hasPrimary reports whether the clustering mode has a primary.
func (s *Session) hasPrimary() bool { return s.view.HasPrimary() }

// replicates reports whether writes run on all nodes.
func (s *Session) replicates() bool { return s.Config().ClusteringMode.Replicates() }

// primary is the link to the primary. While none is known the session waits for one:
// a write never goes elsewhere.
func (s *Session) primary(ctx context.Context) (*link, error) {
	for {
		id, known := s.view.Main()
		if !known {
			if err := s.awaitPrimary(ctx); err != nil {
				return nil, err
			}
			continue
		}
		if b := s.settings.bound; b != nil && *b != id {
			return nil, errBoundState(*b)
		}
		if l := s.link(id); l != nil {
			return l, nil
		}
		if err := s.join(ctx, id); err != nil {
			return nil, err
		}
		s.refreshView()
	}
}

// errBoundState ends a session whose temporary tables or advisory locks were lost with the
// primary: it must not go on as if it had them.
func errBoundState(id config.NodeID) error {
	return pgerr.Fatal(pgerr.AdminShutdown, "terminating connection because the primary was replaced").
		WithDetail("The session had a temporary table, a cursor WITH HOLD or an advisory lock on node %d, which no other node has.", id).
		WithHint("Connect again.")
}

// bindsSession reports whether a statement leaves something in the session that only its
// own backend has.
func bindsSession(stmt *parser.Statement) bool {
	return createsTemporary(stmt) || stmt.Kind == parser.Declare && stmt.Holds ||
		slices.ContainsFunc(stmt.Functions, func(f parser.Function) bool {
			switch f.Name {
			case "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared":
				return true
			}
			return false
		})
}

// awaitPrimary waits until the cluster has a primary, for as long as
// search_primary_node_timeout allows, or until the frontend cancels.
func (s *Session) awaitPrimary(ctx context.Context) error {
	ctx, stop := s.running.await(ctx)
	defer stop()
	if limit := s.Config().Failover.SearchPrimaryNodeTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	s.log.Info("session waits for a primary")
	since := time.Now()
	for {
		changed := s.Cluster.Changed()
		s.refreshView()
		if id, known := s.view.Main(); known {
			s.log.Info("session has a primary again", zap.Int(logkey.Node, int(id)), zap.Duration("after", time.Since(since)))
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s.noPrimary()
		}
	}
}

// noPrimary is what a frontend is told whose statement has waited in vain.
func (s *Session) noPrimary() error {
	if s.running.wasCancelled() {
		return errCancelled()
	}
	return pgerr.New(pgerr.CannotConnectNow, "no primary is known").
		WithDetail("The statement needs the primary: it may write, or has to see what was written.").
		WithHint("Promote a standby. Reads that may run on a standby go on meanwhile.")
}

// readElsewhere has the session's reads done by the primary when a standby does not let
// it in: it may not have heard yet of the role or the database. false: the nodes are
// alike, or it was the primary.
func (s *Session) readElsewhere(id config.NodeID) bool {
	if !s.hasPrimary() || id == s.mainID() {
		return false
	}
	if s.lb == id {
		s.lb = s.mainID()
	}
	return true
}

// belongsToPrimary reports whether what l has refused is done by the primary instead: a
// standby may not do it, has to give it up for what it replays, or has not yet heard of
// what it is about.
func (s *Session) belongsToPrimary(l *link, where target, answer *wire.Answer) bool {
	if !answer.Failed() || where.once || where.primary || !s.hasPrimary() || s.oneSnapshot() {
		return false
	}
	if main, known := s.view.Main(); !known || main == l.ID() {
		return false
	}
	return isStandbys(answer) && !s.running.wasCancelled()
}

// isStandbys reports whether an error may be one of a standby alone.
func isStandbys(answer *wire.Answer) bool {
	switch pgerr.Code(answer.Code()) {
	case pgerr.ReadOnlySQLTransaction, pgerr.SerializationFailure, pgerr.UndefinedTable, pgerr.UndefinedFunction,
		pgerr.UndefinedColumn, pgerr.UndefinedObject, pgerr.InvalidSchemaName:
		return true
	case pgerr.FeatureNotSupported:
		return wire.ErrorField(answer.Err, wire.FieldRoutine) == refusesUnlogged
	}
	return false
}

// refusesUnlogged is the routine that finds an unlogged relation in a query during
// recovery (PostgreSQL, plancat.c). Its SQLSTATE is that of much else.
const refusesUnlogged = "get_relation_info"

// endPart ends a node's part of the transaction, which has read only: the others go on.
func (s *Session) endPart(ctx context.Context, l *link) {
	if !l.begun && !l.unsynced {
		return
	}
	for _, loss := range replicator.Rollback([]replicator.Node{l}, false) {
		s.lost(ctx, loss.Node.(*link), loss.Err)
	}
}

// executeSession runs work that sets something of the session on all nodes that it is
// connected to, the main node first. A node that will not have it is let go: it is
// given the session's state when it is needed again.
func (s *Session) executeSession(ctx context.Context) (ok bool, err error) {
	ok, err = s.executeOne(ctx, target{node: s.mainID()})
	if !ok || err != nil {
		return ok, err
	}
	first := s.ranOn
	s.ranOn = noNode
	for _, l := range s.links {
		if l == nil || l.ID() == first {
			continue
		}
		err := l.Start(false)
		if err == nil {
			_, err = l.Finish(false)
		}
		switch {
		case err != nil:
			s.lost(ctx, l, err)
		case l.answer.Failed():
			s.dropLink(l)
		}
	}
	return true, s.gone
}

// endOnPrimary follows the end of a transaction.
func (s *Session) endOnPrimary() {
	s.track.End(s.policy(), s.login.Database, s.tx.committed, s.Mutations)
	if s.tx.writer != noNode {
		s.noteWritten()
	}
	if s.tx.settings {
		s.forgetOthers()
	}
}

// noteOnPrimary follows the statements whose effect only the primary has: what comes later
// in the transaction has to be there, and the other nodes must not be used with another
// idea of the session when it has ended.
func (s *Session) noteOnPrimary(stmt *parser.Statement) {
	if bindsSession(stmt) && s.ranOn != noNode {
		id := s.ranOn
		s.settings.bound = &id
	}
	switch inside := s.tx.kind != txNone; {
	case stmt.Kind == parser.RollbackTo:
		s.dropBegun()
	case !setsSession(stmt) && stmt.Kind != parser.Prepare:
	case inside:
		s.tx.settings = true
	case s.ranOn != noNode:
		s.forgetOthers()
	}
}

// setsSession reports whether a statement sets what outlasts a transaction.
func setsSession(stmt *parser.Statement) bool {
	return stmt.Kind == parser.Set || stmt.Kind == parser.Reset || stmt.Kind == parser.Discard || callsSetConfig(stmt)
}

func callsSetConfig(stmt *parser.Statement) bool {
	return slices.ContainsFunc(stmt.Functions, func(f parser.Function) bool { return f.Name == "set_config" })
}

// dropBegun lets go of the nodes that have read in the transaction, but not of the main
// node.
func (s *Session) dropBegun() {
	s.dropOthers(func(l *link) bool { return l.begun })
}

// forgetOthers lets go of all nodes but the main one, which alone has heard of what
// the session has set.
func (s *Session) forgetOthers() {
	if s.main() != nil {
		s.dropOthers(func(*link) bool { return true })
		s.alone = true
	}
}

// dropOthers lets go of those nodes but the main one.
func (s *Session) dropOthers(which func(l *link) bool) {
	main := s.main()
	for _, l := range s.links {
		if l != nil && l != main && which(l) {
			s.dropLink(l)
		}
	}
}

// rejoinOthers gives the session its other nodes again, which are told what it has set.
func (s *Session) rejoinOthers(ctx context.Context) {
	if !s.alone {
		return
	}
	s.alone = false
	if err := s.complete(ctx); err != nil {
		s.log.Warn("session goes on with the primary alone", zap.Error(err))
	}
}
