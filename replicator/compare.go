package replicator

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// Difference is a node that answered otherwise than the main node.
type Difference struct {
	Node config.NodeID
	Main string // what main said: tags, or the SQLSTATE and message of its error
	It   string // what the node said
	Code string // SQLSTATE of the node's error; "" when it had none
	// Message is the one of the node's error; "" when it had none.
	Message string
	// Values: the answers are alike but for the values in the rows.
	Values bool

	seen seen
}

func (d Difference) String() string {
	return fmt.Sprintf("node %d answered %s, main node %s", d.Node, d.It, d.Main)
}

// compareAnswers compares command tags, which carry row counts, the SQLSTATE of an
// error, and the digest of the rows where one was asked for.
func compareAnswers(id config.NodeID, main, it *wire.Answer) (Difference, bool) {
	if main.Code() == it.Code() && bytes.Equal(main.Tags, it.Tags) && main.CopyIn == it.CopyIn && main.Rows == it.Rows {
		return Difference{}, false
	}
	d := Difference{Node: id, Main: describe(main), It: describe(it), Code: it.Code(), Message: message(it), seen: look(it)}
	if d.Main == d.It {
		d.It += " with other values"
		d.Values = true
	}
	return d, true
}

// message is the one of an answer's error.
func message(a *wire.Answer) string {
	if !a.Failed() {
		return ""
	}
	return wire.ErrorField(a.Err, wire.FieldMessage)
}

// describe says in words what an answer was.
func describe(a *wire.Answer) string {
	if a.Failed() {
		return fmt.Sprintf("error %s (%s)", a.Code(), message(a))
	}
	if a.CopyIn {
		return "a request for copy data"
	}
	if len(a.Tags) == 0 {
		return "success"
	}
	tags := strings.Split(strings.TrimSuffix(string(a.Tags), "\x00"), "\x00")
	return strings.Join(tags, ", ")
}
