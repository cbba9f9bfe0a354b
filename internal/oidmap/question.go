package oidmap

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is what the binary values of a type look like.
type Kind byte

// The kinds. What is not one of the others has no numbers in its values.
const (
	Scalar     Kind = '-'
	Array      Kind = 'a' // of the type sub
	Composite  Kind = 'c' // each field with its type
	Domain     Kind = 'd' // over the type sub
	Range      Kind = 'r' // of the type sub
	MultiRange Kind = 'm' // of the range type sub
)

// Row is what a node says of one object.
type Row struct {
	OID uint32
	sub uint32
	// identity is equal for the same object on every node; its first byte is the class.
	identity string
	kind     Kind
}

// Listing is what a node says of objects.
type Listing struct {
	Node Node
	Rows []Row
}

// MaxListed is how many objects a question for all of them brings at most; of a database
// with more, objects are asked for as they are met.
const MaxListed = 10_000

// The parts of questions. Names are hexadecimal, so that they pass through any
// client_encoding; the schema of temporary tables, which has another name in each
// session, is called pg_temp. Every row is one text of seven words: class, number, kind,
// sub, schema, name, arguments.
const (
	schemaName = `CASE WHEN n.oid = pg_catalog.pg_my_temp_schema() THEN '70675f74656d70' ELSE pg_catalog.encode(pg_catalog.convert_to(n.nspname::text, pg_catalog.getdatabaseencoding()), 'hex') END`
	hexName    = `pg_catalog.encode(pg_catalog.convert_to(%s::text, pg_catalog.getdatabaseencoding()), 'hex')`

	// An array type is named for its element: what the server calls it depends on which
	// names were free. Multiranges are new in PostgreSQL 14.
	typeRows = `SELECT pg_catalog.concat_ws(' ', 't', t.oid,
	CASE WHEN el.oid IS NOT NULL THEN 'a' WHEN t.typtype IN ('c', 'd', 'r', 'm') THEN t.typtype::text ELSE '-' END,
	CASE WHEN el.oid IS NOT NULL THEN el.oid WHEN t.typtype = 'd' THEN t.typbasetype
	     WHEN t.typtype = 'r' THEN (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
	     WHEN t.typtype = 'm' THEN (SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE pg_catalog.to_jsonb(r) ->> 'rngmultitypid' = t.oid::text)
	     ELSE 0 END,
	%[1]s, %[2]s, CASE WHEN el.oid IS NOT NULL THEN '[]' ELSE '-' END)
FROM pg_catalog.pg_type t
LEFT JOIN pg_catalog.pg_type el ON el.oid = t.typelem AND el.typarray = t.oid
JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(el.typnamespace, t.typnamespace)`

	relationRows = `SELECT pg_catalog.concat_ws(' ', 'r', c.oid, '-', 0, %[1]s, %[2]s, '-')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`

	functionRows = `SELECT pg_catalog.concat_ws(' ', 'f', p.oid, '-', 0, %[1]s, %[2]s, '-' || coalesce((
	SELECT pg_catalog.string_agg(%[3]s || '.' || %[4]s, ',' ORDER BY a.i)
	FROM pg_catalog.unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(type, i)
	JOIN pg_catalog.pg_type at ON at.oid = a.type JOIN pg_catalog.pg_namespace an ON an.oid = at.typnamespace), ''))
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace`
)

// classParts are the queries of a class and what its columns are called.
var classParts = map[Class]struct{ rows, oid, name, nameOf string }{
	Type:     {fmt.Sprintf(typeRows, schemaName, fmt.Sprintf(hexName, "coalesce(el.typname, t.typname)")), "t.oid", "coalesce(el.typname, t.typname)", "t.typname"},
	Relation: {fmt.Sprintf(relationRows, schemaName, fmt.Sprintf(hexName, "c.relname")), "c.oid", "c.relname", "c.relname"},
	Function: {fmt.Sprintf(functionRows, schemaName, fmt.Sprintf(hexName, "p.proname"), fmt.Sprintf(hexName, "an.nspname"), fmt.Sprintf(hexName, "at.typname")),
		"p.oid", "p.proname", "p.proname"},
}

