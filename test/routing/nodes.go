package routing

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// maxNodes is how many nodes Nodes has room for.
const maxNodes = 32

// Nodes is a set of nodes, a bit for each.
type Nodes uint32

// NodesOf is the set of these nodes.
func NodesOf(ids ...int) Nodes {
	var set Nodes
	for _, id := range ids {
		set |= 1 << id
	}
	return set
}

// Has reports whether the node is in the set.
func (n Nodes) Has(id int) bool { return n&(1<<id) != 0 }

// Count is the number of nodes in the set.
func (n Nodes) Count() int { return bits.OnesCount32(uint32(n)) }

// String is such as "0,2", or "none".
func (n Nodes) String() string {
	if n == 0 {
		return "none"
	}
	var ids []string
	for id := range maxNodes {
		if n.Has(id) {
			ids = append(ids, strconv.Itoa(id))
		}
	}
	return strings.Join(ids, ",")
}

// parseNodes reads what String writes.
func parseNodes(text string) (Nodes, error) {
	var set Nodes
	for id := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(id)
		if err != nil || number < 0 || number >= maxNodes {
			return 0, fmt.Errorf("%q is no node", id)
		}
		set |= NodesOf(number)
	}
	return set, nil
}

// The nodes that the words of a table stand for. All tables are played on three nodes
// of which only node 1 has a weight; in the modes with a primary it is node 0.
const (
	mainNode        = 0
	loadBalanceNode = 1
	nodeCount       = 3
)

// words is what a table may say instead of numbers.
var words = map[string]Nodes{
	"main":    NodesOf(mainNode),
	"primary": NodesOf(mainNode),
	"lb":      NodesOf(loadBalanceNode),
	"all":     NodesOf(0, 1, 2),
	"none":    0,
}

const (
	// unlooked stands where it does not matter where a statement runs.
	unlooked = "-"
	// session stands for the nodes that the session is connected to.
	session = "session"
)

// Want is what a line of a table expects.
type Want struct {
	// Word is main, primary, lb, all, none, numbers such as "0,2", "session" (every
	// node where an earlier statement of the script ran, and others as the proxy
	// likes, but at least one) or "-" (anything).
	Word string
	// Fails: the statement has to fail. Code is the SQLSTATE, or empty for any.
	Fails bool
	Code  string
}

// parseWant reads such as "lb", "0,2" or "none!25P02".
func parseWant(text string) (Want, error) {
	word, code, fails := strings.Cut(text, "!")
	w := Want{Word: word, Fails: fails, Code: code}
	if _, known := words[word]; known || word == unlooked || word == session {
		return w, nil
	}
	_, err := parseNodes(word)
	return w, err
}

// Allows reports whether a statement may have run on the nodes got, when earlier
// statements of the script ran on the nodes before.
func (w Want) Allows(got, before Nodes) bool {
	switch w.Word {
	case unlooked:
		return true
	case session:
		return got != 0 && got&before == before
	}
	return got == w.Nodes()
}

// Fixed reports whether there is one set of nodes for the statement.
func (w Want) Fixed() bool { return w.Word != unlooked && w.Word != session }

// Nodes is the set that the word stands for; none for "session" and "-".
func (w Want) Nodes() Nodes {
	if set, known := words[w.Word]; known {
		return set
	}
	set, err := parseNodes(w.Word)
	if err != nil {
		return 0 // parseWant has let no such word in, but for the two of the comment
	}
	return set
}
