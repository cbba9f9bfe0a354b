package cluster

import (
	"errors"
	"fmt"
	"time"
)

// transition decides what an event leads to. It is the whole failover policy,
// takes no lock and asks nobody; a view that does not change is returned as is.
func transition(v *View, e Event) (*View, []Action) {
	switch e.Kind {
	case StartRound:
		return startRound(v, e)
	case Reloaded:
		return reloaded(v, e)
	case PrimaryFound:
		return primaryFound(v, e)
	}
	n, ok := v.Node(e.Node)
	if !ok {
		return v, refuse(e, ErrNoSuchNode)
	}
	switch e.Kind {
	case NotAnswering:
		return notAnswering(v, n, e)
	case Fenced:
		return fenced(v, n, e)
	case Detached:
		return detached(v, n, e)
	case Attached:
		return attached(v, n, e)
	case FalsePrimary:
		return falsePrimary(v, n, e)
	case Returned:
		return returned(v, n, e)
	case Connected:
		return connected(v, n)
	case KeptOut:
		return keptOut(v, n, e)
	}
	return v, nil
}

// notAnswering: a verdict that is older than the node's return to service is not
// about the node as it is now.
func notAnswering(v *View, n Node, e Event) (*View, []Action) {
	switch {
	case !n.Status.Live() || e.Seen < n.joined:
		return v, nil
	case n.DisallowToFailover:
		return v, kept(n, e, ErrDisallowed)
	case isLast(v):
		return v, kept(n, e, ErrLastNode)
	}
	return leave(v, n, e)
}

// fenced does not look at DISALLOW_TO_FAILOVER: the flag speaks of reachability,
// and this node would answer, wrongly.
func fenced(v *View, n Node, e Event) (*View, []Action) {
	switch {
	case !n.Status.Live():
		return v, nil
	case isLast(v):
		return v, append(kept(n, e, ErrLastNode), refuse(e, ErrLastNode)...)
	}
	return leave(v, n, e)
}

func detached(v *View, n Node, e Event) (*View, []Action) {
	switch {
	case !n.Status.Live():
		return v, refuse(e, ErrNotInService)
	case n.DisallowToFailover:
		return v, refuse(e, ErrDisallowed)
	case isLast(v):
		return v, refuse(e, ErrLastNode)
	}
	n.dismissed = true
	return leave(v, n, e)
}

func attached(v *View, n Node, e Event) (*View, []Action) {
	if n.Status.Live() {
		return v, refuse(e, ErrInService)
	}
	return join(v, n, e)
}

// returned: what a standby lacks PostgreSQL sends it, so where there is a primary
// a node may come back by itself. What an operator took out stays out.
func returned(v *View, n Node, e Event) (*View, []Action) {
	switch {
	case !v.hasPrimary:
		return v, refuse(e, ErrNoPrimaryMode)
	case n.Status.Live():
		return v, refuse(e, ErrInService)
	case n.dismissed:
		return v, refuse(e, ErrDismissed)
	}
	return join(v, n, e)
}

func join(v *View, n Node, e Event) (*View, []Action) {
	n = enter(v, n, Waiting, e.Reason, e.At)
	n.dismissed = false
	return v.with(n), []Action{
		{Kind: SaveStatus},
		{Kind: LogAttached, Node: n.ID, Reason: n.Reason},
		{Kind: RunFailback, Node: n.ID},
	}
}

// keptOut changes what is said of a node, not what it is.
func keptOut(v *View, n Node, e Event) (*View, []Action) {
	if n.Status.Live() {
		return v, nil
	}
	n.Reason = e.Reason
	return v.with(n), []Action{{Kind: LogKeptOut, Node: n.ID, Reason: n.Reason}}
}

// connected keeps Since: the node was in service before and still is.
func connected(v *View, n Node) (*View, []Action) {
	if n.Status != Waiting {
		return v, nil
	}
	n.Status = Up
	return v.with(n), nil
}

// primaryFound makes a live node the primary. If it takes the place of one that was
// lost, the others have to be made to follow it, and are out of service until they
// do; a primary that is found for the first time, or that somebody else has put in
// the place of a living one, is followed already.
func primaryFound(v *View, e Event) (*View, []Action) {
	switch {
	case !v.hasPrimary:
		return v, refuse(e, ErrNoPrimaryMode)
	case e.Node == v.primary, e.Node < 0 && v.primary < 0:
		return v, nil
	case e.Node < 0:
		return v.withPrimary(-1), []Action{{Kind: LogNoPrimary, Node: v.primary, Reason: e.Reason}}
	case !v.Up(e.Node):
		return v, refuse(e, ErrNotInService)
	}
	next := v.withPrimary(e.Node)
	actions := []Action{{Kind: LogPrimary, Node: e.Node, Reason: e.Reason}}
	if !e.Follow || v.lost < 0 || v.lost == e.Node {
		return next, actions
	}
	next, follow := follow(next, e)
	return next, append(actions, follow...)
}

