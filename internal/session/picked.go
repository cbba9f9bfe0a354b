package session

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/capture"
	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/safety"
	"github.com/pgchorus/pgchorus/parser"
)

// Which rows a statement picks (LIMIT and its like) is decided by each node that runs it, whatever
// is locked. If the others are not given main's rows, the rows have to be compared; where that
// cannot be done either, the operator is told, or replication_safety = strict refuses.

// tellPicked is c, which is what is done for a statement, unless that leaves it to each node, unseen,
// which rows it picks.
func (s *Session) tellPicked(c *care, stmt *parser.Statement, v *safety.Verdict) *care {
	if c == nil {
		if !v.Picks || !v.Elsewhere.Writes && len(stmt.Targets) == 0 {
			return nil
		}
		return s.pickedAlone(&care{plan: capture.Elsewhere(stmt).Alone()}, stmt, "it is picked by code that the statement sets off")
	}
	if c.refusal != nil || c.givesRows() || c.relay != nil || c.fills != nil || c.plan.LocksRows() {
		return c
	}
	if v.Unlike && !c.digest {
		c = s.unkept(c, stmt, "the rows of the statement can be neither captured nor compared: "+cmp.Or(c.plan.Obstacle, mayNotLook))
		if c.refusal != nil {
			return c
		}
	}
	beside := v.Picks && v.Elsewhere.Writes
	if c.digest && !beside || !c.plan.Chooses() && !v.Picks || v.Picks && !beside && len(stmt.Targets) == 0 && !c.plan.Chooses() {
		return c
	}
	return s.pickedAlone(c, stmt, strings.Join(append(slices.Clone(c.plan.Reasons), cmp.Or(c.plan.Obstacle, mayNotLook)), "; "))
}

const mayNotLook = "a right or a setting is lacking to look at its rows"

// pickedAlone is what becomes of a statement whose rows nodes pick for themselves.
func (s *Session) pickedAlone(c *care, stmt *parser.Statement, why string) *care {
	const warning = "nodes may pick rows differently"
	if refused := s.refusedByStrict(stmt, warning+", "+why, "Find the rows by a key"); refused != nil {
		return refused
	}
	s.warnText(warning, why)
	return c
}

// executed is the prepared statement that a statement of SQL's runs: EXECUTE, alone or within
// EXPLAIN ANALYZE; nil for none.
func (s *Session) executed(stmt *parser.Statement) *prepared {
	if stmt.Kind == parser.Explain && stmt.Analyze && stmt.Inner != nil {
		stmt = stmt.Inner
	}
	if stmt.Kind != parser.Execute {
		return nil
	}
	return s.st.prepared[stmt.Name]
}

// careForExecute is for SQL's EXECUTE. What it runs was given its text by PREPARE, so nothing
// is added to it: its tables are locked. If it picks rows, main alone runs it and is asked for
// what it has changed.
func (s *Session) careForExecute(stmt *parser.Statement, p *prepared) *care {
	if p.kind() == parser.Execute || s.Config().Replication.ReplicationSafety == config.SafetyCompat {
		return nil
	}
	v := s.verdictOf(p.effective(), p.text)
	c := s.careForVerdict(p.effective(), p.sent, len(p.unlike) > 0, v)
	if c == nil {
		return s.tellPicked(nil, p.effective(), v)
	}
	if c.elsewhere != nil || s.mayExecuteElsewhere(c, p, v) {
		instead := s.executedLocked(c, p)
		plan := capture.Elsewhere(stmt)
		e := newElsewhere(p.effective(), plan, v, instead)
		e.chooses = c.elsewhere == nil || c.elsewhere.chooses
		return &care{plan: plan, elsewhere: e}
	}
	return s.tellPicked(s.executedLocked(c, p), p.effective(), v)
}

// executedLocked is what an EXECUTE is run with if each node runs it.
func (s *Session) executedLocked(c *care, p *prepared) *care {
	if c.givesRows() {
		c = s.careOf(c.plan.Locked(), p.sent)
	}
	return &care{plan: c.plan, locks: c.locks, refusal: c.refusal}
}

// mayExecuteElsewhere reports whether main can be asked for all that an EXECUTE has changed, and
// nothing else keeps the nodes alike.
func (s *Session) mayExecuteElsewhere(c *care, p *prepared, v *safety.Verdict) bool {
	if !c.plan.Chooses() && len(p.unlike) == 0 && !v.Picks {
		return false
	}
	return c.refusal == nil && s.mayDiffer(p.effective(), v)
}

// executesPicks reports whether CREATE TABLE AS EXECUTE stores what nodes may pick, or compute,
// differently.
func (s *Session) executesPicks(stmt *parser.Statement) bool {
	if stmt.Executes == "" || stmt.Kind != parser.CreateTableAs {
		return false
	}
	p := s.st.prepared[stmt.Executes]
	return p == nil || len(p.unlike) > 0 || p.effective().Hazards.Choices() != 0
}
