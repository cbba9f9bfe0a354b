package session

import (
	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/backend"
	"github.com/pgchorus/pgchorus/internal/oidmap"
	"github.com/pgchorus/pgchorus/internal/pgerr"
	"github.com/pgchorus/pgchorus/internal/wire"
)

// Where writes are replicated, each node numbers types, tables and functions for itself.
// The frontend is told, and tells us, numbers of types and functions as the node has them
// that was main when it logged in, and of tables as main has them; what it reads in the
// catalogue is main's too. See package oidmap and ADR 0022.
//
// A read whose answer has a number in it that is not known yet is done by main instead, and
// the number is learnt; that happens once for each object. What is told to nodes is learnt
// before it is sent.

// numbering is what a session knows of its numbers.
type numbering struct {
	on bool
	// spoken is the node in whose numbers of types the session speaks.
	spoken oidmap.Node
	known  *oidmap.Database
	// missed is what the answer under way had in it and is not known. Nothing of that
	// answer is passed on then.
	missed []oidmap.Object
}

// beginNumbering is for a session that has its connections.
func (s *Session) beginNumbering() {
	if !s.replicates() {
		return
	}
	s.numbers = numbering{on: true, spoken: s.main().home, known: s.Numbers.Database(s.login.Database)}
	if !s.allListed() {
		s.listNumbers()
	}
}

// allListed reports whether every node's objects were listed, since it came into service.
func (s *Session) allListed() bool {
	for _, l := range s.links {
		if l == nil {
			continue
		}
		if _, _, known := s.numbers.known.Listed(l.home); !known {
			return false
		}
	}
	return true
}

// linkOf is the link to a node as it was when it was called that.
func (s *Session) linkOf(node oidmap.Node) *link {
	if l := s.link(node.ID); l != nil && l.home == node {
		return l
	}
	return nil
}

// toNode leads from what the frontend says to what a node is told.
func (s *Session) toNode(l *link) oidmap.Translation {
	return oidmap.Translation{Database: s.numbers.known, From: s.numbers.spoken, To: l.home}
}

// fromNode leads from what a node says to what the frontend is told.
func (s *Session) fromNode(node oidmap.Node) oidmap.Translation {
	return oidmap.Translation{Database: s.numbers.known, From: node, To: s.numbers.spoken}
}

// speaks reports whether a node's numbers are those of the session.
func (s *Session) speaks(l *link) bool {
	return l.home == s.numbers.spoken && l == s.main()
}

// takeColumns passes a RowDescription on in the session's numbers.
func (s *Session) takeColumns(c *backend.Conn, total int, e *wire.Expect) error {
	l := s.link(c.Node())
	described, ours := aboutOf(e)
	if !s.numbers.on || l == nil || described == nil && s.speaks(l) {
		return s.takeBytes(c, total)
	}
	frame, err := c.Next(total)
	if err != nil {
		return err
	}
	if described != nil {
		described.seen.noteColumns(l, frame.Body())
		if ours {
			return nil
		}
	}
	if !s.speaks(l) {
		s.translateColumns(l, frame.Body())
	}
	if len(s.numbers.missed) == 0 {
		s.pass(frame)
	}
	return nil
}

func (s *Session) translateColumns(l *link, body []byte) {
	types := s.fromNode(l.home)
	tables := types
	tables.To = s.main().home
	types.RowDescription(body, &tables)
	s.miss(l, types.Missing)
	s.miss(l, tables.Missing)
}

// takeParameters is takeColumns for a ParameterDescription, which the caller has in hand.
func (s *Session) takeParameters(c *backend.Conn, body []byte, e *wire.Expect) {
	l := s.link(c.Node())
	if !s.numbers.on || l == nil {
		return
	}
	if l.home != s.numbers.spoken {
		t := s.fromNode(l.home)
		t.ParameterDescription(body)
		s.miss(l, t.Missing)
	}
	if described, _ := aboutOf(e); described != nil {
		described.seen.params, described.seen.described = oidmap.ParameterTypes(body), true
	}
}

// miss keeps what is not known. If the node that the session's numbers are from is lost and
// main tells of something new, main's number will do, if it is free.
func (s *Session) miss(l *link, missing []oidmap.Object) {
	if len(missing) == 0 {
		return
	}
	_, complete, _ := s.numbers.known.Listed(s.numbers.spoken)
	alone := complete && s.linkOf(s.numbers.spoken) == nil && l == s.main()
	for _, object := range missing {
		if !alone || !s.numbers.known.Adopt(object, s.numbers.spoken) {
			s.numbers.missed = append(s.numbers.missed, object)
		}
	}
}

// hasMissed reports whether the answer was not passed on for want of numbers, and learns
// them.
func (s *Session) hasMissed() bool {
	missed := s.numbers.missed
	if len(missed) == 0 {
		return false
	}
	s.numbers.missed = nil
	if !s.allListed() {
		s.listNumbers()
	}
	if err := s.learnNumbers(missed); err != nil {
		s.log.Info("object identifiers not learnt", zap.Error(err))
	}
	return true
}

// errMissed is told when an answer with unknown numbers in it cannot be had from main.
func errMissed() error {
	return pgerr.New(pgerr.SerializationFailure, "object identifiers of the result have changed").
		WithDetail("Types or tables in it are new, or the main node was replaced, and part of the answer had been sent before.").
		WithHint("Repeat the transaction; if that does not help, connect again.")
}
