package capture

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// What code writes to other tables than the statement's own is not in what it returns. Main
// is asked instead: PostgreSQL counts, for each table, the rows that a transaction has
// inserted, updated and deleted (manual, chapter 28.2.3, pg_stat_xact_all_tables), and a row
// tells by xmin and cmin which transaction has made it and in which order.

// Changes is what the transaction has done so far, as one node counts it.
type Changes struct {
	// Ready: the session can be given main's rows: it may keep triggers quiet, and values
	// have all their digits.
	Ready bool `json:"ready"`
	// Fresh: the transaction has changed nothing.
	Fresh  bool               `json:"fresh"`
	Tables map[string]*Change `json:"tables"` // by number
	// Watch are the tables that BeforeSQL was given the names of, as far as their old rows can be told.
	Watch []*Change `json:"watch"`
}

// Change is one table that was changed, or a sequence that was looked at.
type Change struct {
	Schema    string         `json:"s"`
	Name      string         `json:"n"`
	Kind      string         `json:"k"` // pg_class.relkind
	Temporary bool           `json:"tmp"`
	System    bool           `json:"sys"`
	May       bool           `json:"may"` // the role may read and write it, and sees all rows
	Always    bool           `json:"a"`   // a trigger or rule fires whatever session_replication_role is
	Ruled     bool           `json:"r"`   // it has a rule for UPDATE
	Inserted  int64          `json:"i"`
	Updated   int64          `json:"u"`
	InPlace   int64          `json:"h"` // of Updated: no indexed column has changed (HOT)
	Deleted   int64          `json:"d"`
	Fetched   int64          `json:"f"` // blocks, of a sequence
	Last      *int64         `json:"l"` // of a sequence; nil if nothing was drawn
	Pages     int64          `json:"p"`
	Columns   []changeColumn `json:"c"`
	Key       []string       `json:"key"` // names of a key that every row has; nil for none

	// Unsure: some of what was counted may have been taken back, so that rows of earlier
	// statements may be among those found. They are put in the place of those that are there.
	Unsure bool `json:"-"`
	// Watched: which rows were there before can be told.
	Watched bool `json:"-"`

	number string // of the table
}

type changeColumn struct {
	Name      string `json:"n"`
	Type      string `json:"t"`
	Identity  string `json:"i"`
	Generated string `json:"g"`
}

// changesSQL makes one row. Counters of earlier transactions may still be among the numbers:
// only the difference of two answers within one transaction means something.
const changesSQL = `SELECT pg_catalog.json_build_object('ready', $ready AND pg_catalog.current_setting('extra_float_digits')::pg_catalog.int4 OPERATOR(pg_catalog.>) 0
		AND pg_catalog.current_setting('track_counts')::pg_catalog.bool, 'fresh', pg_catalog.pg_current_xact_id_if_assigned() IS NULL, 'tables', pg_catalog.json_object_agg(x.oid, x.facts) FILTER (WHERE x.oid IS NOT NULL), 'watch', $watch)
FROM (SELECT) AS one LEFT JOIN (
	SELECT c.oid, pg_catalog.json_build_object('s', n.nspname, 'n', c.relname, 'k', c.relkind, 'tmp', c.relpersistence OPERATOR(pg_catalog.=) 't',
		'sys', c.oid OPERATOR(pg_catalog.<) '16384'::pg_catalog.oid, 'i', c.i, 'u', c.u, 'h', c.h, 'd', c.d, 'f', c.f,
		'p', CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'r' AND $after THEN pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8 END,
		'may', CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AND pg_catalog.has_sequence_privilege(c.oid, 'UPDATE')
			ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
				AND NOT pg_catalog.row_security_active(c.oid) END,
		'l', CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'S' AND $after AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT') THEN pg_catalog.pg_sequence_last_value(c.oid) END,
		'a', EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT g.tgisinternal AND g.tgenabled OPERATOR(pg_catalog.=) ANY ('{A,R}'::pg_catalog."char"[]))
			OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid AND r.ev_enabled OPERATOR(pg_catalog.=) ANY ('{A,R}'::pg_catalog."char"[])),
		'r', EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid AND r.ev_type OPERATOR(pg_catalog.=) '2'),
		'c', $columns, 'key', $key) AS facts
	FROM (SELECT r.oid, r.relnamespace, r.relname, r.relkind, r.relpersistence, pg_catalog.pg_stat_get_xact_tuples_inserted(r.oid) AS i,
			pg_catalog.pg_stat_get_xact_tuples_updated(r.oid) AS u, pg_catalog.pg_stat_get_xact_tuples_hot_updated(r.oid) AS h,
			pg_catalog.pg_stat_get_xact_tuples_deleted(r.oid) AS d,
			CASE WHEN r.relkind OPERATOR(pg_catalog.=) 'S' THEN pg_catalog.pg_stat_get_xact_blocks_fetched(r.oid) ELSE '0'::pg_catalog.int8 END AS f
		FROM pg_catalog.pg_class r WHERE r.relkind OPERATOR(pg_catalog.=) ANY ('{r,m,S}'::pg_catalog."char"[])) AS c
	JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
	WHERE (c.i OPERATOR(pg_catalog.<>) 0 OR c.u OPERATOR(pg_catalog.<>) 0 OR c.d OPERATOR(pg_catalog.<>) 0 OR c.f OPERATOR(pg_catalog.<>) 0)
		AND n.nspname OPERATOR(pg_catalog.<>) 'pgchorus'$news
) AS x ON true`

