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

// isIdentifierFunction reports whether a function returns such a value or takes one: what
// psql's \sf asks with, for example (PostgreSQL manual, chapter 9.26).
func isIdentifierFunction(name string) bool {
	switch {
	case strings.HasPrefix(name, "pg_get_"), strings.HasPrefix(name, "to_reg"), strings.HasPrefix(name, "has_") && strings.HasSuffix(name, "_privilege"),
		strings.HasPrefix(name, "pg_") && strings.HasSuffix(name, "_is_visible"), strings.HasPrefix(name, "pg_stat_get_"),
		strings.HasPrefix(name, "pg_partition_"), strings.HasPrefix(name, "pg_index"):
		return true
	}
	switch name {
	case "pg_typeof", "format_type", "obj_description", "shobj_description", "col_description", "pg_my_temp_schema", "pg_is_other_temp_schema",
		"pg_describe_object", "pg_identify_object", "pg_identify_object_as_address", "pg_relation_size", "pg_table_size", "pg_indexes_size",
		"pg_total_relation_size", "pg_relation_filenode", "pg_relation_filepath", "pg_filenode_relation", "pg_relation_is_updatable",
		"pg_column_is_updatable", "row_security_active", "pg_sequence_parameters", "pg_has_role", "pg_tablespace_databases":
		return true
	}
	return false
}

// identifierCast looks for a cast to an object identifier.
func (w *walker) identifierCast(n *pg.TypeCast) {
	if names := n.TypeName.GetNames(); len(names) > 0 && identifierTypes[names[len(names)-1].GetString_().GetSval()] {
		w.st.Identifiers = true
	}
	w.st.ObjectNumbers = w.st.ObjectNumbers || castsToNumber(n)
}

// castsToNumber: the number of an object becomes a value that is not told as a name.
func castsToNumber(n *pg.TypeCast) bool {
	to := lastName(n.TypeName.GetNames())
	switch inner := n.Arg.GetNode().(type) {
	case *pg.Node_TypeCast:
		from := lastName(inner.TypeCast.TypeName.GetNames())
		return identifierTypes[from] && from != "oid" && (to == "oid" || !identifierTypes[to] && !isTextType(to))
	case *pg.Node_FuncCall:
		return to == "oid" && strings.HasPrefix(lastName(inner.FuncCall.Funcname), "to_reg")
	}
	return false
}

func lastName(names []*pg.Node) string {
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1].GetString_().GetSval()
}

func isTextType(name string) bool {
	switch name {
	case "text", "varchar", "bpchar", "name", "citext":
		return true
	}
	return false
}

// identifierColumn looks for the system column tableoid, and for columns of the catalogue.
func (w *walker) identifierColumn(n *pg.ColumnRef) {
	if fields := n.Fields; len(fields) > 0 && fields[len(fields)-1].GetString_().GetSval() == "tableoid" {
		w.st.Identifiers = true
	}
	switch lastName(n.Fields) {
	case "oid", "tableoid", "relfilenode":
		w.st.ObjectNumbers = true
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
