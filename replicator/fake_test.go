package replicator

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/wire"
)

var errLost = errors.New("connection lost")

// said is one thing that a fake node does when it is asked to Start, StartEnd or
// Finish: it answers, or its connection breaks.
type said struct {
	tag, code string
	rows      uint64 // digest
	copyIn    bool
	startLost bool // Start or StartEnd fails
	lost      bool // Finish fails
}

// fakeNode answers from a list; journal is shared, so that the order of calls on
// different nodes can be seen.
type fakeNode struct {
	id      config.NodeID
	list    []said
	journal *[]string
	answer  wire.Answer
	gone    bool
	ended   atomic.Bool // its connection has broken, and nobody has read so yet
	// ending is what it was asked last; asked: to commit or to prepare, has: it has
	// committed.
	ending     Ending
	asked, has bool
}

func (n *fakeNode) Silent() bool { return !n.ended.Load() }

func (n *fakeNode) ID() config.NodeID { return n.id }

func (n *fakeNode) write(format string, args ...any) {
	*n.journal = append(*n.journal, fmt.Sprintf(format, args...))
	if n.gone {
		*n.journal = append(*n.journal, "AFTER ITS LOSS")
	}
}

func (n *fakeNode) now() said {
	if len(n.list) == 0 {
		return said{tag: "OK"}
	}
	return n.list[0]
}

func (n *fakeNode) Start(answers bool) error {
	n.write("start %d%s", n.id, map[bool]string{true: " answers"}[answers])
	return n.begin()
}

func (n *fakeNode) StartEnd(e Ending) error {
	n.write("%s %d", e, n.id)
	n.ending, n.asked = e, n.asked || e == SendCommit || e == SendPrepare
	return n.begin()
}

func (n *fakeNode) begin() error {
	if n.now().startLost {
		n.gone = true
		return errLost
	}
	return nil
}

func (n *fakeNode) Finish(visible bool) (*wire.Answer, error) {
	n.write("finish %d%s", n.id, map[bool]string{true: " visible"}[visible])
	s := n.now()
	if len(n.list) > 0 {
		n.list = n.list[1:]
	}
	if s.lost {
		n.gone = true
		return nil, errLost
	}
	if n.ending == SendCommit || n.ending == SendCommitPrepared {
		n.has = n.has || s.code == "" && s.tag != "ROLLBACK"
	}
	n.answer.Reset()
	n.answer.CopyIn, n.answer.Rows = s.copyIn, s.rows
	if s.tag != "" {
		n.answer.AddTag([]byte(s.tag))
	}
	if s.code != "" {
		n.answer.Err = []byte("SERROR\x00VERROR\x00C" + s.code + "\x00Mno\x00\x00")
	}
	return &n.answer, nil
}

// nodes makes nodes that answer from these lists, and the journal of their calls.
func nodes(lists ...[]said) ([]Node, *[]string) {
	journal := &[]string{}
	made := make([]Node, len(lists))
	for i, list := range lists {
		made[i] = &fakeNode{id: config.NodeID(i), list: list, journal: journal}
	}
	return made, journal
}

func ok(tag string) []said { return []said{{tag: tag}} }

func fails(code string) []said { return []said{{code: code}} }

// one is something that happens once.
func one(s said) []said { return []said{s} }

// shown renders an Outcome for a comparison.
func shown(o Outcome) string {
	var parts []string
	switch {
	case o.Answer == nil:
		parts = append(parts, "nobody")
	default:
		parts = append(parts, fmt.Sprintf("main %d: %s", o.Main.ID(), describe(o.Answer)))
	}
	for _, loss := range o.Lost {
		parts = append(parts, fmt.Sprintf("lost %d", loss.Node.ID()))
	}
	for _, d := range o.Differ {
		parts = append(parts, d.String())
	}
	if o.Broken {
		parts = append(parts, "broken")
	}
	if o.Err != nil {
		parts = append(parts, "frontend: "+o.Err.Error())
	}
	return strings.Join(parts, "; ")
}

// quietNode answers at once and writes nothing down.
type quietNode struct {
	id     int
	answer wire.Answer
}

func (n *quietNode) Silent() bool          { return true }
func (n *quietNode) ID() config.NodeID     { return config.NodeID(n.id) }
func (n *quietNode) Start(bool) error      { return nil }
func (n *quietNode) StartEnd(Ending) error { return nil }

func (n *quietNode) Finish(bool) (*wire.Answer, error) {
	n.answer.Reset()
	n.answer.AddTag([]byte("UPDATE 1"))
	return &n.answer, nil
}