// ByNumber asks a node what objects of its own are. The objects are all of that node.
func ByNumber(objects []Object) string {
	numbers := map[Class][]string{}
	for _, o := range objects {
		numbers[o.Class] = append(numbers[o.Class], strconv.FormatUint(uint64(o.OID), 10))
	}
	var parts []string
	for _, class := range []Class{Type, Relation, Function} {
		if len(numbers[class]) > 0 {
			part := classParts[class]
			parts = append(parts, part.rows+" WHERE "+part.oid+" IN ("+strings.Join(numbers[class], ",")+")")
		}
	}
	return strings.Join(parts, "\nUNION ALL ")
}

// ByName asks a node for the objects that another one has told of.
func ByName(rows []Row) string {
	var parts []string
	for _, row := range rows {
		words := strings.Split(row.identity, " ")
		class := Class(row.identity[0])
		part := classParts[class]
		named := part.rows + " WHERE n.oid = " + schemaOf(words[1])
		name := "pg_catalog.convert_from(pg_catalog.decode('" + words[2] + "', 'hex'), pg_catalog.getdatabaseencoding())::name"
		switch {
		case class == Type && words[3] == "[]":
			named += " AND el.oid IS NOT NULL AND t.oid = (SELECT e.typarray FROM pg_catalog.pg_type e WHERE e.typname = " + name + " AND e.typnamespace = n.oid)"
		case class == Type:
			named += " AND el.oid IS NULL AND t.typname = " + name
		default:
			named += " AND " + part.nameOf + " = " + name
		}
		parts = append(parts, named)
	}
	return strings.Join(parts, "\nUNION ALL ")
}

// schemaOf is the number of the schema with that hexadecimal name.
func schemaOf(name string) string {
	if name == "70675f74656d70" {
		return "pg_catalog.pg_my_temp_schema()"
	}
	return "(SELECT s.oid FROM pg_catalog.pg_namespace s WHERE s.nspname = pg_catalog.convert_from(pg_catalog.decode('" + name + "', 'hex'), pg_catalog.getdatabaseencoding())::name)"
}

// Above asks a node for all tables and types but the row types of tables that have higher
// numbers than that, up to one more than MaxListed of each.
func Above(highest uint32) string {
	const others = ` AND n.nspname !~ '^pg_(toast|temp_)'`
	types := classParts[Type].rows + ` WHERE t.oid > %[2]d` + others + ` AND NOT EXISTS (
	SELECT FROM pg_catalog.pg_class c WHERE c.oid = coalesce(el.typrelid, t.typrelid) AND c.relkind <> 'c')`
	relations := classParts[Relation].rows + ` WHERE c.oid > %[2]d AND c.relkind IN ('r', 'v', 'm', 'f', 'p')` + others
	return fmt.Sprintf("("+types+" LIMIT %[1]d)\nUNION ALL ("+relations+" LIMIT %[1]d)", MaxListed+1, highest)
}

// Decode reads a node's answer. What it makes no sense of it leaves out.
func Decode(lines []string) []Row {
	rows := make([]Row, 0, len(lines))
	for _, line := range lines {
		words := strings.SplitN(line, " ", 7)
		if len(words) != 7 || len(words[0]) != 1 || len(words[2]) != 1 {
			continue
		}
		oid, err := strconv.ParseUint(words[1], 10, 32)
		sub, err2 := strconv.ParseUint(words[3], 10, 32)
		if err != nil || err2 != nil || !isHex(words[4]) || !isHex(words[5]) {
			continue
		}
		rows = append(rows, Row{
			OID: uint32(oid), sub: uint32(sub), kind: Kind(words[2][0]),
			identity: words[0] + " " + words[4] + " " + words[5] + " " + words[6],
		})
	}
	return rows
}

// isHex: names go into the next node's question as they are.
func isHex(word string) bool {
	return strings.Trim(word, "0123456789abcdef") == ""
}
