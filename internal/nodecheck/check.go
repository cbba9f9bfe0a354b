package nodecheck

import (
	"context"
	"sync"

	"github.com/pgchorus/pgchorus/internal/config"
)

// Result is what was found out about some nodes.
type Result struct {
	// Compared are the nodes whose facts were read, the reference first.
	Compared    []config.NodeID
	Differences []Difference
	// Failed says of nodes why they could not be asked.
	Failed map[config.NodeID]error
}

// Look reads the facts of all nodes at the same time and compares them with those of the
// first one that can be asked.
func Look(ctx context.Context, nodes []Node) Result {
	facts := make([]Facts, len(nodes))
	errs := make([]error, len(nodes))
	var asked sync.WaitGroup
	for i, node := range nodes {
		asked.Go(func() {
			facts[i], errs[i] = Read(ctx, node)
		})
	}
	asked.Wait()
	out := Result{Failed: map[config.NodeID]error{}}
	reference := -1
	for i, node := range nodes {
		switch {
		case errs[i] != nil:
			out.Failed[node.ID] = errs[i]
			continue
		case reference < 0:
			reference = i
		default:
			out.Differences = append(out.Differences, Compare(nodes[reference].ID, facts[reference], node.ID, facts[i])...)
		}
		out.Compared = append(out.Compared, node.ID)
	}
	return out
}

// Of are the differences of one node.
func (r Result) Of(id config.NodeID) []Difference {
	var out []Difference
	for _, d := range r.Differences {
		if d.Node == id {
			out = append(out, d)
		}
	}
	return out
}

// Refused says why a node must not come into service; nil if it may.
func (r Result) Refused(id config.NodeID) error {
	if unlike := AtLeast(Refuse, r.Of(id)); len(unlike) > 0 {
		return &Unlike{unlike}
	}
	return nil
}
