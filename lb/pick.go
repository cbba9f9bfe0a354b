package lb

import (
	"math"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Weighted is a live node with its backend_weight.
type Weighted struct {
	ID     config.NodeID
	Weight float64 // 0 to 1e8; anything below or beyond any number counts as 0
}

// Pick chooses one of the nodes, each as often as its share of the sum of weights. A
// weight of 0 is never chosen, unless all are 0: then it is the first, which is the
// main node if the nodes are in order. r is a random number over the whole range of
// its type. Without nodes the answer is NoNode.
func Pick(nodes []Weighted, r uint64) config.NodeID {
	if len(nodes) == 0 {
		return NoNode
	}
	total := 0.0
	for _, n := range nodes {
		total += n.share()
	}
	if total == 0 {
		return nodes[0].ID
	}
	return pickAt(nodes, unit(r)*total)
}

// pickAt walks along the weights laid end to end. Rounding may carry the point to
// the very end; it belongs to the last node that has a share.
func pickAt(nodes []Weighted, point float64) config.NodeID {
	last := NoNode
	for _, n := range nodes {
		share := n.share()
		if share == 0 {
			continue
		}
		if point < share {
			return n.ID
		}
		point -= share
		last = n.ID
	}
	return last
}

// unit maps r to [0, 1) with the 53 bits that a float64 can hold.
func unit(r uint64) float64 { return float64(r>>11) / (1 << 53) }

func (n Weighted) share() float64 {
	if n.Weight > 0 && !math.IsInf(n.Weight, 0) {
		return n.Weight
	}
	return 0
}
