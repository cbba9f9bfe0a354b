package session

import (
	"strconv"

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

// routeStatement routes one statement of a query string. What belongs to one node goes
// there: the rows of a portal that was bound there, a backend process.
func (s *Session) routeStatement(stmt *parser.Statement) target {
	switch stmt.Kind {
	case parser.Fetch, parser.ClosePortal:
		if p := s.st.portals[stmt.Name]; p != nil && !p.target.all {
			return target{node: p.target.node, once: true}
		}
	case parser.Select:
		if pid, ok := signalledPID(stmt); ok {
			if id, known := s.Pool.NodeOf(pid); known {
				return target{node: id, once: true}
			}
			return target{node: s.mainTarget().node, once: true}
		}
	}
	return s.route(s.readsOnly(stmt))
}

// signalledPID is the process that pg_terminate_backend or pg_cancel_backend is called
// for, if it is given as a number. Process numbers mean something on one node only.
func signalledPID(stmt *parser.Statement) (pid uint32, ok bool) {
	for _, f := range stmt.Functions {
		if f.Name != "pg_terminate_backend" && f.Name != "pg_cancel_backend" || len(f.Args) == 0 {
			continue
		}
		number, err := strconv.ParseUint(f.Args[0], 10, 32)
		return uint32(number), err == nil
	}
	return 0, false
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
