package cluster

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/pgchorus/pgchorus/internal/config"
)

// View is the state of all nodes at one moment. It never changes, so it can be
// kept for as long as a statement takes and read without a lock. Make one with
// NewView: the zero View has no nodes.
type View struct {
	// Epoch grows by one whenever the set of live nodes or the primary changes.
	// Views of one epoch differ in nothing that a session has to act upon.
	Epoch uint64
	// Nodes are all configured nodes in the order of their IDs. Not to be changed.
	Nodes []Node

	live   [config.MaxNodes / 64]uint64 // a bit for each live ID
	ids    []config.NodeID              // the live IDs in order
	served bool                         // a node has been live since the start

	hasPrimary bool
	primary    config.NodeID // -1: not known, or the mode has none; else it is live
	// lost is the primary that went out of service and has no successor yet, or -1.
	lost config.NodeID
}

// NewView makes a View of the nodes for a mode without a primary. It copies and
// sorts them by ID. IDs outside of 0 to config.MaxNodes-1 are left out.
func NewView(epoch uint64, nodes []Node) *View {
	v := &View{Epoch: epoch, Nodes: make([]Node, 0, len(nodes)), primary: -1, lost: -1}
	for _, n := range nodes {
		if validID(n.ID) {
			v.Nodes = append(v.Nodes, n)
		}
	}
	slices.SortFunc(v.Nodes, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	for _, n := range v.Nodes {
		if n.Status.Live() {
			v.live[n.ID/64] |= 1 << (n.ID % 64)
			v.ids = append(v.ids, n.ID)
		}
	}
	v.served = len(v.ids) > 0
	return v
}

// NewPrimaryView is NewView for a mode with a primary; -1 if it is not known. A
// primary that is not live is none.
func NewPrimaryView(epoch uint64, nodes []Node, primary config.NodeID) *View {
	v := NewView(epoch, nodes)
	v.hasPrimary = true
	if v.Up(primary) {
		v.primary = primary
	}
	return v
}

func validID(id config.NodeID) bool { return id >= 0 && id < config.MaxNodes }

// Up reports whether the node is in service. It costs a bit test.
func (v *View) Up(id config.NodeID) bool {
	return validID(id) && v.live[id/64]&(1<<(id%64)) != 0
}

// HasPrimary reports whether the clustering mode has a primary, known or not.
func (v *View) HasPrimary() bool { return v.hasPrimary }

// Main returns the node that writes go to first. In a mode with a primary that is
// the primary, and there may be none for a while; in the others it is the live
// node with the lowest ID.
func (v *View) Main() (config.NodeID, bool) {
	if v.hasPrimary {
		return v.primary, v.primary >= 0
	}
	return v.lowest()
}

// lowest returns the live node with the lowest ID: the main node as Pgpool-II
// means it, also where there is a primary.
func (v *View) lowest() (config.NodeID, bool) {
	for i, word := range v.live {
		if word != 0 {
			return config.NodeID(i*64 + bits.TrailingZeros64(word)), true
		}
	}
	return -1, false
}

// Live returns the IDs of the live nodes in order. The slice is shared by all who
// ask: not to be changed.
func (v *View) Live() []config.NodeID { return v.ids }

// Node returns the node with this ID, if it is configured.
func (v *View) Node(id config.NodeID) (Node, bool) {
	if i := v.index(id); i >= 0 {
		return v.Nodes[i], true
	}
	return Node{}, false
}

// Role returns the word of SHOW POOL_NODES: "primary" for the primary and
// "standby" for every other where there is a primary, else "main" for the main
// node and "replica" for every other.
func (v *View) Role(id config.NodeID) string {
	main, ok := v.Main()
	is := ok && main == id
	switch {
	case v.hasPrimary && is:
		return "primary"
	case v.hasPrimary:
		return "standby"
	case is:
		return "main"
	}
	return "replica"
}

// index is a look-up by position where IDs have no gaps, which is the usual case.
func (v *View) index(id config.NodeID) int {
	if id >= 0 && int(id) < len(v.Nodes) && v.Nodes[id].ID == id {
		return int(id)
	}
	return slices.IndexFunc(v.Nodes, func(n Node) bool { return n.ID == id })
}

// with returns the view with the given nodes in the place of those of the same
// ID, or added. A primary that is not live any more is lost. The epoch grows if
// that changes who is live.
func (v *View) with(changed ...Node) *View {
	nodes := slices.Clone(v.Nodes)
	for _, n := range changed {
		if i := v.index(n.ID); i >= 0 {
			nodes[i] = n
		} else {
			nodes = append(nodes, n)
		}
	}
	next := NewView(v.Epoch, nodes)
	next.served = next.served || v.served
	next.hasPrimary, next.primary, next.lost = v.hasPrimary, v.primary, v.lost
	if !next.Up(next.primary) && next.primary >= 0 {
		next.primary, next.lost = -1, v.primary
	}
	if next.live != v.live {
		next.Epoch++
	}
	return next
}

// withPrimary returns the view with another primary, or -1 for none.
func (v *View) withPrimary(id config.NodeID) *View {
	next := *v
	next.primary = id
	if id >= 0 {
		next.lost = -1
	}
	next.Epoch++
	return &next
}
