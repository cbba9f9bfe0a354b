package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/cluster"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/logkey"
	"github.com/pgchorus/pgchorus/internal/nodecheck"
)

// checkNodesTimeout bounds a look at all nodes.
const checkNodesTimeout = 30 * time.Second

// nodesToCheck are nodes with how to connect to them.
func (p *program) nodesToCheck(cfg *config.Config, ids []config.NodeID, user string) ([]nodecheck.Node, error) {
	lent, err := p.verifyNodesOf(cfg, ids, user)
	if err != nil {
		return nil, err
	}
	nodes := make([]nodecheck.Node, len(lent))
	for i, n := range lent {
		nodes[i] = nodecheck.Node{ID: n.ID, Connect: n.Connect}
	}
	return nodes, nil
}

// newWatch looks at the nodes in service in the background.
func (p *program) newWatch() *nodecheck.Watch {
	return &nodecheck.Watch{
		Interval: func() time.Duration { return p.cfg.Load().Replication.NodeCheckInterval },
		Nodes: func() []nodecheck.Node {
			nodes, err := p.nodesToCheck(p.cfg.Load(), mainFirst(p.cluster.View()), "")
			if err != nil {
				p.log.Warn("nodes are not compared", zap.Error(err))
			}
			return nodes
		},
		Fence: func(ctx context.Context, id config.NodeID, reason string) error {
			_, err := p.cluster.Fence(ctx, id, reason)
			return err
		},
		Log: p.log,
	}
}

// nodeChecker keeps nodes out that would compute other results than the others.
type nodeChecker struct{ p *program }

var _ cluster.Checker = nodeChecker{}

// Check implements cluster.Checker. Nodes that cannot be asked may come in, since a
// configuration may have no role for it; the log says so.
func (c nodeChecker) Check(ctx context.Context, inService, candidates []config.NodeID) map[config.NodeID]error {
	cfg := c.p.cfg.Load()
	if !cfg.ClusteringMode.Replicates() || cfg.Replication.NodeCheckInterval <= 0 {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, checkNodesTimeout)
	defer stop()
	nodes, err := c.p.nodesToCheck(cfg, slices.Concat(inService[:min(len(inService), 1)], candidates), "")
	if err != nil {
		c.p.log.Warn("nodes are not compared", zap.Error(err))
		return nil
	}
	result := nodecheck.Look(ctx, nodes)
	c.say(result)
	refused := map[config.NodeID]error{}
	for _, id := range candidates {
		if err := result.Refused(id); err != nil {
			refused[id] = err
		}
	}
	return refused
}

// say logs what does not keep a node out; what does is logged with the decision.
func (c nodeChecker) say(result nodecheck.Result) {
	for id, err := range result.Failed {
		c.p.log.Warn("node could not be compared with the others", zap.Int(logkey.Node, int(id)), zap.Error(err))
	}
	for _, d := range result.Differences {
		c.p.log.Warn("nodes are not alike", zap.Int(logkey.Node, int(d.Node)), zap.String("difference", d.String()), zap.String("remedy", d.Remedy()))
	}
}

// checkNodes is `pgchorus check --nodes`: what the nodes in a configuration have otherwise
// than the first one that answers.
func checkNodes(cmd *cobra.Command, cfg *config.Config, flags serveFlags, user string) error {
	p, err := newAsker(contextOf(cmd), cfg, flags)
	if err != nil {
		return err
	}
	var ids []config.NodeID
	for _, b := range cfg.Backends {
		ids = append(ids, b.ID)
	}
	nodes, err := p.nodesToCheck(cfg, ids, user)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(contextOf(cmd), checkNodesTimeout)
	defer stop()
	return reportNodes(cmd.OutOrStdout(), nodecheck.Look(ctx, nodes))
}

// reportNodes prints the differences, and returns an error with the exit code: 1 if a node
// must not be in service, 2 if one could not be asked.
func reportNodes(w io.Writer, result nodecheck.Result) error {
	for _, d := range result.Differences {
		fmt.Fprintf(w, "node %d: %s: %s (%s)\n", d.Node, d.Action(), d, d.Remedy())
	}
	for _, id := range slices.Sorted(maps.Keys(result.Failed)) {
		fmt.Fprintf(w, "%v\n", result.Failed[id])
	}
	fmt.Fprintf(w, "%d nodes compared, %d differences\n", len(result.Compared), len(result.Differences))
	switch {
	case len(nodecheck.AtLeast(nodecheck.Refuse, result.Differences)) > 0:
		return &verifyError{exitDifferent, errors.New("nodes are not alike")}
	case len(result.Failed) > 0:
		return &verifyError{exitUnchecked, errors.New("not every node could be asked")}
	}
	return nil
}
