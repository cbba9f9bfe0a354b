package capture

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/parser"
)

// Copied is a table that main has been given rows of by COPY, which the others are to be given
// as main has stored them: with what defaults and triggers have computed.
type Copied struct {
	Name    string   `json:"name"` // qualified, quoted
	Columns []string `json:"columns"`
	// Parts: it is partitioned, so that its rows lie in other tables.
	Parts bool  `json:"parts"`
	Pages int64 `json:"pages"` // in front of the COPY
}

// copiedSQL makes one row if main's rows can be had: if the role may read all of the table,
// whose values have all of their digits.
const copiedSQL = `SELECT pg_catalog.json_build_object('name', pg_catalog.concat(pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname)),
	'parts', c.relkind OPERATOR(pg_catalog.=) 'p', 'pages', pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8,
	'columns', (SELECT pg_catalog.json_agg(pg_catalog.quote_ident(a.attname) ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
		WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped AND a.attgenerated OPERATOR(pg_catalog.=) ''))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($name)::pg_catalog.oid AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog."char"[])
	AND c.relpersistence OPERATOR(pg_catalog.<>) 't' AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
	AND NOT pg_catalog.row_security_active(c.oid) AND pg_catalog.current_setting('extra_float_digits')::pg_catalog.int4 OPERATOR(pg_catalog.>) 0 AND ($ready)`

// CopiedSQL asks about a table. ready is a condition more.
func CopiedSQL(r parser.Relation, ready string) string {
	name := string(appendLiteral(nil, []byte(quoteRelation(r))))
	return strings.NewReplacer("$name", name, "$ready", ready, "\t", "", "\n", " ").Replace(copiedSQL)
}

// DecodeCopied reads the answer; nil if the rows cannot be had.
func DecodeCopied(row [][]byte) *Copied {
	c := &Copied{}
	if len(row) != 1 || json.Unmarshal(row[0], c) != nil || len(c.Columns) == 0 {
		return nil
	}
	return c
}

// Into is the COPY by which a node is given the rows.
func (c *Copied) Into() string {
	return "COPY " + c.Name + " (" + strings.Join(c.Columns, ", ") + ") FROM STDIN"
}

// Searches are the parts of the table in which the rows are looked for in turn, from a page
// on: what the COPY has added to it, and all of it.
func (c *Copied) Searches() []int64 {
	if c.Parts || c.Pages <= fewPages {
		return []int64{0}
	}
	return []int64{c.Pages - 1, 0}
}

// NewestSQL asks for the newest command of the transaction that has left rows in a part of the
// table, and for their number.
func (c *Copied) NewestSQL(page int64) string {
	return "SELECT pg_catalog.concat(" + commandOf + ", ' ', pg_catalog.count(*)) " + c.rows(page) +
		" GROUP BY " + commandOf + " ORDER BY " + commandOf + " DESC LIMIT 1"
}

// DecodeNewest reads the answer.
func DecodeNewest(rows []string) (command, number int64, ok bool) {
	if len(rows) != 1 {
		return 0, 0, false
	}
	first, second, _ := strings.Cut(rows[0], " ")
	command, err := strconv.ParseInt(first, 10, 64)
	if err == nil {
		number, err = strconv.ParseInt(second, 10, 64)
	}
	return command, number, err == nil
}

// FromSQL is the COPY of the rows that a command of the transaction has left.
func (c *Copied) FromSQL(page, command int64) string {
	columns := make([]string, len(c.Columns))
	for i, name := range c.Columns {
		columns[i] = "t." + name
	}
	return "COPY (SELECT " + strings.Join(columns, ", ") + " " + c.rows(page) + " AND " + commandOf + " OPERATOR(pg_catalog.=) " + strconv.FormatInt(command, 10) + ") TO STDOUT"
}

// rows are those that the transaction has made in a part of the table.
func (c *Copied) rows(page int64) string {
	only := "ONLY "
	if c.Parts {
		only = ""
	}
	return ownRows(only+c.Name) + fromPage(page)
}
