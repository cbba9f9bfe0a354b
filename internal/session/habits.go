package session

import (
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/pgchorus/pgchorus/internal/sequence"
	"github.com/pgchorus/pgchorus/parser"
)

// Functions and triggers draw from sequences where no text of a statement tells of it. What
// can be known of that is in their bodies.

// habits is what functions of the database do with sequences.
func (s *Session) habits() *sequence.Habits {
	if s.tx.habits != nil && s.tx.habitsAt == len(s.tx.ddl) {
		return s.tx.habits
	}
	h, turn := s.leases().Habits()
	if h != nil && !s.changedFunctions() {
		return h
	}
	none := &sequence.Habits{}
	l := s.askable()
	if l == nil {
		return none
	}
	h, err := l.askHabits()
	if err != nil {
		s.log.Warn("functions not read", zap.Error(err))
		h = none
	}
	if s.tx.kind != txNone {
		s.tx.habits, s.tx.habitsAt = h, len(s.tx.ddl)
	}
	if l.begun && keepsSnapshot(s.isolation()) {
		turn = s.tx.seen.turn
	}
	if !s.changedFunctions() {
		s.leases().KeepHabits(h, turn)
	}
	return h
}

// changedFunctions: the transaction may have, in a way that nobody else can see yet.
func (s *Session) changedFunctions() bool {
	return slices.ContainsFunc(s.tx.ddl, func(changed ddl) bool { return len(changed.relations) == 0 })
}

// askHabits asks a node for them.
func (l *link) askHabits() (*sequence.Habits, error) {
	rows, err := l.question(sequence.HabitsSQL())
	if err != nil {
		return nil, err
	}
	return sequence.DecodeHabits(strings.Join(rows, ""))
}

// resetsUnseen reports whether a function that a statement calls may set a sequence.
func (s *Session) resetsUnseen(stmt *parser.Statement) bool {
	return len(stmt.UnknownFunctions) > 0 && slices.ContainsFunc(stmt.UnknownFunctions, func(f parser.Function) bool {
		return s.habits().Resets(f.Name)
	})
}

// drawsUnseen are the sequences that functions and triggers draw from when a statement runs.
func (s *Session) drawsUnseen(stmt *parser.Statement) []parser.SequenceRef {
	if len(stmt.UnknownFunctions) == 0 && len(stmt.Targets) == 0 && stmt.Kind != parser.Call {
		return nil
	}
	h := s.habits()
	if len(h.Functions) == 0 {
		return nil
	}
	var names []string
	for _, f := range stmt.Functions {
		if f.Class == parser.UnknownFunction {
			names = append(names, h.OfFunction(f.Name)...)
		}
	}
	for i := range stmt.Targets {
		names = append(names, h.OfTable(stmt.Targets[i].Relation.Schema, stmt.Targets[i].Relation.Name)...)
	}
	slices.Sort(names)
	var refs []parser.SequenceRef
	for _, name := range slices.Compact(names) {
		refs = append(refs, parser.SequenceRef{Name: name, Qualified: true})
	}
	return refs
}
