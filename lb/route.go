package lb

// Route says where one statement goes. It reads its argument and nothing else: same
// input, same answer.
func Route(in Input) Decision {
	switch {
	case in.Local:
		return here(AnsweredHere)
	case in.Mode == Raw:
		return oneNode(in.Main, RawMode)
	case !in.ReadOnly:
		return allNodes(Writes)
	case in.Txn.Failed:
		// The failure may have been on one node only, and any other would
		// happily run the statement: PostgreSQL's 25P02 has to come from us.
		return here(TransactionFailed)
	case in.ReplicateSelect:
		return allNodes(ReplicateSelect)
	case !in.LoadBalanceMode:
		return oneNode(in.Main, LoadBalanceOff)
	case in.NoLoadBalance:
		return oneNode(in.Main, NoLoadBalanceHint)
	case in.Txn.Open:
		return routeInTransaction(in)
	}
	return loadBalance(in)
}

// routeInTransaction: a transaction that has written reads on the main node, whose
// answers decide what the others replay. One that keeps a snapshot may write later,
// and then has to have read what the main node saw. Any other one stays with the
// node it reads from, so that its reads do not go back in time between nodes.
func routeInTransaction(in Input) Decision {
	switch {
	case in.Txn.Wrote:
		return oneNode(in.Main, TransactionWrote)
	case in.Txn.oneSnapshot():
		return oneNode(in.Main, OneSnapshot)
	case in.View.Up(in.Txn.ReadNode):
		return oneNode(in.Txn.ReadNode, TransactionReads)
	}
	return loadBalance(in)
}

func loadBalance(in Input) Decision {
	if in.View.Up(in.LoadBalanceNode) {
		return oneNode(in.LoadBalanceNode, LoadBalanced)
	}
	return oneNode(in.Main, LoadBalanceNodeDown)
}
