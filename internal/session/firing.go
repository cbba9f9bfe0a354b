package session

import (
	"slices"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgerr"
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
	f := s.planFacts()
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
		sit.Firing, sit.RacingRows = capture.TriggersSilent, f.Reads
	}
	return sit
}

// alwaysFires reports whether a trigger of a table that the statement changes is known to fire
// whatever session_replication_role is.
func (s *Session) alwaysFires(stmt *parser.Statement) bool {
	f := s.planFacts()
	return slices.ContainsFunc(stmt.Targets, func(t parser.Target) bool {
		table, known := f.table(t.Relation)
		return known && table.Effects.Always
	})
}

// mayNotBeQuiet is why main's rows are not given to the others although they could be.
const mayNotBeQuiet = "code computes values on each node, since the role may not set session_replication_role (GRANT SET ON PARAMETER), without which the others are not given the main node's rows"

// unkept is what becomes of a statement whose code makes something else on each node, and why
// nothing is done about it: the operator is told, or replication_safety = strict refuses it.
func (s *Session) unkept(c *care, stmt *parser.Statement, why string) *care {
	if refused := s.refusedByStrict(stmt, why, "Give the value in the statement"); refused != nil {
		return refused
	}
	s.warnText("nodes may compute a value differently", why)
	return c
}

// refusedByStrict has a statement be refused if replication_safety = strict; nil if it is not.
// instead is what the client may do, as the beginning of a hint.
func (s *Session) refusedByStrict(stmt *parser.Statement, why, instead string) *care {
	if s.Config().Replication.ReplicationSafety != config.SafetyStrict {
		return nil
	}
	err := pgerr.New(pgerr.FeatureNotSupported, "statement cannot be replicated safely: "+why).
		WithHint("%s, or set replication_safety = mixed to have a warning logged.", instead)
	return &care{plan: capture.Elsewhere(stmt).Alone(), refusal: err}
}

// lacksQuiet reports whether it is known that the role may not keep triggers quiet.
func (s *Session) lacksQuiet() bool { return s.rights != nil && s.rights.known && !s.rights.replica }

// whyUnkept is why the rows that triggers make are each node's own.
func (s *Session) whyUnkept() string {
	if s.lacksQuiet() {
		return mayNotBeQuiet
	}
	return "a trigger computes values for itself, and the rows of the statement cannot be captured"
}
