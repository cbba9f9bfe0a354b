package parser

import pg "github.com/pganalyze/pg_query_go/v5"

// Conflict is what INSERT does where a row is in its way.
type Conflict uint8

const (
	// ConflictFails: there is no ON CONFLICT.
	ConflictFails Conflict = iota
	// ConflictNothing: DO NOTHING.
	ConflictNothing
	// ConflictUpdates: DO UPDATE, of Target.ConflictSets.
	ConflictUpdates
)

// conflictOf is what a clause says, and the columns that it sets.
func conflictOf(n *pg.OnConflictClause) (Conflict, []string) {
	switch n.GetAction() {
	case pg.OnConflictAction_ONCONFLICT_NOTHING:
		return ConflictNothing, nil
	case pg.OnConflictAction_ONCONFLICT_UPDATE:
		return ConflictUpdates, columnNames(n.TargetList)
	}
	return ConflictFails, nil
}

// aliasOf is the name under which a statement speaks of its target, or "".
func aliasOf(n *pg.RangeVar) string { return n.GetAlias().GetAliasname() }
