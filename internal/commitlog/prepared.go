package commitlog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
)

// namePrefix begins the names of prepared transactions of ours.
const namePrefix = "pgchorus:"

// transaction is one as its name tells of it.
type transaction struct {
	proxy, slot int
	seq         int64
	main        config.NodeID
}

// parseName reads what Slot.Name has made.
func parseName(name string) (transaction, error) {
	var tx transaction
	fields := strings.Split(strings.TrimPrefix(name, namePrefix), ":")
	if len(fields) != 4 || !strings.HasPrefix(name, namePrefix) {
		return tx, fmt.Errorf("prepared transaction %q: not a name of ours", name)
	}
	var numbers [4]int64
	for i, field := range fields {
		number, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return tx, fmt.Errorf("prepared transaction %q: %w", name, err)
		}
		numbers[i] = number
	}
	return transaction{int(numbers[0]), int(numbers[1]), numbers[2], config.NodeID(numbers[3])}, nil
}

// Fact is what one node knows of a transaction.
type Fact struct {
	Node config.NodeID
	// Prepared: it has it prepared.
	Prepared bool
	// Committed: its slot says that it has committed it. A slot that has gone on does not
	// tell.
	Committed bool
}

// Decide says whether a transaction that was left prepared is committed; pure. The facts
// are those of all nodes in service, none of which can commit it any more but by our word
// (Log raises the epoch before it asks).
//
//  1. A node has committed it: so do all.
//  2. main is in service and has not committed it: nobody does, for main's COMMIT was
//     the decision.
//  3. main is lost, and all others have it prepared: main may have committed it, and the
//     frontend may know. They commit.
//  4. main is lost, and one of the others does not have it prepared: then main was not
//     asked to commit. Nobody commits.
//
// Whoever tells a frontend that the transaction has failed has made every node in service
// forget it before (replicator), so rule 3 contradicts nobody.
func Decide(main config.NodeID, facts []Fact) (commit bool) {
	if slices.ContainsFunc(facts, func(f Fact) bool { return f.Committed }) {
		return true
	}
	for _, f := range facts {
		if f.Node == main || !f.Prepared {
			return false
		}
	}
	return len(facts) > 0
}
