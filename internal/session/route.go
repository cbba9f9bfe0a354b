package session

import (
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// target is where a statement goes: one node, or all of them.
type target struct {
	all  bool
	node config.NodeID
	// once: on that one node it may write (raw mode), so it is not repeated.
	once bool
}

// route gathers what lb.Route looks at and asks it. readOnly is the statement's, or
// that of the prepared statement that it executes.
func (s *Session) route(readOnly bool) target {
	cfg := s.config()
	if cfg.LoadBalance.StatementLevelLoadBalance && s.tx.kind == txNone {
		s.lb = s.pickLoadBalanceNode()
	}
	main, _ := s.view.Main()
	isolation := s.isolation()
	decision := lb.Route(lb.Input{
		ReadOnly:        readOnly,
		Mode:            clusteringMode(cfg.ClusteringMode),
		LoadBalanceMode: cfg.LoadBalance.LoadBalanceMode,
		ReplicateSelect: cfg.Replication.ReplicateSelect,
		Txn: lb.Txn{
			Open:           s.tx.kind != txNone,
			Wrote:          s.tx.wrote,
			RepeatableRead: isolation == "repeatable read",
			Serializable:   isolation == "serializable",
			ReadNode:       s.tx.readNode,
		},
		View:            s.view,
		Main:            main,
		LoadBalanceNode: s.lb,
	})
	if ce := s.log.Check(zap.DebugLevel, "routed"); ce != nil {
		ce.Write(zap.Stringer("decision", decision))
	}
	return target{all: decision.Target == lb.AllNodes, node: decision.Node, once: !readOnly && decision.Target == lb.OneNode}
}

// isolation is the level of the transaction at hand.
func (s *Session) isolation() string {
	if s.tx.kind != txNone && s.tx.isolation != "" {
		return s.tx.isolation
	}
	return s.settings.isolation
}

func clusteringMode(mode config.ClusteringMode) lb.ClusteringMode {
	if mode == config.Raw {
		return lb.Raw
	}
	return lb.NativeReplication
}

// readsOnly reports whether the statement may run on one node alone: EXECUTE may if
// what was prepared under its name may.
func (s *Session) readsOnly(stmt *parser.Statement) bool {
	if stmt.Kind == parser.Execute {
		p := s.st.prepared[stmt.Name]
		return p != nil && p.effective().ReadOnly
	}
	return stmt.ReadOnly
}

// effective is the statement that an EXECUTE of p runs.
func (p *prepared) effective() *parser.Statement {
	if p.stmt.Kind == parser.Prepare {
		return p.stmt.Inner
	}
	return p.stmt
}
