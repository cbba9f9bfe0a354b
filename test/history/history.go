package history

import "fmt"

// Outcome is what a client was told of its transaction.
type Outcome uint8

const (
	// Unknown: the connection was lost around COMMIT.
	Unknown Outcome = iota
	// Committed: COMMIT was acknowledged.
	Committed
	// Aborted: an error said that nothing of it was kept.
	Aborted
)

// Operation is an append to a list or a read of one.
type Operation struct {
	Key    int
	Append int   // the number that was appended; 0 for a read. No number is appended twice.
	Read   []int // what a read showed
}

// Transaction is what one client did between BEGIN and COMMIT. The transactions of a
// client are in the history in the order in which it ran them.
type Transaction struct {
	Client     int
	Operations []Operation
	Outcome    Outcome
}

func (t *Transaction) String() string {
	text := fmt.Sprintf("client %d:", t.Client)
	for _, op := range t.Operations {
		if op.Append != 0 {
			text += fmt.Sprintf(" append %d to %d", op.Append, op.Key)
		} else {
			text += fmt.Sprintf(" read %d: %v", op.Key, op.Read)
		}
	}
	return text
}

// Level is what the transactions were promised.
type Level uint8

const (
	// ReadCommitted forbids cycles of writes and of reads of writes (G0, G1).
	ReadCommitted Level = iota
	// SnapshotIsolation forbids cycles with one write that was not seen, too (G-single).
	SnapshotIsolation
	// Serializable forbids all cycles (G2-item).
	Serializable
)