// columnsOf and keyOf are the columns of the relation c, and a key that every row of it has.
const (
	columnsOf = `(SELECT pg_catalog.json_agg(pg_catalog.json_build_object('n', a.attname, 't', pg_catalog.format_type(a.atttypid, '-1'), 'i', a.attidentity, 'g', a.attgenerated) ORDER BY a.attnum)
		FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped)`
	keyOf = `(SELECT k.columns FROM (SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) AS columns, pg_catalog.bool_and(a.attnotnull) AS firm, x.indexrelid
		FROM pg_catalog.pg_index x JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) x.indrelid
			AND a.attnum OPERATOR(pg_catalog.=) ANY (x.indkey::pg_catalog.int2[])
		WHERE x.indrelid OPERATOR(pg_catalog.=) c.oid AND x.indisunique AND x.indisvalid AND x.indimmediate AND x.indpred IS NULL AND x.indexprs IS NULL
			AND x.indnatts OPERATOR(pg_catalog.=) x.indnkeyatts GROUP BY x.indexrelid) AS k WHERE k.firm ORDER BY k.indexrelid LIMIT '1'::pg_catalog.int8)`
)

// BeforeSQL asks what the transaction has changed so far. mayReplicate is a condition: the
// session may set session_replication_role. names are of relations whose rows may be changed or
// deleted next.
func BeforeSQL(mayReplicate string, names []catalog.Name) string {
	return fillChanges("$ready", mayReplicate, "$after", "false", "$watch", watchSQL(names), "$news", "")
}

// AfterSQL asks what has changed since, and where the sequences stand, which counts as a look at them. It waits
// for no lock of another transaction: the relations that it looks into were changed by this one.
func AfterSQL(before *Changes) string {
	return fillChanges("$ready", "true", "$after", "true", "$watch", "NULL", "$news", newsSQL(before))
}

// newsSQL is the condition for counters to be others than before.
func newsSQL(before *Changes) string {
	if len(before.Tables) == 0 {
		return ""
	}
	known := make([]string, 0, len(before.Tables))
	for number, c := range before.Tables {
		known = append(known, fmt.Sprintf("(%s::pg_catalog.oid, '%d'::pg_catalog.int8, '%d'::pg_catalog.int8, '%d'::pg_catalog.int8, '%d'::pg_catalog.int8)",
			appendLiteral(nil, []byte(number)), c.Inserted, c.Updated, c.Deleted, c.Fetched))
	}
	return " AND NOT EXISTS (SELECT FROM (VALUES " + strings.Join(known, ", ") + ") AS b (oid, i, u, d, f) WHERE b.oid OPERATOR(pg_catalog.=) c.oid AND b.i OPERATOR(pg_catalog.=) c.i" +
		" AND b.u OPERATOR(pg_catalog.=) c.u AND b.d OPERATOR(pg_catalog.=) c.d AND b.f OPERATOR(pg_catalog.=) c.f)"
}

// Complete adds what an answer to AfterSQL leaves out, since it was told before.
func (c *Changes) Complete(before *Changes) {
	for number, was := range before.Tables {
		if c.Tables[number] == nil {
			if c.Tables == nil {
				c.Tables = map[string]*Change{}
			}
			c.Tables[number] = was
		}
	}
}

func fillChanges(values ...string) string {
	return strings.NewReplacer(append(values, "\t", "", "\n", " ")...).Replace(
		strings.NewReplacer("$columns", columnsOf, "$key", keyOf).Replace(changesSQL))
}

// maxChanges bounds the answer to BeforeSQL and AfterSQL, in bytes.
const maxChanges = 4 << 20

