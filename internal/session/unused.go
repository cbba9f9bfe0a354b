package session

import (
	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/parser"
)

// A server finds most faults of a statement before it draws from a sequence. The values that
// such a statement was given beforehand are given out again, so that it leaves no gap here
// either.

// unused are values of a sequence that a statement was given, known by key.
type unused struct {
	key   string
	epoch uint64
	taken sequence.Taken
}

// maxUnused bounds how many draws of a statement are remembered.
const maxUnused = 100

func (s *Session) noteUnused(ref parser.SequenceRef, taken sequence.Taken) {
	if len(s.drew.unused) < maxUnused {
		s.drew.unused = append(s.drew.unused, unused{key: ref.Name, epoch: s.view.Epoch, taken: taken})
	}
}

// settleUnused gives the values back if main has refused the statement for what it says, not
// for what it met while it ran.
func (s *Session) settleUnused(ok bool) {
	if len(s.drew.unused) == 0 {
		return
	}
	if main := s.first(); !ok && main != nil && isRefusal(main.answer.Code()) {
		for _, u := range s.drew.unused {
			s.leases().GiveBack(u.key, u.taken.Values, u.epoch, u.taken.Generation)
		}
	}
	s.drew.unused = s.drew.unused[:0]
}

// isRefusal: errors of the classes 0A (not supported), 22 (data, of constants) and 42 (syntax,
// names and rights). One of them may come after a draw; then there is no gap where a bare
// server has one.
func isRefusal(code string) bool {
	return len(code) == 5 && (code[:2] == "0A" || code[:2] == "22" || code[:2] == "42")
}
