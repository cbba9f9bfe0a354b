package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// table is what is known of a table that all nodes have alike.
type table struct {
	name    string // ready for SQL, or what to call it
	sqlName string
	columns []column
	key     []string // quoted names; empty: no usable key
	equals  []string // the key's operators, with their schema since search_path has none of the extensions'
	bytes   int64    // on main
	heap    bool
	// writable: rows may be repaired.
	writable bool
}

type column struct {
	name      string // quoted
	typeName  string
	generated bool
}

// tablesQuery lists what has rows of its own. The key is the primary key, or else the
// narrowest unique index that covers all rows: not partial, not of expressions, checked at
// once, no column nullable.
const tablesQuery = `
SELECT format('%I.%I', n.nspname, c.relname), c.relkind, coalesce(pg_relation_size(c.oid), 0), coalesce(am.amname = 'heap', false),
	(SELECT coalesce(json_agg(json_build_array(quote_ident(attname), format_type(atttypid, atttypmod), attgenerated) ORDER BY attname::text COLLATE "C"), '[]')
		FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
	coalesce(k.names, '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN LATERAL (
	SELECT (SELECT json_agg(json_build_array(quote_ident(attname), format('OPERATOR(%I.%s)', on_.nspname, oprname)) ORDER BY u.ord)
		FROM unnest(indkey, indclass) WITH ORDINALITY u(num, class, ord)
		JOIN pg_attribute ON attrelid = indrelid AND attnum = u.num
		JOIN pg_opclass o ON o.oid = u.class
		JOIN pg_amop ON amopfamily = opcfamily AND amoplefttype = opcintype AND amoprighttype = opcintype AND amopstrategy = 3
		JOIN pg_operator op ON op.oid = amopopr JOIN pg_namespace on_ ON on_.oid = oprnamespace
		WHERE u.ord <= indnkeyatts) AS names
	FROM pg_index i
	WHERE indrelid = c.oid AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL
		AND NOT EXISTS (SELECT FROM unnest(indkey) WITH ORDINALITY u(num, ord) JOIN pg_attribute ON attrelid = indrelid AND attnum = u.num
			WHERE u.ord <= indnkeyatts AND NOT attnotnull)
	ORDER BY indisprimary DESC, indnkeyatts, indexrelid::regclass::text COLLATE "C" LIMIT 1
) k ON true
WHERE ` + userSchema + ` AND c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND c.relispopulated
ORDER BY 1`

// largeObjects stands for the pages of all large objects.
var largeObjects = table{
	name: "large objects", sqlName: "pg_catalog.pg_largeobject", heap: true,
	columns: []column{{name: "data", typeName: "bytea"}, {name: "loid", typeName: "oid"}, {name: "pageno", typeName: "integer"}},
	key:     []string{"loid", "pageno"}, equals: []string{"=", "="},
}

// listTables returns the tables that all nodes have with the same columns, and where
// others deviate: the schema's listing says so too, but it is not always asked.
func (r *run) listTables(ctx context.Context, p *point) ([]table, []Difference, error) {
	answers, err := p.peers.ask(ctx, tablesQuery)
	if err != nil {
		return nil, nil, fmt.Errorf("list tables: %w", err)
	}
	byName := map[string][]row{}
	var names []string
	for i, rows := range answers {
		for _, facts := range rows {
			name := string(facts[0])
			if byName[name] == nil {
				byName[name] = make([]row, len(answers))
				names = append(names, name)
			}
			byName[name][i] = facts
		}
	}
	slices.Sort(names)
	return r.sortOut(p, names, byName)
}

func (r *run) sortOut(p *point, names []string, byName map[string][]row) (tables []table, found []Difference, err error) {
	for _, name := range names {
		if !r.wants(name) {
			continue
		}
		differences := columnsDiffer(p, name, byName[name])
		if found = append(found, differences...); len(differences) > 0 {
			continue
		}
		t, err := parseTable(byName[name][0])
		if err != nil {
			return nil, nil, err
		}
		tables = append(tables, t)
	}
	return tables, found, nil
}

// wants reports whether a table was asked for.
func (r *run) wants(name string) bool {
	return len(r.opts.Tables) == 0 || slices.Contains(r.opts.Tables, name)
}

// columnsDiffer compares the columns that the nodes have.
func columnsDiffer(p *point, name string, facts []row) []Difference {
	values := make([]string, len(facts))
	for i, f := range facts {
		if f != nil {
			values[i] = string(f[4])
		}
	}
	v := judge(values)
	var found []Difference
	for _, i := range v.deviants {
		found = append(found, Difference{Kind: "table", Database: p.database, Object: name, Node: p.peers[i].id, Reference: p.peers[v.reference].id,
			What: what(values[v.reference], values[i]), Expected: values[v.reference], Found: values[i], Proven: v.proven})
	}
	return found
}

func parseTable(facts row) (table, error) {
	t := table{name: string(facts[0]), sqlName: string(facts[0]), heap: string(facts[3]) == "t", writable: string(facts[1]) == "r"}
	var err error
	if t.bytes, err = strconv.ParseInt(string(facts[2]), 10, 64); err != nil {
		return t, fmt.Errorf("size of %s: %w", t.name, err)
	}
	var columns [][]string
	if err := json.Unmarshal(facts[4], &columns); err != nil {
		return t, fmt.Errorf("columns of %s: %w", t.name, err)
	}
	for _, c := range columns {
		if len(c) != 3 {
			return t, fmt.Errorf("columns of %s: unexpected %q", t.name, c)
		}
		t.columns = append(t.columns, column{name: c[0], typeName: c[1], generated: c[2] != ""})
	}
	var key [][2]string
	if err := json.Unmarshal(facts[5], &key); err != nil {
		return t, fmt.Errorf("key of %s: %w", t.name, err)
	}
	for _, k := range key {
		t.key, t.equals = append(t.key, k[0]), append(t.equals, k[1])
	}
	return t, nil
}

// text is a row as text: its columns in the order of their names.
func (t table) text() string { return rowText(t.columnNames()) }

func (t table) columnNames() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// rowText is the text of a row of columns. NULLs are told from empty texts.
func rowText(names []string) string { return "ROW(" + qualified(names) + ")::text" }

// qualified are the columns of the table called t.
func qualified(names []string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = "t." + name
	}
	return strings.Join(parts, ", ")
}

// keyText shows a key as PostgreSQL does in its messages.
func (t table) keyText(values row) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return fmt.Sprintf("(%s)=(%s)", strings.Join(t.key, ", "), strings.Join(texts, ", "))
}
