package catalog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Table is what is known of the columns of a relation that rows can be added to: a
// table, partitioned or not, a foreign table, or a view. Of partitions and inheritance
// children it tells nothing: the defaults of the relation that the statement names are
// the ones that count.
type Table struct {
	Exists bool
	// Ambiguous: there are several relations of that name, in different schemas, and
	// the session's search_path decides. Nothing else is known then. Resolve asks for
	// the schema that the session means.
	Ambiguous bool
	Schema    string
	// View: its columns have the view's own defaults. Where it has none, the default
	// of the relation below counts, which is not looked at.
	View bool
	// Children: a table that others inherit from, so that its unique keys do not
	// cover all of its rows. Not set for partitioned tables, whose keys do.
	Children bool
	// Partitioned: its rows are those of its partitions.
	Partitioned bool
	// Grants: rights to insert are granted on single columns. Whoever has only those may
	// not name other columns, even if the values are what they are given anyway.
	Grants bool
	// Volatile: some column is.
	Volatile bool
	// Columns are in the order of the table, without dropped ones.
	Columns []Column
	// Keys are the columns of each unique index that is valid, checked at once, and
	// neither partial nor over expressions; in the order of the table.
	Keys    [][]string
	Effects Effects
}

// Column is a column of a Table.
type Column struct {
	Name string
	// Type is the SQL name of the column's type, without type modifier, as it can
	// stand behind ::, qualified if it is not in pg_catalog.
	Type string
	// Volatile: what the column is given by default is not the same whenever and
	// wherever it is computed, as far as labels tell, or hangs on settings.
	Volatile bool
	// Default is the text of the default expression, with all names qualified that
	// are not in pg_catalog; the domain's if the column has none itself. It is there
	// for volatile columns only.
	Default string
	// Generated: computed from the other columns of the row. There is no default.
	Generated bool
	// Identity is pg_attribute.attidentity: 'a' for ALWAYS, 'd' for BY DEFAULT, else
	// 0. An identity column has no default, and is volatile.
	Identity byte
	// Sequence is the sequence of an identity column, qualified, as SQL writes the name; ""
	// if it has none of its own.
	Sequence string
	// TimeWords is what words such as 'now' are in a text that is read as the column's type.
	TimeWords TimeWords
	// Unlike are the functions that the default calls, not made by initdb, that are
	// not Function.Alike; once for each name.
	Unlike []Name
}

// TimeWords is what the words now, today, tomorrow and yesterday are in a text that is read as a
// type.
type TimeWords byte

const (
	// NoWords: nothing, or what they are in any text.
	NoWords TimeWords = 0
	// DateWords: the moment of reading, in a date or timestamp, or a domain of such.
	DateWords TimeWords = 'd'
	// DatesWords: the same in an array or range.
	DatesWords TimeWords = 'a'
	// ClockWords: the same in a time of day.
	ClockWords TimeWords = 't'
	// UnclearWords: that hangs on the part of a composite type, or only the type's own code
	// knows.
	UnclearWords TimeWords = 'u'
)

// columnRow is a column as tablesSQL makes it. Names and texts are in hexadecimal digits.
type columnRow struct {
	Name      string   `json:"n"`
	Type      string   `json:"t"`
	Default   string   `json:"d"`
	Generated bool     `json:"g"`
	Identity  string   `json:"i"`
	Sequence  string   `json:"s"`
	Volatile  bool     `json:"v"`
	Unlike    []string `json:"f"`
	TimeWords string   `json:"w"`
}

func (d *decoder) addTable(r row) error {
	name, err := d.named("table", d.q.Tables, *r.Table)
	if err != nil {
		return err
	}
	if r.Ambiguous {
		d.a.tables[name] = &Table{Exists: true, Ambiguous: true}
		return nil
	}
	t, err := decodeTable(r)
	if err != nil {
		return err
	}
	d.a.tables[name] = t
	return nil
}

func decodeTable(r row) (*Table, error) {
	schema, err := unhex(r.Schema)
	if err != nil {
		return nil, err
	}
	t := &Table{Exists: true, Schema: schema, View: r.Kind == "v", Partitioned: r.Kind == "p", Children: r.Children, Grants: r.Grants, Columns: make([]Column, len(r.Columns))}
	for i, column := range r.Columns {
		if t.Columns[i], err = column.decode(); err != nil {
			return nil, err
		}
		t.Volatile = t.Volatile || t.Columns[i].Volatile
	}
	for _, key := range r.Keys {
		columns, err := unhexAll(key)
		if err != nil {
			return nil, err
		}
		t.Keys = append(t.Keys, columns)
	}
	t.Effects, err = r.Effects.decode()
	return t, err
}

func (r columnRow) decode() (Column, error) {
	name, err1 := unhex(r.Name)
	typ, err2 := unhex(r.Type)
	text, err3 := unhex(r.Default)
	unlike, err4 := decodeNames(r.Unlike)
	sequence, err5 := unhex(r.Sequence)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return Column{}, err
	}
	c := Column{Name: name, Type: typ, Default: text, Generated: r.Generated, Volatile: r.Volatile, Unlike: unlike, Sequence: sequence}
	if len(r.TimeWords) > 0 {
		c.TimeWords = TimeWords(r.TimeWords[0])
	}
	if len(r.Identity) > 0 {
		c.Identity = r.Identity[0]
	}
	return c, nil
}

func unhex(digits string) (string, error) {
	text, err := hex.DecodeString(digits)
	if err != nil {
		return "", fmt.Errorf("no hexadecimal digits: %.80q", digits)
	}
	return string(text), nil
}

func unhexAll(digits []string) ([]string, error) {
	texts := make([]string, len(digits))
	for i, text := range digits {
		var err error
		if texts[i], err = unhex(text); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// ofOneSession: the name is that of a relation in a session's own schema on one node.
// Another session, or the same one on another node, means another relation by it.
func ofOneSession(n Name) bool { return strings.HasPrefix(n.Schema, "pg_temp") }

// ResolveSQL returns the query that asks, on a session's own connection, which schema
// the session means by the unqualified name of a relation. Its only column is to be
// given to DecodeSchema; there is no row if the session sees no such relation.
func ResolveSQL(name string) string {
	return strings.Replace(resolveSQL, "$name", literal(name), 1)
}

// DecodeSchema reads what ResolveSQL brought.
func DecodeSchema(text string) (string, error) { return unhex(text) }
