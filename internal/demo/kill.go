package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

const (
	// noticePatience is how long pgchorus may take to take a dead node out of
	// service; noticeInterval is how often we look.
	noticePatience = 15 * time.Second
	noticeInterval = 50 * time.Millisecond
)

// kill ends a node as a power failure would, and shows what pgchorus makes of it.
func (s *story) kill(ctx context.Context) error {
	node := s.cluster.Nodes()[s.opts.Kill]
	s.out.event("Node %d is killed now (SIGKILL to process %d and all of its children)%s.", node.ID, node.PID(), s.mainNote())
	killed := time.Now()
	if err := node.Kill(); err != nil {
		return fmt.Errorf("node %d: %w", node.ID, err)
	}
	status, err := s.waitDown(ctx)
	if err != nil {
		return err
	}
	s.out.event("SHOW POOL_NODES, %d ms later:", time.Since(killed).Milliseconds())
	s.out.table(pick(status, "node_id", "hostname", "port", "status", "pg_status", "role", "select_cnt", "last_status_change"))
	if !slices.Contains(without(status, "up"), s.opts.Kill) {
		s.fault("node %d is dead, and not out of service after %v", s.opts.Kill, noticePatience)
	}
	return nil
}

// mainNote: node 0 is the one that everything ran on first.
func (s *story) mainNote() string {
	if s.opts.Kill != 0 {
		return ""
	}
	return "; it is the main node"
}

// waitDown asks until the node is out of service, or for noticePatience. It returns
// the last answer.
func (s *story) waitDown(ctx context.Context) ([][]string, error) {
	ctx, stop := context.WithTimeout(ctx, queryPatience)
	defer stop()
	tick := time.NewTicker(noticeInterval)
	defer tick.Stop()
	for end := time.Now().Add(noticePatience); ; {
		status, err := s.status(ctx)
		if err != nil {
			return nil, err
		}
		if slices.Contains(without(status, "up"), s.opts.Kill) || time.Now().After(end) {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return status, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// status is the answer to SHOW POOL_NODES, which has a row for each node.
func (s *story) status(ctx context.Context) ([][]string, error) {
	rows, err := s.server.ask(ctx, database, "SHOW POOL_NODES")
	if err != nil {
		return nil, fmt.Errorf("SHOW POOL_NODES: %w", err)
	}
	if known := pick(rows, "node_id", "status"); len(known[0]) != 2 || len(known)-1 != s.opts.Nodes {
		return nil, fmt.Errorf("SHOW POOL_NODES answers with %v for %d nodes", rows, s.opts.Nodes)
	}
	return rows, nil
}

// without lists the nodes in SHOW POOL_NODES that do not have the status.
func without(status [][]string, word string) []int {
	var ids []int
	for _, row := range pick(status, "node_id", "status")[1:] {
		if id, err := strconv.Atoi(row[0]); err == nil && row[1] != word {
			ids = append(ids, id)
		}
	}
	return ids
}
