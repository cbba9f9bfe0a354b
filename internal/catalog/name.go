package catalog

import (
	"encoding/hex"
	"strings"
)

// Name is the name of a function or a relation, folded to lower case and without
// quotes as PostgreSQL's lexer leaves it.
type Name struct {
	Schema string // empty: as written, without one
	Name   string
}

func (n Name) String() string {
	if n.Schema == "" {
		return n.Name
	}
	return n.Schema + "." + n.Name
}

// maxNameBytes bounds what is kept of a name. PostgreSQL itself cuts identifiers at
// NAMEDATALEN - 1, 63 in all usual builds.
const maxNameBytes = 255

// storable reports whether the name may become the key of an entry.
func (n Name) storable() bool {
	return len(n.Schema) <= maxNameBytes && len(n.Name) <= maxNameBytes
}

// literal is text as an SQL expression of type name. What could end a literal early
// in any client_encoding, or with standard_conforming_strings off, goes as
// hexadecimal digits: in SJIS, for one, a backslash may be the second half of a
// character, and no way of doubling it is right in all encodings.
func literal(text string) string {
	switch {
	case strings.ContainsRune(text, 0):
		return "''::pg_catalog.name" // nothing has such a name, and the protocol cannot carry it
	case plain(text):
		return "'" + text + "'::pg_catalog.name"
	}
	return "pg_catalog.convert_from(pg_catalog.decode('" + hex.EncodeToString([]byte(text)) +
		"', 'hex'), pg_catalog.pg_client_encoding())::pg_catalog.name"
}

// plain reports whether text can stand between quotes as it is.
func plain(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '\'' || c == '\\' {
			return false
		}
	}
	return true
}

// schemaLiteral is literal for a schema, with null for none.
func schemaLiteral(schema string) string {
	if schema == "" {
		return "NULL::pg_catalog.name"
	}
	return literal(schema)
}
