package safety

import (
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// values judges what nodes would compute for themselves.
func (j *judge) values(stmt *parser.Statement) {
	if len(stmt.TimeCalls) > 0 {
		j.add(Reason{Level: Time, Action: Rewrite, Text: "asks for the time"})
	}
	if p := j.in.Plan; p != nil {
		j.planned(p)
	}
	for i := range stmt.Functions {
		switch f := &stmt.Functions[i]; {
		case f.Class == parser.Sequence:
			j.add(Reason{Level: Sequence, Action: j.leases(), Text: "calls " + f.String() + "()"})
		case f.Class == parser.NodeLocal && f.Name == "pg_export_snapshot":
			j.add(Reason{Level: NodeLocal, Action: j.policy.bySafety(Warn, Warn, Refuse), Text: "stores the name of a snapshot, which each node gives its own",
				Hint: "Ask for it with a SELECT, which the main node answers, and give the name in the statement.", Name: f.Name, Call: true})
		}
	}
}

func (j *judge) planned(p *parser.Plan) {
	for i := range p.Slots {
		if p.Slots[i].Source == parser.FromTime {
			j.add(Reason{Level: Time, Action: Rewrite, Text: "asks for the time"})
		} else {
			j.add(Reason{Level: Single, Action: j.policy.bySafety(Rewrite, Rewrite, Rewrite), Text: "has a value that each node would compute for itself"})
		}
	}
	for _, what := range p.Sequences {
		j.add(Reason{Level: Sequence, Action: j.leases(), Text: "draws from a sequence: " + what})
	}
	for _, r := range p.Reasons {
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Capture), Text: r.String()})
	}
}

// leases is the action for sequences; replication_safety = compat leaves them to
// insert_lock.
func (j *judge) leases() Action { return j.policy.bySafety(Warn, Lease, Lease) }

// rows judges which rows are changed: by a whole unique key, or as a query finds them.
func (j *judge) rows(stmt *parser.Statement) {
	for i := range stmt.Targets {
		if why := j.setWrite(stmt, &stmt.Targets[i]); why != "" {
			j.add(Reason{Level: Rows, Action: j.policy.bySafety(Run, Capture, Capture), Text: why, quiet: true})
		}
	}
	switch {
	case stmt.HasLockingClause && parser.FindWord(j.in.Text, "locked") > 0:
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Warn, Capture, Capture), Text: "skips rows that are locked at that moment"})
	case stmt.Kind == parser.SelectInto, stmt.Kind == parser.CreateTableAs, isRefresh(stmt):
		j.add(Reason{Level: Rows, Action: j.policy.bySafety(Run, Capture, Capture), Text: "stores the result of a query", quiet: true})
	}
}

func isRefresh(stmt *parser.Statement) bool { return stmt.Node == "RefreshMatViewStmt" }

// setWrite says why a change is not one of rows that the text names, or "".
func (j *judge) setWrite(stmt *parser.Statement, t *parser.Target) string {
	switch {
	case len(stmt.Targets) > 1:
		return "changes several relations at a time"
	case t.Kind == parser.CopyFrom:
		return ""
	case t.Kind == parser.Merge:
		return "changes rows as a query finds them (MERGE)"
	case len(stmt.Reads) > 0:
		return "changes " + t.Relation.String() + " by what it reads from " + stmt.Reads[0].String()
	case t.Kind == parser.Insert && t.Rows == 0:
		return "inserts the result of a query into " + t.Relation.String()
	case t.Kind == parser.Insert, j.byKey(t):
		return ""
	}
	return "changes the rows of " + t.Relation.String() + " that a condition finds"
}

// byKey: the condition demands a value for each column of a unique key.
func (j *judge) byKey(t *parser.Target) bool {
	table, known := j.facts.Table(catalog.Name{Schema: t.Relation.Schema, Name: t.Relation.Name})
	if !known || table == nil || table.Children {
		return false
	}
	return slices.ContainsFunc(table.Keys, func(key []string) bool {
		return len(key) > 0 && !slices.ContainsFunc(key, func(column string) bool { return !slices.Contains(t.Equal, column) })
	})
}

// spoken joins a reason and where it was found.
func spoken(what, where string) string { return strings.TrimSpace(where + " " + what) }
