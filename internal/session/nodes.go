package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/auth"
	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
	"github.com/pgchorus/pgchorus/replicator"
)

// refreshView takes the newest view and lets go of nodes that are out of it. It
// costs one pointer load when nothing has changed.
func (s *Session) refreshView() {
	view := s.Cluster.View()
	if view == s.view {
		return
	}
	s.view = view
	for id, l := range s.links {
		if l != nil && (!view.Up(config.NodeID(id)) || l.conn.WasCut()) {
			s.dropLink(l) // out of service, or back in it after it was out
		}
	}
	// The draw stays, so that the choice does, unless the nodes to choose from are others.
	if !view.Up(s.lb) || s.tx.kind == txNone {
		s.lb = s.pickLoadBalanceNode()
	}
}

func (s *Session) dropLink(l *link) {
	s.tx.lostPart = s.tx.lostPart || l.begun
	s.running.remove(l)
	s.Pool.Close(l.conn)
	s.links[l.ID()] = nil
	s.noteProcess()
}

// link returns the session's connection to a node, nil if it has none.
func (s *Session) link(id config.NodeID) *link {
	if id < 0 || int(id) >= len(s.links) {
		return nil
	}
	return s.links[id]
}

// mainID is the main node, noNode while a primary is sought.
func (s *Session) mainID() config.NodeID {
	if id, known := s.view.Main(); known {
		return id
	}
	return noNode
}

// main is the main node's link. Where writes are replicated each node can stand in for a
// lost one, so it is that with the lowest number; a primary cannot be stood in for.
func (s *Session) main() *link {
	if s.hasPrimary() {
		return s.link(s.mainID())
	}
	return s.first()
}

// first is the link to the node with the lowest number, nil if there is none.
func (s *Session) first() *link {
	for _, l := range s.links {
		if l != nil {
			return l
		}
	}
	return nil
}

// all are the links in node order, as the replicator wants them.
func (s *Session) all() []replicator.Node {
	return s.appendAll(make([]replicator.Node, 0, len(s.links)))
}

func (s *Session) appendAll(nodes []replicator.Node) []replicator.Node {
	for _, l := range s.links {
		if l != nil {
			nodes = append(nodes, l)
		}
	}
	return nodes
}

// begun are the links on which the transaction's block is open.
func (s *Session) begun() []replicator.Node { return s.appendBegun(nil) }

func (s *Session) appendBegun(nodes []replicator.Node) []replicator.Node {
	for _, l := range s.links {
		if l != nil && l.begun {
			nodes = append(nodes, l)
		}
	}
	return nodes
}

// wanted are the nodes that the session is to be connected to: all where writes are
// replicated, else the main node and that which its reads go to, or another standby. The
// first one decides what the frontend is asked at log-in.
func (s *Session) wanted() []config.NodeID {
	if s.replicates() {
		return s.view.Live()
	}
	var ids []config.NodeID
	main, known := s.view.Main()
	if known {
		ids = append(ids, main)
	}
	if !s.hasPrimary() {
		return ids
	}
	if s.lb != main && s.view.Up(s.lb) {
		ids = append(ids, s.lb)
	}
	for _, id := range s.view.Live() {
		if len(ids) < 2 && !slices.Contains(ids, id) {
			ids = append(ids, id) // knows the session's state, should the other one die
		}
	}
	return ids
}

