package parser

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// hashedAlike are the types without a schema of pg_catalog in the parse tree whose values
// have the same hash on all nodes (PostgreSQL manual, chapter 8). Types that the grammar
// spells, such as integer, come with the schema.
var hashedAlike = []string{
	"text", "name", "uuid", "bytea", "date", "oid", "money", "inet", "cidr", "macaddr", "macaddr8", "jsonb", "citext",
	"timestamptz", "timetz", "int2", "int4", "int8", "float4", "float8", "bool", "numeric", "varchar", "bpchar", "tsvector", "pg_lsn",
}

// hashedBy is a column of a new table by whose hash it is partitioned, and the type of which
// is a user's own: the hash of an enum is that of a number, which each node gives by itself.
func hashedBy(n *pg.CreateStmt) string {
	if n.Partspec == nil || n.Partspec.Strategy != pg.PartitionStrategy_PARTITION_STRATEGY_HASH {
		return ""
	}
	for _, param := range n.Partspec.PartParams {
		name := param.GetPartitionElem().GetName()
		for _, element := range n.TableElts {
			if c := element.GetColumnDef(); c != nil && name != "" && c.Colname == name && !isHashedAlike(c.TypeName) {
				return name
			}
		}
	}
	return ""
}

func isHashedAlike(t *pg.TypeName) bool {
	names := t.GetNames()
	if len(names) == 0 {
		return false
	}
	last := names[len(names)-1].GetString_().GetSval()
	return len(names) == 2 && names[0].GetString_().GetSval() == "pg_catalog" || len(names) == 1 && slices.Contains(hashedAlike, last)
}
