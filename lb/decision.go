package lb

import (
	"strconv"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Target is how many nodes a statement goes to.
type Target uint8

// The targets.
const (
	// AllNodes: every live node, the main node first.
	AllNodes Target = iota
	// OneNode: the node of the decision and no other.
	OneNode
	// Here: no node; pgchorus answers.
	Here
	// SessionNodes: every node that the session is connected to, the primary first
	// (streaming_replication and logical_replication). The answer is the primary's.
	SessionNodes
	// NoPrimary: the primary, and none is known. Another node must not have it.
	NoPrimary
)

// NoNode stands where no node has been chosen.
const NoNode config.NodeID = -1

// Decision is where a statement goes and why.
type Decision struct {
	Target Target
	Node   config.NodeID // NoNode unless Target is OneNode
	Reason Reason
	Name   string // what Reason speaks of, such as a function; "" for nothing
}

// String is such as "node 1: load balanced" or "all nodes: writes t".
func (d Decision) String() string { return d.Where() + ": " + d.Why() }

// Where is such as "node 1" or "all nodes".
func (d Decision) Where() string {
	switch d.Target {
	case AllNodes:
		return "all nodes"
	case OneNode:
		return "node " + strconv.Itoa(int(d.Node))
	case SessionNodes:
		return "session's nodes"
	case NoPrimary:
		return "no primary"
	}
	return "here"
}

// Why is the reason with its name.
func (d Decision) Why() string { return d.Reason.About(d.Name) }

func to(target Target, r Reason, name string) Decision {
	return Decision{Target: target, Node: NoNode, Reason: r, Name: name}
}

func oneNode(id config.NodeID, r Reason) Decision {
	return Decision{Target: OneNode, Node: id, Reason: r}
}
