package cluster

import (
	"errors"
	"time"

	"github.com/pgchorus/pgchorus/internal/config"
)

// EventKind is what can happen to a node.
type EventKind uint8

// The kinds of events.
const (
	// StartRound: all candidates were probed while no node had been in service.
	StartRound EventKind = iota
	// NotAnswering: a health check or a session's suspicion found it dead.
	NotAnswering
	// Fenced: it is known to lack a committed transaction.
	Fenced
	// Detached: an operator wants it out of service.
	Detached
	// Attached: an operator wants it in service, and it answers.
	Attached
	// Connected: a session has connected to it.
	Connected
	// Reloaded: the configuration was read again.
	Reloaded
	// PrimaryFound: this node is the primary, or none is if it is -1.
	PrimaryFound
	// FalsePrimary: it takes writes though another node is the primary.
	FalsePrimary
	// KeptOut: it answers and was not attached, since it is unlike the others.
	KeptOut
	// Returned: a standby that was lost answers and follows the primary again.
	Returned
)

// Event is one thing that happened.
type Event struct {
	Kind EventKind
	Node config.NodeID // not for StartRound and Reloaded
	At   time.Time
	// Reason is kept as the node's reason if the event changes its status.
	Reason string
	// Seen, for NotAnswering, is the epoch in which the probe began.
	Seen uint64
	// Answers, for StartRound, holds an entry for each probed node: nil if it
	// answers, else why not.
	Answers map[config.NodeID]error
	// Nodes, for Reloaded, is the new configuration.
	Nodes []NodeConfig
	// Follow, for PrimaryFound, says that follow_primary_command is set.
	Follow bool
}

// ActionKind is what follows from an event, besides the next view.
type ActionKind uint8

// The kinds of actions.
const (
	// SaveStatus: write the status file, before the view is shown to anybody.
	SaveStatus ActionKind = iota
	// LogAttached: the node came into service.
	LogAttached
	// LogDetached: the node was taken out of service by an operator.
	LogDetached
	// LogKeptOut: the node was not taken into service though it answers.
	LogKeptOut
	// LogLost: the node was taken out of service though nobody wanted that.
	LogLost
	// LogDownAtStart: the node is not there at start; it has to be attached.
	LogDownAtStart
	// LogKept: the node should go but stays in service; Err says why.
	LogKept
	// LogNoneAnswers: no node can be used; they are probed again.
	LogNoneAnswers
	// LogAddressKept: a reload cannot move a node to another address.
	LogAddressKept
	// RunFailover: run failover_command for the node.
	RunFailover
	// RunFailback: run failback_command for the node.
	RunFailback
	// LogPrimary: the node is the primary now.
	LogPrimary
	// LogNoPrimary: there is no primary any more.
	LogNoPrimary
	// RunFollow: run follow_primary_command for the node.
	RunFollow
	// Refuse: nothing happens, and the one who asked is told Err.
	Refuse
)

// Action is one thing to do.
type Action struct {
	Kind   ActionKind
	Node   config.NodeID
	Reason string
	Err    error
}

// Why a request is refused, or a node kept. They come wrapped with the node.
var (
	// ErrLastNode: without it no node would be in service.
	ErrLastNode = errors.New("it is the last node in service")
	// ErrNoSuchNode: no node with this ID is configured.
	ErrNoSuchNode = errors.New("no such node")
	// ErrNotInService: it is down already.
	ErrNotInService = errors.New("it is not in service")
	// ErrInService: it is attached already.
	ErrInService = errors.New("it is in service already")
	// ErrDisallowed: backend_flag has DISALLOW_TO_FAILOVER.
	ErrDisallowed = errors.New("failover is disallowed on it (backend_flag)")
	// ErrNoPrimaryMode: the clustering mode has no primary and no standbys.
	ErrNoPrimaryMode = errors.New("the clustering mode has no primary")
	// ErrIsPrimary: it is the primary, so it is no false one.
	ErrIsPrimary = errors.New("it is the primary")
	// ErrDismissed: an operator detached it, so only an operator attaches it.
	ErrDismissed = errors.New("it was detached by an operator")
	// ErrStopped: Run has ended, so nothing can be changed any more.
	ErrStopped = errors.New("the cluster manager has stopped")
)
