package deadlock

import (
	"cmp"
	"slices"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Party is who waits or is waited for: a session of ours by its number, or, with Session 0, a
// process of somebody else on a node.
type Party struct {
	Session uint32
	Node    config.NodeID
	PID     uint32
}

// Wait is one party that waits for another on a node.
type Wait struct {
	Who, For Party
	On       config.NodeID
}

// Find returns cycles of waits that span more than one node, none of which share a party;
// pure. Each begins with its smallest party. Those within one node, which its server
// finds, are not told.
func Find(waits []Wait) [][]Party {
	g := graphOf(waits)
	var cycles [][]Party
	for _, start := range g.parties {
		if cycle := g.through(start); cycle != nil {
			cycles = append(cycles, cycle)
			for _, party := range cycle {
				delete(g.next, party)
			}
		}
	}
	return cycles
}

// graph is the waits by who waits.
type graph struct {
	parties []Party // in order
	next    map[Party][]Wait
}

func graphOf(waits []Wait) graph {
	g := graph{next: map[Party][]Wait{}}
	for _, w := range waits {
		if w.Who == w.For {
			continue
		}
		if g.next[w.Who] == nil {
			g.parties = append(g.parties, w.Who)
		}
		g.next[w.Who] = append(g.next[w.Who], w)
	}
	slices.SortFunc(g.parties, compareParties)
	for _, out := range g.next {
		slices.SortFunc(out, func(a, b Wait) int { return cmp.Or(compareParties(a.For, b.For), int(a.On-b.On)) })
	}
	return g
}

func compareParties(a, b Party) int {
	return cmp.Or(cmp.Compare(a.Session, b.Session), cmp.Compare(a.Node, b.Node), cmp.Compare(a.PID, b.PID))
}

// state is a place on a walk: a party, and the node that all waits so far were on.
type state struct {
	party Party
	on    config.NodeID // several for more than one
}

// several stands for more than one node, none for no wait so far.
const (
	several config.NodeID = -2
	none    config.NodeID = -1
)

// through is a shortest cycle over several nodes from a party back to it; nil for none.
// Party and node are looked at together, so each is at most once on the way for each node.
func (g graph) through(start Party) []Party {
	first := state{start, none}
	from := map[state]state{first: first}
	for queue := []state{first}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, w := range g.next[at.party] {
			to := state{w.For, w.On}
			if at.on != none && at.on != w.On {
				to.on = several
			}
			if _, seen := from[to]; seen || to.party == start && to.on != several {
				continue
			}
			from[to] = at
			if to.party == start {
				return path(from, to, first)
			}
			queue = append(queue, to)
		}
	}
	return nil
}

// path leads back from the end of a walk, and names each party once.
func path(from map[state]state, end, first state) []Party {
	var cycle []Party
	for at := from[end]; ; at = from[at] {
		if !slices.Contains(cycle, at.party) {
			cycle = append(cycle, at.party)
		}
		if at == first {
			break
		}
	}
	slices.Reverse(cycle)
	return cycle
}
