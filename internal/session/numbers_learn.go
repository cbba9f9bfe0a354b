package session

import (
	"slices"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/parser"
)

// listNumbers learns what has come since it was last asked for: at the first log-in to a
// database, when DDL was committed, and when a node is met that is new, so that they are known should
// a node be lost.
func (s *Session) listNumbers() {
	var said []oidmap.Listing
	all := !s.allListed()
	for _, l := range s.links {
		if l == nil {
			continue
		}
		if !s.canAsk(l) {
			return
		}
		highest, _, _ := s.numbers.known.Listed(l.home)
		if all {
			highest = oidmap.First - 1
		}
		rows, err := l.askObjects(oidmap.Above(highest))
		if err != nil {
			s.log.Warn("object identifiers not read", zap.Error(err))
			return
		}
		said = append(said, oidmap.Listing{Node: l.home, Rows: rows})
	}
	s.numbers.known.LearnAll(said...)
}

// numbersAfterDDL is for the end of a transaction.
func (s *Session) numbersAfterDDL() {
	if s.numbers.on && s.tx.committed && s.tx.numbered {
		s.listNumbers()
	}
}

// makesNumbers reports whether DDL may have made types or tables for other sessions, too.
func makesNumbers(stmt *parser.Statement) bool {
	switch stmt.Node {
	case "DropStmt", "IndexStmt", "AlterTableStmt", "CreateTrigStmt", "GrantStmt", "CommentStmt":
		return false
	}
	return !createsTemporary(stmt)
}

func (l *link) askObjects(question string) ([]oidmap.Row, error) {
	if question == "" {
		return nil, nil
	}
	lines, err := l.question(question)
	if err != nil {
		return nil, err
	}
	return oidmap.Decode(lines), nil
}

// learnNumbers asks the nodes for objects: the one that has told of them what they are, and the
// others what they call them.
func (s *Session) learnNumbers(missed []oidmap.Object) error {
	for len(missed) > 0 {
		node := missed[0].Node
		same := func(o oidmap.Object) bool { return o.Node == node }
		var here []oidmap.Object
		for _, o := range missed {
			if same(o) && !slices.Contains(here, o) {
				here = append(here, o)
			}
		}
		missed = slices.DeleteFunc(slices.Clone(missed), same)
		if err := s.learnFrom(node, here); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) learnFrom(node oidmap.Node, objects []oidmap.Object) error {
	from := s.linkOf(node)
	if from == nil {
		return s.adopt(objects)
	}
	if !s.canAsk(from) {
		return errCannotLearn(from)
	}
	rows, err := from.askObjects(oidmap.ByNumber(objects))
	if err != nil || len(rows) == 0 {
		return err
	}
	said := []oidmap.Listing{{Node: from.home, Rows: rows}}
	for _, l := range s.links {
		if l == nil || l == from {
			continue
		}
		if !s.canAsk(l) {
			return errCannotLearn(l)
		}
		rows, err := l.askObjects(oidmap.ByName(rows))
		if err != nil {
			return err
		}
		said = append(said, oidmap.Listing{Node: l.home, Rows: rows})
	}
	s.numbers.known.Learn(said...)
	return nil
}

// adopt is for numbers of a node that is lost, of which nothing is known: they are main's,
// if they are anybody's.
func (s *Session) adopt(objects []oidmap.Object) error {
	main := s.main()
	if main == nil || !s.canAsk(main) {
		return nil
	}
	moved := make([]oidmap.Object, len(objects))
	for i, o := range objects {
		moved[i] = oidmap.Object{Class: o.Class, Node: main.home, OID: o.OID}
	}
	if err := s.learnFrom(main.home, moved); err != nil {
		return err
	}
	for i, o := range moved {
		_, complete, _ := s.numbers.known.Listed(objects[i].Node)
		if !complete || !s.numbers.known.Knows(o) || !s.numbers.known.Adopt(o, objects[i].Node) {
			return errRenumbered(o.OID)
		}
	}
	return nil
}

func errCannotLearn(l *link) error {
	return pgerr.Newf(pgerr.ObjectNotInPrerequisiteState, "object identifiers cannot be looked up on node %d in the middle of a pipeline", l.ID()).
		WithHint("Send Sync before a statement that uses a type for the first time.")
}

func errRenumbered(oid uint32) error {
	return pgerr.Newf(pgerr.ObjectNotInPrerequisiteState, "object identifier %d cannot be told any more", oid).
		WithDetail("The node that it was learnt from has left.").
		WithHint("Connect again.")
}

// learnTypes sees to it that every node can be told of the types that the frontend has named.
func (s *Session) learnTypes(types []uint32) error {
	if !s.numbers.on || !oidmap.Custom(types) {
		return nil
	}
	return s.untilKnown(func(t *oidmap.Translation) { t.Types(types) })
}

// maxLearning bounds how often something is tried again because more has to be learnt for
// it: types may be nested.
const maxLearning = 8

// untilKnown tries something for every node and learns what it misses, until nothing is
// missing or the nodes do not know it either.
func (s *Session) untilKnown(try func(t *oidmap.Translation)) error {
	before := 0
	for range maxLearning {
		var missing []oidmap.Object
		for _, l := range s.links {
			if l != nil {
				t := s.toNode(l)
				try(&t)
				missing = append(missing, t.Missing...)
			}
		}
		if len(missing) == 0 || len(missing) == before {
			return nil // it is no type; the server says so
		}
		before = len(missing)
		if err := s.learnNumbers(missing); err != nil {
			return err
		}
	}
	return nil
}