// DecodeChanges reads such an answer.
func DecodeChanges(row []byte) (*Changes, error) {
	if len(row) > maxChanges {
		return nil, fmt.Errorf("changes of a transaction: %d bytes, more than %d", len(row), maxChanges)
	}
	c := &Changes{}
	if err := json.Unmarshal(row, c); err != nil {
		return nil, fmt.Errorf("changes of a transaction: %w", err)
	}
	return c, nil
}

// Since is what was changed between two answers.
func (c *Changes) Since(before *Changes) []*Change {
	var out []*Change
	for number, now := range c.Tables {
		change := *now
		change.number = number
		if was := before.Tables[number]; was != nil {
			change.Inserted -= was.Inserted
			change.Updated -= was.Updated
			change.InPlace -= was.InPlace
			change.Deleted -= was.Deleted
			change.Fetched -= was.Fetched
		}
		if change.Inserted != 0 || change.Updated != 0 || change.Deleted != 0 || change.Fetched != 0 {
			out = append(out, &change)
		}
	}
	return out
}

// Obstacle is why the rows of a change cannot be given to the others, or "".
func (c *Change) Obstacle() string {
	what := quoteRelation(c.relation())
	switch {
	case c.System:
		return "it changes the schema"
	case c.Temporary:
		return "it changes the temporary relation " + what
	case !c.May:
		return "rights to " + what + " are lacking"
	case c.Kind == "S":
		return ""
	case c.Kind != "r", c.Always:
		return what + " is no table without triggers or rules that always fire"
	case c.Deleted != 0 && !c.Watched:
		return "it deletes rows of " + what
	case c.MayMove() && !c.Watched && len(c.Key) > 0:
		return "it may change keys of " + what
	case c.Updated != 0 && len(c.Key) == 0:
		return "it updates rows of " + what + ", which has no key"
	case c.Unsure && len(c.Key) == 0:
		return "it may have taken back rows of " + what + ", which has no key"
	case c.Inserted < 0, c.Updated < 0, len(c.Columns) == 0:
		return "the rows of " + what + " are not known"
	}
	return ""
}

func (c *Change) relation() parser.Relation { return parser.Relation{Schema: c.Schema, Name: c.Name} }

// Rows is how many rows were made.
func (c *Change) Rows() int64 { return c.Inserted + c.Updated }

// IsOf reports whether it is the change of that table.
func (c *Change) IsOf(schema, name string) bool { return c.Schema == schema && c.Name == name }

// Bounds on what is searched for rows, in pages.
const (
	// fewPages and then tailPages are searched first, at the end of a table, where rows are
	// added.
	fewPages, tailPages = 16, 256
	// maxScanned is the largest table that is searched as a whole: a tenth of a second, if
	// it is in memory.
	maxScanned = 16384
)

// Searches are the parts of the table that are searched in turn, from a page on. All of it is
// where it is not known which rows are the statement's (Trail).
func (c *Change) Searches(known bool) []int64 {
	var from []int64
	for _, pages := range []int64{fewPages, tailPages} {
		if known && c.Pages > 2*pages {
			from = append(from, c.Pages-pages)
		}
	}
	if !c.TooLarge() {
		from = append(from, 0)
	}
	return from
}

// FindSQL asks for the rows, the newest first, from a page on, and which commands have made
// them. Those of earlier statements of the transaction are older, so that as many as were made
// are the right ones, if all are found; in a part of the table they are if none but rows behind
// a command, since, are taken.
func (c *Change) FindSQL(from, since int64) string {
	s := c.shape()
	sql := "SELECT pg_catalog.concat(t.cmin, ' ', " + record("t", s.columns, false) + ") " + ownRows(quoteRelation(c.relation())) + fromPage(from)
	if from > 0 && since >= 0 {
		sql += " AND " + commandOf + " OPERATOR(pg_catalog.>) " + strconv.FormatInt(since, 10)
	}
	return sql + " ORDER BY " + commandOf + " DESC LIMIT " + strconv.FormatInt(c.Rows(), 10)
}

// commandOf is the number of the command that has made a row, in its transaction.
const commandOf = "t.cmin::pg_catalog.text::pg_catalog.int8"

