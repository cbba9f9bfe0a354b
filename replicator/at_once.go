package replicator

// ExecuteAtOnce runs a statement on all nodes at the same time, where its Holding says that it
// may (Holding.AtOnce), and compares the answers as Execute does. Of the Options it asks
// for the Gate only.
//
// Nobody orders the statement on the nodes, so nobody else may have to be ordered with it: its
// ticket keeps all others from its row, or from its table, until it is committed everywhere.
// For the same reason no node shows less of that row than main: whoever wrote to it before has
// let go of his claim behind the last node's COMMIT, so there is none to wait for at the Gate.
//
// If main is lost there is no answer: the others' have not what the frontend is to be told. The
// statement is to be taken back, and executed.
func ExecuteAtOnce(nodes []Node, opt Options) Outcome {
	out := Outcome{nodes: nodes}
	for i, node := range nodes {
		opt.Gate.Caught(node.ID())
		if err := node.Start(i == 0); err != nil {
			out.lose(node, err)
		}
	}
	main, others := nodes[0], nodes[1:]
	if !isLost(out.Lost, main) {
		answer, err := main.Finish(true)
		if err == nil {
			out.Main, out.Answer = main, answer
			out.compare(others)
			return out
		}
		out.lose(main, err)
	}
	out.drain(others)
	return out
}
