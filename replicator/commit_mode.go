package replicator

// CommitMode is the order in which nodes are sent COMMIT (commit_mode; ADR 0019).
type CommitMode uint8

const (
	// Parallel sends COMMIT to all nodes at once: one round trip and one flush.
	Parallel CommitMode = iota
	// MainLast waits for the others, then sends it to main: what main shows as
	// committed is committed everywhere. Two round trips, two flushes one after the
	// other. For several servers before the same nodes, which share no Gate.
	MainLast
	// MainFirst waits for main, which may refuse where the others would not: a
	// SERIALIZABLE transaction conflicts with others that only main has seen. Two round
	// trips, two flushes one after the other.
	MainFirst
	// LastAgent has the others PREPARE TRANSACTION, then main commit, which decides,
	// then the others COMMIT PREPARED. Whatever dies in between, the transaction can be
	// ended alike on all nodes. Three round trips, three flushes one after the other.
	LastAgent
)

// Ending is what ends a node's part of a transaction.
type Ending uint8

const (
	SendCommit Ending = iota
	SendRollback
	// SendPrepare is the first half of a commit: the node will not refuse the second.
	SendPrepare
	// SendCommitPrepared and SendRollbackPrepared are the second half.
	SendCommitPrepared
	SendRollbackPrepared
)

func (e Ending) String() string {
	return [...]string{"commit", "rollback", "prepare", "commit prepared", "rollback prepared"}[e]
}
