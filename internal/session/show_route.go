package session

import (
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/lb"
	"github.com/pgchorus/pgchorus/parser"
)

// PGPOOL SHOW ROUTE FOR statement tells where a statement would go and why: it is routed
// as it would be, and not run.

// routeFor is the statement of a PGPOOL SHOW ROUTE FOR.
func routeFor(sql string) (statement string, ok bool) {
	rest := sql
	for _, want := range []string{"pgpool", "show", "route", "for"} {
		rest = strings.TrimLeft(rest, " \t\r\n\f\v")
		if len(rest) <= len(want) || !strings.EqualFold(rest[:len(want)], want) || !strings.ContainsRune(" \t\r\n\f\v/-(", rune(rest[len(want)])) {
			return "", false
		}
		rest = rest[len(want):]
	}
	return strings.TrimSpace(rest), true
}

// showRoute lists the rules that decide, one a row, for each of the statements.
func (s *Session) showRoute(sql string) (Table, string, error) {
	script := s.Scripts.Script(sql)
	if script.Err != nil {
		return Table{}, "", script.Err
	}
	table := Table{Columns: []string{"statement", "step", "rule", "parameter", "found", "decision"}}
	for i := range script.Statements {
		stmt := &script.Statements[i]
		table.Rows = append(table.Rows, s.safetyRow(i, stmt, sql)...)
		for n, step := range s.explain(stmt, sql) {
			table.Rows = append(table.Rows, []string{strconv.Itoa(i + 1), strconv.Itoa(n + 1), step.Rule, step.Parameter, step.Found, decisionText(step)})
		}
	}
	return table, selectTag(table), nil
}

// explain asks what route asks.
func (s *Session) explain(stmt *parser.Statement, sql string) []lb.Step {
	in := lb.Input{Traits: s.traits(stmt, sql)}
	s.routeInput(&in)
	in.Local = isHere(stmt, stmt.Text(sql)) != notHere
	in.Stale = s.lags(lb.Route(&in), &in)
	return lb.Explain(&in)
}

// safetyRow tells what may go wrong when the statement is repeated on all nodes, and what is
// done about it; nothing for what is only read.
func (s *Session) safetyRow(i int, stmt *parser.Statement, sql string) [][]string {
	executed, text := s.effectiveOf(stmt, sql)
	v := s.verdictOf(executed, text)
	if !s.Safety().Matters(executed) && !v.WritesUnnamed {
		return nil
	}
	return [][]string{{strconv.Itoa(i + 1), "0", "what may differ if every node runs it?", "replication_safety, function_policy, function_deny_list", v.String(), v.Action.String()}}
}

func decisionText(step lb.Step) string {
	if !step.Decides {
		return ""
	}
	return step.Decision.String()
}
