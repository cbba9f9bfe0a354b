package capture

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Rows that code deletes, or gives another key, are not to be seen any more by the time when main is
// asked. A cursor that was opened before still sees them, since it keeps its snapshot
// (PostgreSQL manual, DECLARE): those that somebody has changed, deleted or locked have an xmax.

// maxWatched bounds how many tables are watched for one statement.
const maxWatched = 20

// watchSQL is an expression for the tables of these names, or their partitions, whose old rows can be told.
func watchSQL(names []catalog.Name) string {
	if len(names) == 0 || len(names) > maxWatched {
		return "NULL"
	}
	pairs := make([]string, len(names))
	for i, n := range names {
		pairs[i] = "(" + string(appendLiteral(nil, []byte(n.Schema))) + ", " + string(appendLiteral(nil, []byte(n.Name))) + ")"
	}
	return strings.NewReplacer("$pairs", strings.Join(pairs, ", "), "$columns", columnsOf, "$key", keyOf).Replace(
		`(SELECT pg_catalog.json_agg(pg_catalog.json_build_object('s', n.nspname, 'n', c.relname, 'c', $columns, 'key', $key))
	FROM (SELECT DISTINCT CASE WHEN r.relkind OPERATOR(pg_catalog.=) 'p' THEN p.relid::pg_catalog.oid ELSE r.oid END AS oid
		FROM (VALUES $pairs) AS q (s, n) JOIN pg_catalog.pg_class r ON r.relname OPERATOR(pg_catalog.=) q.n AND r.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog."char"[])
		JOIN pg_catalog.pg_namespace rn ON rn.oid OPERATOR(pg_catalog.=) r.relnamespace AND (q.s OPERATOR(pg_catalog.=) '' OR rn.nspname OPERATOR(pg_catalog.=) q.s)
		LEFT JOIN LATERAL pg_catalog.pg_partition_tree(r.oid) AS p ON r.relkind OPERATOR(pg_catalog.=) 'p' AND p.isleaf) AS w
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) w.oid AND c.relkind OPERATOR(pg_catalog.=) 'r'
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE $key IS NOT NULL AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid))`)
}

// MayMove reports whether rows may have other keys than before.
func (c *Change) MayMove() bool { return c.Updated != c.InPlace }

// TooLarge reports whether the table is too large to be searched as a whole.
func (c *Change) TooLarge() bool { return c.Pages > maxScanned }

// WatchSQL opens a cursor that sees the table as it is now.
func (c *Change) WatchSQL(cursor string) string {
	return "DECLARE " + cursor + " NO SCROLL CURSOR FOR SELECT " + record("t", c.keyShape().columns, false) +
		" FROM ONLY " + quoteRelation(c.relation()) + " AS t WHERE t.xmax OPERATOR(pg_catalog.<>) '0'::pg_catalog.xid"
}

// WatchedSQL asks a cursor for the keys of the rows that were there, at most limit and one.
func WatchedSQL(cursor string, limit int64) string {
	return "FETCH " + strconv.FormatInt(limit+1, 10) + " FROM " + cursor
}

// keyShape has the columns of the key alone.
func (c *Change) keyShape() *shape {
	s := &shape{}
	for i := range c.Columns {
		if column := &c.Columns[i]; slices.Contains(c.Key, column.Name) {
			s.key = append(s.key, len(s.columns))
			s.columns = append(s.columns, &catalog.Column{Name: column.Name, Type: column.Type})
		}
	}
	return s
}

// StillSQL asks which of these keys are there now; "" for none to be asked about.
func (c *Change) StillSQL(keys []string) (string, error) {
	b, err := c.ofKeys(keys)
	if err != nil || b.rows == 0 {
		return "", err
	}
	return "SELECT " + record("pgchorus_table", b.plan.shape.columns, false) + " FROM " + b.plan.relation() + " AS pgchorus_table, " + b.source() + " WHERE " + b.match(), nil
}

// ofKeys is a batch of keys.
func (c *Change) ofKeys(keys []string) (*batch, error) {
	b := &batch{plan: &Plan{target: &parser.Target{Kind: parser.Delete, Relation: c.relation(), Only: true}, shape: c.keyShape()}}
	for _, key := range keys {
		if err := b.add([]byte(key)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Removed is what became of the rows that a cursor has seen, by the keys that were there and those of them
// that still are: those that are gone, and how many rows the transaction has touched. records are those
// that main has now of the rows that it has made.
func (c *Change) Removed(were, still []string, records [][]byte) (gone []string, touched int64, err error) {
	there := map[string]bool{}
	for _, key := range still {
		there[key] = true
	}
	made, err := c.keysOf(records)
	if err != nil {
		return nil, 0, err
	}
	for _, key := range were {
		canonical, err := canonicalKey([]byte(key), nil)
		switch {
		case err != nil:
			return nil, 0, err
		case !there[key]:
			gone = append(gone, key)
			touched++
		case made[canonical]:
			touched++
		}
	}
	return gone, touched, nil
}

// keysOf are the keys in records of all columns.
func (c *Change) keysOf(records [][]byte) (map[string]bool, error) {
	places, made := c.shape().key, map[string]bool{}
	for _, record := range records {
		key, err := canonicalKey(slices.Clone(record), places)
		if err != nil {
			return nil, err
		}
		made[key] = true
	}
	return made, nil
}

// canonicalKey is a text for the values at these places of a record; nil means all. The record is written over.
func canonicalKey(record []byte, places []int) (string, error) {
	all, err := fields(record, nil)
	if err != nil {
		return "", err
	}
	var key []byte
	for i, f := range all {
		if places == nil || slices.Contains(places, i) {
			key = strconv.AppendQuote(key, string(f.text))
		}
	}
	return string(key), nil
}

// Remove makes the statements that have a node delete the rows of these keys.
func (c *Change) Remove(keys []string) ([]Statement, error) {
	b, err := c.ofKeys(keys)
	if err != nil || b.rows == 0 {
		return nil, err
	}
	return []Statement{b.take()}, nil
}
