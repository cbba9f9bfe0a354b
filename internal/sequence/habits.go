package sequence

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Habits are what functions of a database do with sequences, as far as their bodies tell:
// those that they draw from by name, and those of the tables that they insert into.
type Habits struct {
	// Functions and Tables have the sequences that a function of that name draws from, and
	// a trigger of a table ("schema.table"), of its partitions and children, or of a table that a foreign key
	// changes along with it. Names are in quotes where they need them.
	Functions map[string][]string `json:"functions"`
	Tables    map[string][]string `json:"tables"`
	// Resetting are the names of functions that may set a sequence.
	Resetting []string `json:"resets"`
	// Remembers: some function asks for currval or lastval.
	Remembers bool `json:"remembers"`
}

// OfFunction are the sequences that functions of that name draw from.
func (h *Habits) OfFunction(name string) []string { return h.Functions[quoteIdent(name)] }

// OfTable are those that triggers of a table draw from; of all tables of that name where no
// schema is given.
func (h *Habits) OfTable(schema, name string) []string {
	if schema != "" {
		return h.Tables[quoteIdent(schema)+"."+quoteIdent(name)]
	}
	var all []string
	for table, sequences := range h.Tables {
		if strings.HasSuffix(table, "."+quoteIdent(name)) {
			all = append(all, sequences...)
		}
	}
	return all
}

// Resets reports whether a function of that name may set a sequence.
func (h *Habits) Resets(name string) bool { return slices.Contains(h.Resetting, quoteIdent(name)) }

