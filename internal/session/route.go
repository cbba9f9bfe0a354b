package session

import (
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// target is where a statement goes: one node, or all of the session's.
type target struct {
	all  bool
	node config.NodeID
	// once: on that one node it may write, so it is not repeated.
	once bool
	// primary: it is the primary that is meant, whichever node that is by then.
	primary bool
	// keeps: what it does is on that one node of those that replicate, so that the
	// transaction hangs on it.
	keeps bool
}

// route asks lb.Route where a statement goes.
func (s *Session) route(traits lb.Traits) target {
	in := lb.Input{Traits: traits}
	s.routeInput(&in)
	decision := lb.Route(&in)
	if s.lags(decision, &in) {
		in.Stale = true
		decision = lb.Route(&in)
	}
	if decision.Reason == lb.LowerDelay {
		s.lb = decision.Node
	}
	if s.log.Core().Enabled(zap.DebugLevel) { // Check has a kilobyte on the stack
		s.log.Debug("routed", zap.Stringer("decision", decision))
	}
	return s.targetOf(&decision, &in.Traits)
}

func (s *Session) targetOf(d *lb.Decision, traits *lb.Traits) target {
	switch d.Target {
	case lb.AllNodes, lb.SessionNodes:
		return target{all: true}
	case lb.NoPrimary:
		return target{node: noNode, primary: true, once: traits.Class != lb.Read}
	}
	return target{node: d.Node, primary: s.hasPrimary() && d.Node == s.mainID(), once: traits.Class != lb.Read, keeps: traits.OnMain}
}

// routeInput gathers what lb.Route looks at besides the traits.
func (s *Session) routeInput(in *lb.Input) {
	policy := s.policy()
	if policy.StatementLevel && s.tx.kind == txNone {
		s.draw = rand.Uint64()
		s.lb = s.pickLoadBalanceNode()
	}
	isolation := s.isolation()
	in.Policy = policy
	in.Txn = lb.Txn{
		Open:           s.tx.kind != txNone || s.batch.pinned,
		Explicit:       s.tx.kind == txExplicit,
		Wrote:          s.tx.wrote || s.tx.changed,
		Pinned:         s.tx.pinned || s.batch.pinned,
		ReadOnly:       s.tx.readOnly,
		RepeatableRead: isolation == repeatableRead,
		Serializable:   isolation == "serializable",
		ReadNode:       s.tx.readNode,
	}
	in.Past = s.track.Past()
	in.Touched = s.track.Touched(policy, s.login.Database, &in.Traits, s.Mutations)
	in.View, in.Main, in.LoadBalanceNode = s.view, s.mainID(), s.lb
	in.Lags, in.Random = s.Standbys, rand.Uint64()
}

// policy is what the configuration in force for the session says about routing.
func (s *Session) policy() *lb.Policy {
	if s.settings.own == nil {
		return s.Policy()
	}
	if s.settings.policy == nil {
		s.settings.policy = lb.PolicyOf(s.settings.own)
	}
	return s.settings.policy
}

// Standbys tells how far standbys are behind.
type Standbys interface {
	lb.Lags
	// Caught reports whether the standby has replayed everything that was committed
	// before since. It waits for that, but no longer than for wait.
	Caught(id config.NodeID, since time.Time, wait time.Duration) bool
	// Doubt forgets what is known of a node, and Recheck has the primary looked for. They
	// do not wait.
	Doubt(id config.NodeID)
	Recheck()
}

// lags reports whether the standby that was chosen has not replayed what the read must
// see (read_consistency).
func (s *Session) lags(d lb.Decision, in *lb.Input) bool {
	if d.Target != lb.OneNode || !s.hasPrimary() || d.Node == in.Main || in.Traits.Class != lb.Read {
		return false
	}
	cfg := s.config().LoadBalance
	since := s.wroteAt
	switch cfg.ReadConsistency {
	case config.ConsistencyEventual:
		return false
	case config.ConsistencyStrict:
		since = time.Now()
	}
	return !since.IsZero() && !s.Standbys.Caught(d.Node, since, cfg.ReadConsistencyTimeout)
}

// routeAnd routes a statement that is about to be executed, and notes what it writes.
func (s *Session) routeAnd(traits lb.Traits) target {
	s.track.Note(s.policy(), &traits, s.tx.kind == txExplicit)
	where := s.route(traits)
	if s.tx.kind != txNone {
		s.tx.changed = s.tx.changed || traits.Class == lb.Write
		s.tx.pinned = s.tx.pinned || traits.Pins
	}
	return where
}

// noteWritten remembers when the primary had what the session has written.
func (s *Session) noteWritten() {
	if s.hasPrimary() {
		s.wroteAt = time.Now()
	}
}

// routeStatement routes one statement of a query string. What belongs to one node goes
// there: the rows of a portal that was bound there, a backend process.
func (s *Session) routeStatement(stmt *parser.Statement, sql string) target {
	switch stmt.Kind {
	case parser.Fetch, parser.ClosePortal:
		if p := s.st.portals[stmt.Name]; p != nil && !p.target.all {
			return target{node: p.target.node, once: true}
		}
	case parser.Select:
		if where, ok := s.signalTarget(stmt); ok {
			return where
		}
	}
	return s.routeAnd(s.traits(stmt, sql))
}

// isolation is the level of the transaction at hand.
func (s *Session) isolation() string {
	if s.tx.kind != txNone && s.tx.isolation != "" {
		return s.tx.isolation
	}
	return s.settings.isolation
}

// effective is the statement that an EXECUTE of p runs.
func (p *prepared) effective() *parser.Statement {
	if p.stmt.Kind == parser.Prepare {
		return p.stmt.Inner
	}
	return p.stmt
}
