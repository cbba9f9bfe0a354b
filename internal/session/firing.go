package session

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/parser"
)

// firingOf is what triggers do when a statement changes rows. It is known from the verdict
// on the statement.
func (s *Session) firingOf(stmt *parser.Statement, v *safety.Verdict) safety.Firing {
	firing := v.Firing
	if (firing.InRow || firing.Beside) && !s.hasTriggers(stmt) {
		return safety.Firing{} // those of another table of that name
	}
	return firing
}

// hasTriggers reports whether the very tables that the statement changes may have triggers.
func (s *Session) hasTriggers(stmt *parser.Statement) bool {
	f := &planFacts{facts: facts{known: s.Catalog.Database(s.login.Database)}}
	for range maxPlans {
		f.missing, f.ambiguous = catalog.Question{}, nil
		triggers := slices.ContainsFunc(stmt.Targets, func(t parser.Target) bool {
			table, known := f.table(t.Relation)
			return !known || table.Effects.Triggers || table.View
		})
		if !triggers || !s.learn(f) {
			return triggers
		}
	}
	return true
}

// withFiring tells capture of it.
func withFiring(sit capture.Situation, f safety.Firing) capture.Situation {
	switch {
	case f.Beside:
	case f.InRow:
		sit.Firing, sit.UnlikeRows, sit.RacingRows = capture.TriggersInRow, f.Unlike, f.Reads
	default:
		sit.Firing = capture.TriggersSilent
	}
	return sit
}

// warnFiring tells the operator why main's rows are not given to the others.
func (s *Session) warnFiring() {
	reason := "a trigger computes values for itself, and the rows of the statement cannot be captured"
	if s.rights != nil && s.rights.known && !s.rights.replica {
		reason = "a trigger computes values for itself, and the role may not set session_replication_role (GRANT SET ON PARAMETER), without which main's rows are not given to the others"
	}
	s.warnText("nodes may compute a value differently", reason)
}
