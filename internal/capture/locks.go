package capture

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pgchorus/pgchorus/internal/catalog"
	"github.com/pgchorus/pgchorus/parser"
)

// Lock is a table lock that a plan needs.
type Lock struct {
	Relation parser.Relation
	Mode     string // as LOCK TABLE says it
}

// SQL is the statement that takes the lock.
func (l Lock) SQL() string {
	return "LOCK TABLE " + quoteRelation(l.Relation) + " IN " + l.Mode + " MODE"
}

// Name is the relation's, quoted, as to_regclass reads it.
func (l Lock) Name() string { return quoteRelation(l.Relation) }

// The modes that keep others from changing what code changes, or reads.
const (
	WriteMode = "SHARE ROW EXCLUSIVE"
	ReadMode  = "SHARE"
)

// Locks are those that keep others from changing what the statement reads and changes,
// in an order that is the same for all sessions. Who skips locked rows also has to keep
// others from locking rows, which EXCLUSIVE does.
func (p *Plan) Locks() []Lock {
	write, read := WriteMode, ReadMode
	if p.st.Hazards&parser.SkipsLocked != 0 {
		write, read = "EXCLUSIVE", "EXCLUSIVE"
	}
	var locks []Lock
	add := func(r parser.Relation, mode string) {
		same := func(l Lock) bool { return l.Relation.Schema == r.Schema && l.Relation.Name == r.Name }
		if !slices.ContainsFunc(locks, same) && r.Schema != "pg_catalog" && r.Schema != "information_schema" {
			locks = append(locks, Lock{r, mode})
		}
	}
	for i := range p.st.Targets {
		add(p.st.Targets[i].Relation, write)
	}
	for _, l := range p.also { // those that are written come first
		add(l.Relation, l.Mode)
	}
	for _, r := range p.st.Reads {
		add(r, read)
	}
	slices.SortFunc(locks, func(a, b Lock) int {
		return cmp.Or(cmp.Compare(a.Relation.Schema, b.Relation.Schema), cmp.Compare(a.Relation.Name, b.Relation.Name))
	})
	return locks
}

// Target is the relation that the statement changes itself; ok is false if it has none.
func (p *Plan) Target() (r parser.Relation, ok bool) {
	if p.target == nil {
		return parser.Relation{}, false
	}
	return p.target.Relation, true
}

// Identities are the columns whose sequences a replay draws from, apart from those of
// ordinary defaults.
func (p *Plan) Identities() []string {
	var names []string
	if p.shape == nil {
		return nil
	}
	for _, c := range p.shape.draws {
		if c.Identity != 0 {
			names = append(names, c.Name)
		}
	}
	return names
}

// CutsFloats reports whether a captured column is of a type whose text may be cut short
// by extra_float_digits: floating-point numbers, and what is made of them. Types that are
// not PostgreSQL's own may be.
func (p *Plan) CutsFloats() bool {
	return p.shape != nil && slices.ContainsFunc(p.shape.columns, func(c *catalog.Column) bool { return !floatless(c.Type) })
}

// HasDates reports whether what is captured of a column may hang on DateStyle. Only as ISO
// does it mean one moment: other styles name time zones by abbreviations.
func (p *Plan) HasDates() bool {
	return p.shape != nil && slices.ContainsFunc(p.shape.columns, func(c *catalog.Column) bool { return !isMoment(c.Type) && !dateless(c.Type) })
}

// dateless: no part of a value of that type is a date or a moment.
func dateless(name string) bool {
	switch strings.TrimSuffix(name, "[]") {
	case "boolean", "smallint", "integer", "bigint", "numeric", "real", "double precision", "text", "character varying", "bpchar", `"char"`,
		"name", "bytea", "interval", "time without time zone", "time with time zone", "uuid", "json", "jsonb", "xml", "inet", "cidr", "macaddr", "macaddr8",
		"money", "oid", "bit varying", `"bit"`,
		"tsvector", "tsquery", "pg_lsn", "xid8", "point", "line", "lseg", "box", "path", "polygon", "circle", "int4range", "int8range", "numrange":
		return true
	}
	return false
}

// floatless: no part of a value of that type is a floating-point number.
func floatless(name string) bool {
	switch name {
	case "boolean", "smallint", "integer", "bigint", "numeric", "text", "character varying", "bpchar", `"char"`, "name",
		"bytea", "date", "timestamp without time zone", "timestamp with time zone", "time without time zone",
		"time with time zone", "interval", "uuid", "json", "jsonb", "xml", "inet", "cidr", "macaddr", "macaddr8", "money",
		"oid", "bit varying", `"bit"`, "tsvector", "tsquery", "pg_lsn", "xid8",
		"boolean[]", "smallint[]", "integer[]", "bigint[]", "numeric[]", "text[]", "character varying[]", "uuid[]",
		"date[]", "timestamp without time zone[]", "timestamp with time zone[]", "bytea[]", "jsonb[]",
		"int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange":
		return true
	}
	return false
}
