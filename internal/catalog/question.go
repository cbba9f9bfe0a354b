package catalog

import (
	"strconv"
	"strings"
)

// Question is a set of names that facts are missing for. It is meant for those of one
// statement: a hundred names cost a node some hundred milliseconds, one costs one or
// two.
type Question struct {
	Functions, Relations []Name
	// Tables are relations whose columns are to be known: what a statement adds rows to
	// or changes.
	Tables []Name
}

// Empty reports whether there is nothing to ask.
func (q Question) Empty() bool { return q.size() == 0 }

// size is the number of names.
func (q Question) size() int { return len(q.Functions) + len(q.Relations) + len(q.Tables) }

// SQL returns the query to ask a node with (PostgreSQL 12 and later); nothing for an
// empty question. Its rows are to be given to Decode or Store. It works in whatever
// state the session's settings are: all that it names is qualified, operators too, and
// no construct is used that looks an operator up by name, as IN, BETWEEN, LIKE and the
// short form of CASE do.
func (q Question) SQL() string {
	var parts []string
	if len(q.Functions) > 0 {
		parts = append(parts, withNames(functionsSQL, q.Functions))
	}
	if len(q.Relations) > 0 {
		parts = append(parts, withNames(relationsSQL, q.Relations))
	}
	if len(q.Tables) > 0 {
		parts = append(parts, withNames(tablesSQL, q.Tables))
	}
	return strings.Join(parts, "\nUNION ALL\n")
}

// withNames puts the names in as rows of VALUES. They are told by their numbers from
// there on, so that they need not come back in an encoding.
func withNames(query string, names []Name) string {
	var values strings.Builder
	for i, n := range names {
		if i > 0 {
			values.WriteString(", ")
		}
		values.WriteString("(" + strconv.Itoa(i) + ", " + schemaLiteral(n.Schema) + ", " + literal(n.Name) + ")")
	}
	return strings.Replace(query, "$names", values.String(), 1)
}
