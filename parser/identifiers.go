package parser

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v5"
)

// identifierTypes are those whose values are numbers that servers give to their objects
// (PostgreSQL manual, chapter 8.19).
var identifierTypes = map[string]bool{
	"oid": true, "regclass": true, "regcollation": true, "regconfig": true, "regdictionary": true, "regnamespace": true,
	"regoper": true, "regoperator": true, "regproc": true, "regprocedure": true, "regrole": true, "regtype": true,
}

// identifierFunctions return such values.
var identifierFunctions = map[string]bool{
	"pg_typeof": true, "to_regclass": true, "to_regcollation": true, "to_regnamespace": true, "to_regoper": true, "to_regoperator": true,
	"to_regproc": true, "to_regprocedure": true, "to_regrole": true, "to_regtype": true, "pg_get_serial_sequence": true, "pg_my_temp_schema": true,
}

// identifierCast looks for a cast to an object identifier.
func (w *walker) identifierCast(n *pg.TypeCast) {
	if names := n.TypeName.GetNames(); len(names) > 0 && identifierTypes[names[len(names)-1].GetString_().GetSval()] {
		w.st.Identifiers = true
	}
}

// identifierColumn looks for the system column tableoid.
func (w *walker) identifierColumn(n *pg.ColumnRef) {
	if fields := n.Fields; len(fields) > 0 && fields[len(fields)-1].GetString_().GetSval() == "tableoid" {
		w.st.Identifiers = true
	}
}

// identifierCopy: the binary format has the types of elements and fields in it.
func (w *walker) identifierCopy(n *pg.CopyStmt) {
	for _, option := range n.Options {
		e := option.GetDefElem()
		if e.GetDefname() != "format" {
			continue
		}
		w.st.valueSensitive = true
		format := e.GetArg().GetString_().GetSval()
		w.st.Binary = strings.EqualFold(format, "binary")
	}
	w.st.Identifiers = w.st.Identifiers || w.st.Binary
}