// ownRows is FROM and WHERE of the rows that the transaction itself has made in a table. The
// age of a row is counted from the transaction's own number (GetStableLatestTransactionId in
// varsup.c); behind a savepoint rows have later numbers.
func ownRows(table string) string {
	return "FROM " + table + ` AS t, (SELECT pg_catalog.pg_current_xact_id()::pg_catalog.xid AS top, pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8 AS whole) AS x
WHERE pg_catalog.age(t.xmin) OPERATOR(pg_catalog.<=) 0 AND pg_catalog.age(t.xmin) OPERATOR(pg_catalog.>) '-1000000'::pg_catalog.int4
	AND CASE WHEN t.xmin OPERATOR(pg_catalog.=) x.top THEN true
		ELSE pg_catalog.pg_xact_status((x.whole OPERATOR(pg_catalog.-) pg_catalog.age(t.xmin))::pg_catalog.text::pg_catalog.xid8) OPERATOR(pg_catalog.=) 'in progress' END`
}

// fromPage restricts that to the pages from one on.
func fromPage(page int64) string {
	if page <= 0 {
		return ""
	}
	return " AND t.ctid OPERATOR(pg_catalog.>=) '(" + strconv.FormatInt(page, 10) + ",0)'::pg_catalog.tid"
}

// Found takes apart what FindSQL has brought: the records, and the command that has made the
// newest of them.
func Found(rows []string) (records [][]byte, newest int64, err error) {
	records = make([][]byte, len(rows))
	for i, row := range rows {
		number, record, ok := strings.Cut(row, " ")
		command, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			return nil, 0, errRecord
		}
		newest = max(newest, command)
		records[i] = []byte(record)
	}
	return records, newest, nil
}

func (c *Change) shape() *shape {
	s := &shape{}
	for i := range c.Columns {
		column := &c.Columns[i]
		if column.Generated != "" {
			continue
		}
		s.columns = append(s.columns, &catalog.Column{Name: column.Name, Type: column.Type})
		at := len(s.columns) - 1
		switch {
		case contains(c.Key, column.Name):
			s.key = append(s.key, at)
		case (c.Updated+c.Deleted != 0 || c.Unsure) && column.Identity != "a":
			s.sets = append(s.sets, at)
		}
	}
	return s
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// Give makes the statements that give a node the rows that FindSQL has brought.
func (c *Change) Give(rows [][]byte) ([]Statement, error) {
	p := &Plan{target: &parser.Target{Kind: parser.Insert, Relation: c.relation(), Only: true}, shape: c.shape(), ruled: c.Ruled}
	return p.replay(rows)
}

// MoveSQL has a sequence stand where it does on main.
func (c *Change) MoveSQL() []Statement {
	if c.Last == nil {
		return nil
	}
	name := string(appendLiteral(nil, []byte(quoteRelation(c.relation()))))
	return []Statement{{SQL: "SELECT pg_catalog.setval(" + name + "::pg_catalog.regclass, '" + strconv.FormatInt(*c.Last, 10) + "'::pg_catalog.int8)", Tag: "SELECT 1"}}
}

// Hushed puts statements between those that keep triggers quiet.
func Hushed(statements []Statement) []Statement { return hushed(statements) }

// Elsewhere is the plan of a statement that sets off code which changes other tables: main
// runs it as it is, and the others are given the rows that came of it, wherever they are.
func Elsewhere(st *parser.Statement) *Plan {
	return &Plan{Way: Rows, st: st, Reasons: []string{"sets off code that changes tables"}}
}

// Besides is the situation in which main's rows are those of the statement's target, whatever
// its triggers do elsewhere.
func (sit Situation) Besides() Situation {
	sit.Firing, sit.UnlikeRows, sit.Also, sit.Elsewhere = TriggersInRow, true, nil, true
	return sit
}

// GivesTarget reports whether main returns the rows of the statement's target, if that is all that happens
// to them.
func (p *Plan) GivesTarget() bool { return p.target != nil && p.table != nil && !p.table.Partitioned }

// Covers reports whether a number of captured rows is all that has happened to the table of
// the plan.
func (p *Plan) Covers(c *Change, rows int) bool {
	n := int64(rows)
	switch {
	case p.target == nil || p.table == nil || p.table.Schema != c.Schema || p.target.Relation.Name != c.Name:
		return false
	case p.target.Kind == parser.Insert:
		return c.Inserted+c.Updated == n && c.Deleted == 0 && (c.Updated == 0 || p.target.Conflict == parser.ConflictUpdates)
	case p.target.Kind == parser.Update:
		return c.Updated == n && c.Inserted == 0 && c.Deleted == 0
	}
	return c.Deleted == n && c.Inserted == 0 && c.Updated == 0
}

// Alone is the plan with each node running the statement by itself.
func (p *Plan) Alone() *Plan {
	alone := *p
	alone.Way = 0
	return &alone
}
