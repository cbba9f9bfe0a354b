package lb

import (
	"fmt"

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
)

// Reason is why a statement goes where it goes.
type Reason uint8

// The reasons.
const (
	Writes Reason = iota
	ReplicateSelect
	RawMode
	LoadBalanced
	LoadBalanceOff
	LoadBalanceNodeDown
	NoLoadBalanceHint
	TransactionWrote
	OneSnapshot
	TransactionReads
	TransactionFailed
	AnsweredHere
)

var reasonTexts = [...]string{
	Writes:              "writes",
	ReplicateSelect:     "replicate_select is on",
	RawMode:             "raw mode",
	LoadBalanced:        "load balanced",
	LoadBalanceOff:      "load_balance_mode is off",
	LoadBalanceNodeDown: "load balance node is down",
	NoLoadBalanceHint:   "comment says so",
	TransactionWrote:    "transaction has written",
	OneSnapshot:         "transaction keeps one snapshot",
	TransactionReads:    "transaction reads there",
	TransactionFailed:   "transaction has failed",
	AnsweredHere:        "no node knows it",
}

// String gives the text that the log and the tests show.
func (r Reason) String() string {
	if int(r) < len(reasonTexts) {
		return reasonTexts[r]
	}
	return "unknown"
}

// Decision is where a statement goes and why.
type Decision struct {
	Target Target
	Node   config.NodeID // NoNode unless Target is OneNode
	Reason Reason
}

// String is such as "node 1: load balanced" or "all nodes: writes".
func (d Decision) String() string {
	switch d.Target {
	case AllNodes:
		return "all nodes: " + d.Reason.String()
	case OneNode:
		return fmt.Sprintf("node %d: %s", d.Node, d.Reason)
	}
	return "here: " + d.Reason.String()
}

func allNodes(r Reason) Decision { return Decision{Target: AllNodes, Node: NoNode, Reason: r} }

func oneNode(id config.NodeID, r Reason) Decision {
	return Decision{Target: OneNode, Node: id, Reason: r}
}

func here(r Reason) Decision { return Decision{Target: Here, Node: NoNode, Reason: r} }
