package proxy

import (
	"fmt"
	"strconv"
	"time"
)

// The columns of SHOW POOL_NODES that are read here.
const (
	columnNodeID = 0
	columnStatus = 3
)

// NodeStatus is a node's status in SHOW POOL_NODES, such as "up" or "down".
func (p *Proxy) NodeStatus(id int) string {
	p.t.Helper()
	status, err := p.nodeStatus(id)
	if err != nil {
		p.t.Fatalf("status of node %d: %v", id, err)
	}
	return status
}

func (p *Proxy) nodeStatus(id int) (string, error) {
	rows, err := p.Try("SHOW POOL_NODES")
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if len(row) > columnStatus && row[columnNodeID] == strconv.Itoa(id) {
			return row[columnStatus], nil
		}
	}
	return "", fmt.Errorf("no such node in %q", rows)
}

// WaitNodeStatus waits until SHOW POOL_NODES gives the node this status. Errors count
// as another status, since no log-in succeeds while no node is up.
func (p *Proxy) WaitNodeStatus(id int, status string) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		got, err := p.nodeStatus(id)
		if err == nil && got == status {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("node %d is %q (%v) after %v, want %q", id, got, err, patience, status)
		}
	}
}