// plainName needs no quotes, unless it is a keyword; those are compared in quotes.
var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// quoteIdent writes a name in the way that habitsSQL does.
func quoteIdent(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// relationName is the pattern of a name that to_regclass can read.
const relationName = `(?:[a-z_][a-z0-9_$]*|"[^"]+")(?:[.](?:[a-z_][a-z0-9_$]*|"[^"]+"))?`

// foundName is the condition for a relation to be the one that a body names, in whichever
// schema if it names none.
const foundName = `CASE WHEN pg_catalog.strpos(m.found[1], '"') OPERATOR(pg_catalog.>) 0 THEN m.found[1] ELSE pg_catalog.lower(m.found[1]) END ` +
	`OPERATOR(pg_catalog.=) ANY (rel.names)`

// habitsSQL reads the bodies of functions. A function is taken to do what the ones do that it
// names, one step deep; a trigger, what its function does.
var habitsSQL = qualified(`WITH RECURSIVE f AS MATERIALIZED (
	SELECT p.oid, pc.quote_ident(p.proname) AS name, pc.concat(p.prosrc, ' ', pc.to_jsonb(p) OPERATOR(pg_catalog.->>) 'prosqlbody') AS body
	FROM pc.pg_proc p JOIN pc.pg_language l ON l.oid @= p.prolang
	WHERE p.oid @> '16383'::pc.oid AND l.lanname OPERATOR(pg_catalog.<>) 'internal' AND l.lanname OPERATOR(pg_catalog.<>) 'c'
), rel AS MATERIALIZED (
	SELECT c.oid, ARRAY[pc.quote_ident(c.relname), pc.concat(pc.quote_ident(n.nspname), '.', pc.quote_ident(c.relname))] AS names
	FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace WHERE c.oid @> '16383'::pc.oid
), s AS MATERIALIZED (
	SELECT f.oid, rel.oid AS sequence
	FROM f CROSS JOIN LATERAL pc.regexp_matches(f.body, 'nextval[[:space:]]*[(][[:space:]]*''($relation)''', 'gi') AS m (found)
	JOIN rel ON $found
	UNION
	SELECT i.oid, d.refobjid
	FROM (SELECT f.oid, rel.oid AS relation FROM f
		CROSS JOIN LATERAL pc.regexp_matches(f.body, '(?:insert[[:space:]]+into|merge[[:space:]]+into|copy)[[:space:]]+($relation)', 'gi') AS m (found) JOIN rel ON $found) AS i
	JOIN pc.pg_attrdef a ON a.adrelid @= i.relation
	JOIN pc.pg_depend d ON d.classid @= 'pg_catalog.pg_attrdef'::pc.regclass::pc.oid AND d.objid @= a.oid AND d.refclassid @= 'pg_catalog.pg_class'::pc.regclass::pc.oid
	UNION
	SELECT i.oid, d.objid
	FROM (SELECT f.oid, rel.oid AS relation FROM f
		CROSS JOIN LATERAL pc.regexp_matches(f.body, '(?:insert[[:space:]]+into|merge[[:space:]]+into|copy)[[:space:]]+($relation)', 'gi') AS m (found) JOIN rel ON $found) AS i
	JOIN pc.pg_depend d ON d.refobjid @= i.relation AND d.refclassid @= 'pg_catalog.pg_class'::pc.regclass::pc.oid
		AND d.classid @= d.refclassid AND d.deptype @= 'i'
), q AS MATERIALIZED (
	SELECT DISTINCT s.oid, pc.concat(pc.quote_ident(n.nspname), '.', pc.quote_ident(c.relname)) AS sequence
	FROM s JOIN pc.pg_class c ON c.oid @= s.sequence AND c.relkind @= 'S' JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
), deep AS MATERIALIZED (
	SELECT q.oid, q.sequence FROM q
	UNION
	SELECT o.oid, q.sequence FROM f o CROSS JOIN f i JOIN q ON q.oid @= i.oid
	WHERE o.oid OPERATOR(pg_catalog.<>) i.oid AND pc.strpos(pc.lower(o.body), pc.lower(i.name)) @> 0
), fired (oid, sequence) AS (
	SELECT t.tgrelid, deep.sequence FROM pc.pg_trigger t JOIN deep ON deep.oid @= t.tgfoid
	UNION
	SELECT u.oid, fired.sequence FROM fired CROSS JOIN LATERAL (
		SELECT h.inhparent AS oid FROM pc.pg_inherits h WHERE h.inhrelid @= fired.oid
		UNION ALL
		SELECT k.confrelid FROM pc.pg_constraint k WHERE k.conrelid @= fired.oid AND k.contype @= 'f'
			AND (k.confdeltype OPERATOR(pg_catalog.<>) ALL ('{a,r}'::pc."char"[]) OR k.confupdtype OPERATOR(pg_catalog.<>) ALL ('{a,r}'::pc."char"[]))) AS u
) SELECT pc.json_build_object(
	'functions', (SELECT pc.json_object_agg(x.name, x.list) FROM (
		SELECT f.name, pc.json_agg(DISTINCT deep.sequence) AS list FROM f JOIN deep ON deep.oid @= f.oid GROUP BY f.name) AS x),
	'tables', (SELECT pc.json_object_agg(x.name, x.list) FROM (
		SELECT pc.concat(pc.quote_ident(n.nspname), '.', pc.quote_ident(c.relname)) AS name, pc.json_agg(DISTINCT fired.sequence) AS list
		FROM fired JOIN pc.pg_class c ON c.oid @= fired.oid JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
		GROUP BY n.nspname, c.relname) AS x),
	'resets', (SELECT pc.json_agg(DISTINCT f.name) FROM f WHERE f.body OPERATOR(pg_catalog.~*) 'setval|restart|:funcid (1576|1765) '),
	'remembers', (SELECT pc.count(*) @> 0::pc.int8 FROM f WHERE f.body OPERATOR(pg_catalog.~*) 'currval|lastval|:funcid (1575|2559) '))`)

// HabitsSQL is the query for Habits. It has one row with one column.
func HabitsSQL() string { return fill(habitsSQL, "", "$relation", relationName, "$found", foundName) }

// DecodeHabits reads what it brought.
func DecodeHabits(text string) (*Habits, error) {
	h := &Habits{}
	if err := json.Unmarshal([]byte(text), h); err != nil {
		return nil, fmt.Errorf("what functions do with sequences: %w", err)
	}
	return h, nil
}

// Habits returns what was kept, or nil, and what KeepHabits is to be told.
func (d *Database) Habits() (h *Habits, turn uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.habits, d.turn
}

// KeepHabits keeps them, if nothing was forgotten since turn.
func (d *Database) KeepHabits(h *Habits, turn uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.turn == turn {
		d.habits = h
	}
}

// ForgetHabits is for when a function or a table may have become another.
func (d *Database) ForgetHabits() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.habits = nil
	d.turn++
}
