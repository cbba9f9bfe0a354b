package cluster

import (
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Status is the state of a node.
type Status uint8

// The states, with the numbers of Pgpool-II up to Down.
const (
	// Unused is a node that is configured but was never taken into service.
	Unused Status = iota
	// Waiting is in service; no session has connected to it yet.
	Waiting
	// Up is in service.
	Up
	// Down is out of service.
	Down
	// Quarantine is out of service for this proxy only, until the others agree.
	Quarantine
)

// String gives the word that SHOW POOL_NODES and pcp_node_info show.
func (s Status) String() string {
	switch s {
	case Unused:
		return "unused"
	case Waiting:
		return "waiting"
	case Up:
		return "up"
	case Down:
		return "down"
	case Quarantine:
		return "quarantine"
	}
	return "unknown"
}

// Number gives the status number of the PCP protocol, in which a quarantined node
// is a down node with a mark elsewhere.
func (s Status) Number() int {
	if s == Quarantine {
		return int(Down)
	}
	return int(s)
}

// Live reports whether a node in this state is in service.
func (s Status) Live() bool { return s == Waiting || s == Up }

// Node is one node as it is seen in a View.
type Node struct {
	ID            config.NodeID
	Host          string
	Port          int
	DataDirectory string
	// Weight is backend_weight: its share of the balanced reads, not normalised.
	Weight float64
	// DisallowToFailover is the backend flag: not answering does not detach it.
	DisallowToFailover bool
	Status             Status
	// Since is when Status last changed (last_status_change).
	Since time.Time
	// Reason says why it has this status, in a sentence for an operator.
	Reason string

	// held: only an operator brings it back (the status file said so).
	held bool
	// resume is what it becomes if it answers at start: Waiting, or Up if the
	// status file says that it was up.
	resume Status
	// dismissed: an operator detached it since the start, so it does not come back
	// by itself.
	dismissed bool
	// joined is the epoch with which it came into service. An older probe's
	// verdict says nothing about it any more.
	joined uint64
}

// candidate reports whether the node may come into service by itself while no
// node has been in service yet.
func (n Node) candidate() bool { return !n.Status.Live() && !n.held }
