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
	// Epoch grows by one whenever the set of live nodes changes. Views of one
	// epoch differ in nothing that a session has to act upon.
	Epoch uint64
	// Nodes are all configured nodes in the order of their IDs. Not to be changed.
	Nodes []Node

	live   [config.MaxNodes / 64]uint64 // a bit for each live ID
	ids    []config.NodeID              // the live IDs in order
	served bool                         // a node has been live since the start
}

// NewView makes a View of the nodes, which it copies and sorts by ID. IDs outside
// of 0 to config.MaxNodes-1 are left out.
func NewView(epoch uint64, nodes []Node) *View {
	v := &View{Epoch: epoch, Nodes: make([]Node, 0, len(nodes))}
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

func validID(id config.NodeID) bool { return id >= 0 && id < config.MaxNodes }

// Up reports whether the node is in service. It costs a bit test.
func (v *View) Up(id config.NodeID) bool {
	return validID(id) && v.live[id/64]&(1<<(id%64)) != 0
}

// Main returns the main node: the live node with the lowest ID.
func (v *View) Main() (config.NodeID, bool) {
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

// Role returns the word of SHOW POOL_NODES for the modes without a primary:
// "main" for the main node, "replica" for every other.
func (v *View) Role(id config.NodeID) string {
	if main, ok := v.Main(); ok && main == id {
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
// ID, or added. The epoch grows if that changes who is live.
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
	if next.live != v.live {
		next.Epoch++
	}
	return next
}
