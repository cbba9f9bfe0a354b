package replicator

import "context"

// TakeSnapshot sends the nodes' work to all of them at once, reads what they answer,
// and lets no COMMIT get in between. The work opens a block and takes its snapshot,
// and should wait for no lock: commits wait for it. Window may be nil.
//
// The Outcome is that of a statement that no node has to run first: Answer is the
// first node's that is left. The frontend is shown nothing. An error is the end of
// ctx before anything was sent.
func TakeSnapshot(ctx context.Context, nodes []Node, window *Window) (Outcome, error) {
	var out Outcome
	err := window.Snapshot(ctx, func() { out.onAll(nodes) })
	return out, err
}

// onAll runs the work on all nodes at the same time.
func (o *Outcome) onAll(nodes []Node) {
	o.nodes = nodes
	for _, node := range nodes {
		if err := node.Start(false); err != nil {
			o.lose(node, err)
		}
	}
	for i, node := range nodes {
		if isLost(o.Lost, node) {
			continue
		}
		answer, err := node.Finish(false)
		if err == nil {
			o.Main, o.Answer = node, answer
			o.compare(nodes[i+1:])
			return
		}
		o.lose(node, err)
	}
}