// follow takes every node but the new primary out of service and has the command
// run for each, in the order of their IDs, also for those that were out before.
func follow(v *View, e Event) (*View, []Action) {
	epoch := v.Epoch
	actions := []Action{{Kind: SaveStatus}}
	var changed []Node
	for _, n := range v.Nodes {
		if n.ID == e.Node {
			continue
		}
		if n.Status.Live() {
			n.Status, n.Since = Down, e.At
			n.Reason = fmt.Sprintf("has to follow node %d, the new primary", e.Node)
			changed = append(changed, n)
			actions = append(actions, Action{Kind: LogDetached, Node: n.ID, Reason: n.Reason})
		}
		actions = append(actions, Action{Kind: RunFollow, Node: n.ID})
	}
	next := v.with(changed...)
	next.Epoch = epoch // one change, one step
	return next, actions
}

// falsePrimary: two nodes take writes, so one has what the other lacks.
func falsePrimary(v *View, n Node, e Event) (*View, []Action) {
	switch {
	case !v.hasPrimary:
		return v, refuse(e, ErrNoPrimaryMode)
	case !n.Status.Live():
		return v, refuse(e, ErrNotInService)
	case n.DisallowToFailover:
		return v, refuse(e, ErrDisallowed)
	case n.ID == v.primary:
		return v, refuse(e, ErrIsPrimary)
	case isLast(v):
		return v, refuse(e, ErrLastNode)
	}
	return leave(v, n, e)
}

// startRound takes every candidate that answers into service, all at once: while
// none was in service none can have been written to. Later it changes nothing.
func startRound(v *View, e Event) (*View, []Action) {
	if v.served {
		return v, nil
	}
	var changed []Node
	for _, n := range v.Nodes {
		if err, probed := e.Answers[n.ID]; probed && n.candidate() {
			changed = append(changed, judged(v, n, err, e.At))
		}
	}
	next := v.with(changed...)
	if !next.served {
		return next, []Action{{Kind: LogNoneAnswers, Err: firstError(changed, e)}}
	}
	return next, startActions(next)
}

func judged(v *View, n Node, err error, at time.Time) Node {
	if err == nil {
		return enter(v, n, n.resume, "answered at start", at)
	}
	var unlike *unlikeError
	if errors.As(err, &unlike) {
		n.Reason = err.Error()
		return n
	}
	n.Reason = fmt.Sprintf("did not answer at start: %v", err)
	return n
}

func firstError(probed []Node, e Event) error {
	for _, n := range probed {
		if err := e.Answers[n.ID]; err != nil {
			return fmt.Errorf("node %d: %w", n.ID, err)
		}
	}
	return ErrNoSuchNode
}

func startActions(v *View) []Action {
	actions := []Action{{Kind: SaveStatus}}
	for _, n := range v.Nodes {
		kind := LogDownAtStart
		if n.Status.Live() {
			kind = LogAttached
		}
		actions = append(actions, Action{Kind: kind, Node: n.ID, Reason: n.Reason})
	}
	return actions
}

// reloaded takes over what may change while running. A new node starts out of
// service, since nothing is known of its data; a node keeps its address, since
// another address may be another server.
func reloaded(v *View, e Event) (*View, []Action) {
	var changed []Node
	var actions []Action
	for _, c := range e.Nodes {
		n, known := v.Node(c.ID)
		switch {
		case !known:
			n = newNode(c, Unused, "added by reload", e.At)
			n.held = true
		case n.Host != c.Host || n.Port != c.Port:
			actions = append(actions, Action{Kind: LogAddressKept, Node: n.ID})
		}
		n.Weight, n.DisallowToFailover, n.DataDirectory = c.Weight, c.DisallowToFailover, c.DataDirectory
		changed = append(changed, n)
	}
	return v.with(changed...), actions
}

func newNode(c NodeConfig, s Status, reason string, at time.Time) Node {
	return Node{
		ID: c.ID, Host: c.Host, Port: c.Port, DataDirectory: c.DataDirectory,
		Weight: c.Weight, DisallowToFailover: c.DisallowToFailover,
		Status: s, Since: at, Reason: reason, resume: Waiting,
	}
}

func isLast(v *View) bool { return len(v.Live()) == 1 }

func enter(v *View, n Node, s Status, reason string, at time.Time) Node {
	n.Status, n.Since, n.Reason = s, at, reason
	n.joined = v.Epoch + 1
	return n
}

func leave(v *View, n Node, e Event) (*View, []Action) {
	n.Status, n.Since, n.Reason = Down, e.At, e.Reason
	said := LogLost
	if e.Kind == Detached {
		said = LogDetached
	}
	return v.with(n), []Action{
		{Kind: SaveStatus},
		{Kind: said, Node: n.ID, Reason: n.Reason},
		{Kind: RunFailover, Node: n.ID},
	}
}

func kept(n Node, e Event, why error) []Action {
	return []Action{{Kind: LogKept, Node: n.ID, Reason: e.Reason, Err: why}}
}

func refuse(e Event, why error) []Action {
	return []Action{{Kind: Refuse, Node: e.Node, Err: fmt.Errorf("node %d: %w", e.Node, why)}}
}
