package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// LockedRead is what is known of a SELECT that locks the rows of the one relation that
// stands in its FROM.
type LockedRead struct {
	Relation Relation
	Alias    string // or ""
	Only     bool
	Equal    []string // as Target.Equal
	Strength string   // as in FOR UPDATE: "UPDATE"
}

// lockStrengths are those of pg.LockClauseStrength.
var lockStrengths = map[pg.LockClauseStrength]string{
	pg.LockClauseStrength_LCS_FORKEYSHARE:    "KEY SHARE",
	pg.LockClauseStrength_LCS_FORSHARE:       "SHARE",
	pg.LockClauseStrength_LCS_FORNOKEYUPDATE: "NO KEY UPDATE",
	pg.LockClauseStrength_LCS_FORUPDATE:      "UPDATE",
}

// lockedRead is nil for what is not as simple as that.
func lockedRead(n *pg.SelectStmt) *LockedRead {
	if len(n.LockingClause) != 1 || len(n.FromClause) != 1 || n.WithClause != nil || len(n.TargetList) == 0 {
		return nil
	}
	table, strength := n.FromClause[0].GetRangeVar(), lockStrengths[n.LockingClause[0].GetLockingClause().GetStrength()]
	if table == nil || strength == "" {
		return nil
	}
	return &LockedRead{
		Relation: relationOf(table), Alias: aliasOf(table), Only: !table.Inh, Equal: equalColumns(n.WhereClause), Strength: strength,
	}
}

// AddOutput adds an expression to the list that a SELECT returns, behind all others. It is
// for statements with a LockedRead. ok is false if the end of the list is not found.
func AddOutput(sql, expression string) (out string, ok bool) {
	s := scanner{sql: sql}
	depth := 0
	distinct := false // the FROM of IS DISTINCT FROM does not end the list
	for t := s.next(); t.kind != endToken; t = s.next() {
		word := t.kind == wordToken && depth == 0
		switch {
		case t.kind == '(' || t.kind == '[':
			depth++
		case t.kind == ')' || t.kind == ']':
			depth--
		case word && !distinct && strings.EqualFold(sql[t.start:t.end], "from"):
			return sql[:t.start] + ", " + expression + " " + sql[t.start:], true
		}
		distinct = word && strings.EqualFold(sql[t.start:t.end], "distinct")
	}
	return "", false
}