// complete sees to it that the session has a connection to every node that it wants, with
// the session's state on it. A node that cannot be reached is reported to the
// cluster; one that is alive and does not let us in is an error, since a write
// must not leave it out.
func (s *Session) complete(ctx context.Context) error {
	for _, id := range s.wanted() {
		if s.link(id) != nil {
			continue
		}
		if err := s.join(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// lacksPart reports whether a node that is connected to now would have the rest of the transaction only: no node
// joins in the midst of one (Barrier), so it is one that lives and whose connection has broken.
func (s *Session) lacksPart() bool {
	return s.replicates() && s.tx.kind != txNone && s.tx.lostPart && (s.tx.wrote || s.oneSnapshot())
}

// partLost says what follows from that: nothing if the node is dead, for then the others go on without it.
func (s *Session) partLost(ctx context.Context, id config.NodeID) error {
	if dead, err := s.isDead(ctx, id, errConnectionGone); dead {
		return err
	}
	return lostTransaction(id, errConnectionGone)
}

// isDead has the cluster look at a node that a connection was lost to. The error is that it must not be left out.
func (s *Session) isDead(ctx context.Context, id config.NodeID, cause error) (dead bool, _ error) {
	_, alive, err := s.Cluster.Suspect(ctx, id, cause)
	s.refreshView()
	switch {
	case !s.view.Up(id):
		return true, nil
	case err == nil && !alive:
		return true, errStillInService(id, cause)
	}
	return false, nil
}

// join connects to a node that the session has no connection to.
func (s *Session) join(ctx context.Context, id config.NodeID) error {
	if s.lacksPart() {
		return s.partLost(ctx, id)
	}
	conn, err := s.connect(ctx, id)
	if err != nil {
		return s.notReached(ctx, id, err)
	}
	l := newLink(s, conn)
	if err := s.giveState(l); err != nil {
		s.Pool.Close(conn)
		return err
	}
	s.setLink(l)
	return nil
}

// giveState gives a node the session's state. What only lost nodes knew is lost with them:
// then the session cannot go on as if nothing had been.
func (s *Session) giveState(l *link) error {
	if from := s.knowing(); from != nil {
		return s.copyState(from, l)
	}
	if s.loan.on {
		return s.giveSettings(l)
	}
	if s.settings.kept.lost {
		return pgerr.Fatal(pgerr.ConnectionFailure, "every node that knew the session's settings was lost").
			WithHint("Connect again.")
	}
	for _, set := range s.settings.kept.list {
		if _, err := l.ask(set.sql); err != nil {
			return fmt.Errorf("set again on node %d: %s: %w", l.ID(), set.sql, err)
		}
	}
	return s.copyPrepared(l)
}

// knowing is a link whose node has the session's state: the main node's, if there is
// one.
func (s *Session) knowing() *link {
	if l := s.main(); l != nil {
		return l
	}
	return s.first()
}

// errConnectionGone: a question of ours has found out; who needs the node is told.
var errConnectionGone = errors.New("its connection broke between two statements")

// setLink takes a connection over. What its backend was shown is good for the others.
func (s *Session) setLink(l *link) {
	if s.credential.IsZero() {
		s.credential = l.conn.Opened().Secret
	}
	s.place(l)
	s.noteProcess()
}

// notReached says what follows from a failed connection: nothing if the node is
// dead, for then the others go on without it.
func (s *Session) notReached(ctx context.Context, id config.NodeID, cause error) error {
	if !wasRefused(cause) {
		if dead, err := s.isDead(ctx, id, cause); dead {
			return err
		}
	}
	s.log.Warn("node does not let the session in", zap.Int(logkey.Node, int(id)), zap.Error(cause))
	if _, answered := errors.AsType[*auth.BackendError](cause); answered || wasRefused(cause) {
		return cause
	}
	return errNotLetIn(id, cause)
}

// errNotLetIn is told when a node that lives has not let the session in, and has not said why.
func errNotLetIn(id config.NodeID, cause error) error {
	return pgerr.Fatalf(pgerr.CannotConnectNow, "node %d does not let the session in", id).
		WithHint("Connect again. The log of pgchorus has the cause; see connect_timeout.").
		Wrap(cause)
}

// errStillInService is told when a node is dead and must not be left out: it is the
// last one, or failover is off for it.
func errStillInService(id config.NodeID, cause error) error {
	return pgerr.Fatalf(pgerr.CannotConnectNow, "node %d cannot be reached", id).
		WithDetail("It is in service: no other node is left, or it must not be detached by itself (failover_on_backend_error, backend_flag%d).", id).
		Wrap(cause)
}

// wasRefused reports whether a server answered and would not have us.
func wasRefused(err error) bool {
	var refused *auth.BackendError
	if errors.As(err, &refused) {
		return refused.Code() != pgerr.CannotConnectNow
	}
	var shown *pgerr.Error
	return errors.As(err, &shown)
}

// connect opens a connection to a node as the session's user.
func (s *Session) connect(ctx context.Context, id config.NodeID) (*backend.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := s.connectPatience(cancel)
	defer patience.Stop()
	conn, err := s.Pool.Connect(ctx, id, s.Address(id), s.params, func(ctx context.Context, conn wire.Login, secured *tls.ConnectionState) (auth.Opened, error) {
		return auth.Backend(ctx, conn, s.login.User, s.credential, auth.BackendOptions{TLS: secured, Source: s.sourceWithout(patience)})
	})
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", id, err)
	}
	s.Cluster.Connected(ctx, id)
	return conn, nil
}

// errConnectTimeout is connect_timeout at work.
var errConnectTimeout = errors.New("no answer within connect_timeout")

// connectPatience gives a connection up after connect_timeout.
func (s *Session) connectPatience(cancel context.CancelCauseFunc) *time.Timer {
	limit := s.Config().Pool.ConnectTimeout
	if limit <= 0 {
		limit = time.Duration(math.MaxInt64)
	}
	return time.AfterFunc(limit, func() { cancel(errConnectTimeout) })
}

// sourceWithout asks the frontend for its password, if a backend wants one. The time
// that it takes to answer is not the backend's.
func (s *Session) sourceWithout(patience *time.Timer) auth.SecretSource {
	if s.source == nil {
		return nil
	}
	return func(ctx context.Context, asked auth.Method) (auth.Secret, error) {
		patience.Stop()
		secret, err := s.source(ctx, asked)
		patience.Reset(max(s.Config().Pool.ConnectTimeout, time.Second))
		return secret, err
	}
}

// lost is called for a link whose connection broke. It tells whether the node
// itself is still alive, in which case only this connection was lost.
func (s *Session) lost(ctx context.Context, l *link, cause error) (alive bool) {
	id := l.ID()
	fatal := l.conn.Fatal
	if fatal != nil {
		s.Counters.failed(id, wire.ErrorField(fatal, wire.FieldSeverity))
	}
	s.dropLink(l)
	if !s.Cluster.View().Up(id) {
		s.refreshView()
		return false
	}
	suspect := s.Cluster.Suspect
	switch pgerr.Code(wire.ErrorField(fatal, wire.FieldCode)) {
	case pgerr.AdminShutdown, pgerr.CrashShutdown:
		suspect = s.Cluster.SuspectShutdown
	}
	if s.hasPrimary() {
		s.Standbys.Doubt(id)
	}
	_, alive, err := suspect(ctx, id, cause)
	s.log.Info("connection to node lost", zap.Int(logkey.Node, int(id)), zap.Bool("alive", alive),
		zap.String("server", wire.ErrorField(fatal, wire.FieldMessage)), zap.Error(cause), zap.NamedError("verdict", err))
	s.refreshView()
	if alive && fatal != nil && wire.ErrorField(fatal, wire.FieldCode) == string(pgerr.AdminShutdown) {
		s.terminated = fatal
	}
	return alive
}

// fence takes a node out that lacks what others have. It returns false when it was
// the last one.
func (s *Session) fence(ctx context.Context, id config.NodeID, reason string) bool {
	_, err := s.Cluster.Fence(ctx, id, reason)
	s.refreshView()
	if l := s.link(id); l != nil {
		s.dropLink(l)
	}
	return err == nil
}

// errNoNodes is told when every node is lost.
func errNoNodes() error {
	return pgerr.Fatal(pgerr.CannotConnectNow, "no node is available").
		WithDetail("all backend nodes are down, pgchorus requires at least one valid node").
		WithHint("repair the backend nodes and attach them")
}
