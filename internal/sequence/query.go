package sequence

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// lockClass is the first key of the advisory locks; the second is made of the name of the
// sequence. An application that uses the same two has to wait now and then.
const lockClass = "1885823848" // "pgch"

// subject finds the sequence; no row if there is none.
const subject = `r AS MATERIALIZED (
	SELECT c.oid, pc.concat(pc.quote_ident(n.nspname), '.', pc.quote_ident(c.relname)) AS name
	FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
	WHERE c.oid @= $oid AND c.relkind @= 'S'
), a AS MATERIALIZED (
	SELECT r.oid, r.name, pc.has_sequence_privilege(r.oid, 'USAGE,UPDATE') AS may,
		pc.has_sequence_privilege(r.oid, 'USAGE,SELECT') AS reads, pc.has_sequence_privilege(r.oid, 'UPDATE') AS sets
	FROM r
), l AS MATERIALIZED (
	SELECT a.oid, a.name, a.may, a.reads, a.sets, pc.$lock('$class'::pc.int4, pc.hashtext(a.name)) IS NULL AS never FROM a
)`

// drawSQL draws $n values, and $more of which no more than are left. The lock comes first.
var drawSQL = qualified(`WITH ` + subject + `, k AS MATERIALIZED (
	SELECT l.oid, l.name, l.may, s.seqincrement, s.seqcycle, CASE
		WHEN l.never THEN NULL WHEN NOT l.may AND $identity THEN '0'::pc.int8
		WHEN s.seqcycle OR NOT l.reads THEN '$n'::pc.int8 @+ '$more'::pc.int8
		ELSE GREATEST('$n'::pc.int8, LEAST(('$n'::pc.int8 @+ '$more'::pc.int8)::pc.numeric, pc.trunc((
			CASE WHEN s.seqincrement @> '0'::pc.int8 THEN s.seqmax ELSE s.seqmin END::pc.numeric
			@- COALESCE(pc.pg_sequence_last_value(l.oid)::pc.numeric, s.seqstart::pc.numeric @- s.seqincrement::pc.numeric)
			) @/ s.seqincrement::pc.numeric))::pc.int8) END AS n
	FROM l JOIN pc.pg_sequence s ON s.seqrelid @= l.oid
) SELECT k.name, k.seqincrement, k.seqcycle,
	pc.array_to_string(ARRAY(SELECT pc.nextval(k.oid::pc.regclass) FROM pc.generate_series('1'::pc.int8, k.n)), ',') FROM k`)

// Draw is the query that draws n values of a sequence, named as nextval would be told it,
// and more of them if there are as many left. Of an identity column's sequence nothing is
// drawn where the role has no right to.
func Draw(name string, identity bool, n, more int) string {
	return fill(drawSQL, name, "$lock", "pg_advisory_xact_lock_shared", "$identity", strconv.FormatBool(identity),
		"$n", strconv.Itoa(n), "$more", strconv.Itoa(more))
}

// errRow: the answer is not what the query makes.
var errRow = errors.New("unexpected row")

// DecodeDraw reads the row that Draw brought. There are no values if the role may not draw.
func DecodeDraw(row [][]byte) (Drawn, error) {
	if len(row) != 4 {
		return Drawn{}, errRow
	}
	increment, err := strconv.ParseInt(string(row[1]), 10, 64)
	if err != nil {
		return Drawn{}, fmt.Errorf("increment of a sequence: %w", err)
	}
	d := Drawn{Name: string(row[0]), Increment: increment, Cycles: string(row[2]) == "t"}
	if len(row[3]) == 0 {
		return d, nil
	}
	for text := range strings.SplitSeq(string(row[3]), ",") {
		value, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Drawn{}, fmt.Errorf("value of a sequence: %w", err)
		}
		d.Values = append(d.Values, value)
	}
	return d, nil
}

// advanceSQL draws until a value is not before $high. It draws nothing if that was reached.
var advanceSQL = qualified(`WITH RECURSIVE r AS MATERIALIZED (SELECT $oid::pc.regclass AS oid), ` + advance)

// advanceAloneSQL is advanceSQL with nobody else drawing between the look and the draw: two
// sessions that both find one value missing would draw two. The lock is given back with the
// savepoint, what was drawn stays drawn. The sequence's own lock comes first, as everywhere:
// who waits for that must not hold the other.
var advanceAloneSQL = qualified(`SAVEPOINT pgchorus_advance;
WITH RECURSIVE t AS MATERIALIZED (
	SELECT q.oid, CASE WHEN pc.has_sequence_privilege(q.oid, 'USAGE,SELECT') THEN pc.pg_sequence_last_value(q.oid) END AS v
	FROM (SELECT $oid AS oid) q
), r AS MATERIALIZED (
	SELECT CASE WHEN pc.pg_advisory_xact_lock('$class'::pc.int4, pc.hashtext($name)) IS NOT NULL THEN t.oid::pc.regclass END AS oid FROM t
), ` + advance + `;
ROLLBACK TO SAVEPOINT pgchorus_advance; RELEASE SAVEPOINT pgchorus_advance`)

// advance draws from the sequence that is the one row of r.
const advance = `d (v) AS (
	SELECT pc.nextval(r.oid) FROM r WHERE r.oid IS NOT NULL AND CASE
		WHEN pc.has_sequence_privilege(r.oid::pc.oid, 'USAGE,SELECT')
		THEN COALESCE(pc.pg_sequence_last_value(r.oid::pc.oid) $before '$high'::pc.int8, true) ELSE true END
	UNION ALL
	SELECT pc.nextval(r.oid) FROM d CROSS JOIN r WHERE d.v $before '$high'::pc.int8
) SELECT pc.count(*) FROM d`

// cycleSQL draws $n values.
var cycleSQL = qualified(`SELECT pc.count(pc.nextval($oid::pc.regclass)) FROM pc.generate_series('1'::pc.int8, '$n'::pc.int8)`)

// Advance is the query that has another node draw until it is as far as the node that was
// drawn from, and no further. It is to be run inside a transaction block. A sequence that
// cycles draws as often: before and behind mean nothing there.
func Advance(d Drawn) string {
	if d.Cycles {
		return fill(cycleSQL, d.Name, "$n", strconv.Itoa(len(d.Values)))
	}
	return advanceBy(advanceAloneSQL, d.Name, d.Values[len(d.Values)-1], d.Increment)
}

// AdvanceTo has a node draw until a value is not before high. Nobody else may advance the
// sequence there meanwhile.
func AdvanceTo(name string, high, increment int64) string {
	return advanceBy(advanceSQL, name, high, increment)
}

func advanceBy(query, name string, high, increment int64) string {
	before := "OPERATOR(pg_catalog.<)"
	if increment < 0 {
		before = "OPERATOR(pg_catalog.>)"
	}
	return fill(query, name, "$before", before, "$high", strconv.FormatInt(high, 10))
}

// fill puts a name and other texts into a query.
func fill(query, name string, more ...string) string {
	pairs := append([]string{"$name", literal(name), "$oid", oidOf(name), "$class", lockClass}, more...)
	return strings.NewReplacer(pairs...).Replace(query)
}

// oidOf finds a relation. With a schema it is looked up without regard to the rights to that,
// which the default of a column does not need either. A temporary one is the session's own,
// whose schema has another number on each node.
func oidOf(name string) string {
	schema, relation, ok := splitName(name)
	switch {
	case !ok:
		return resolved(name)
	case strings.HasPrefix(schema, "pg_temp_"):
		return resolved("pg_temp" + name[len(schema):])
	}
	return "(SELECT oc.oid FROM pg_catalog.pg_class oc JOIN pg_catalog.pg_namespace os ON os.oid OPERATOR(pg_catalog.=) oc.relnamespace" +
		" WHERE oc.relname OPERATOR(pg_catalog.=) " + literal(relation) + " AND os.nspname OPERATOR(pg_catalog.=) " + literal(schema) + ")"
}

// resolved is what the session means by a name.
func resolved(name string) string {
	return "pg_catalog.to_regclass(" + literal(name) + ")::pg_catalog.oid"
}

// splitName takes a name of two parts, as quote_ident writes them, apart.
func splitName(name string) (schema, relation string, ok bool) {
	parts := qualifiedName.FindStringSubmatch(name)
	if parts == nil {
		return "", "", false
	}
	return unquoted(parts[1]), unquoted(parts[2]), true
}

// qualifiedName has no capitals outside of quotes: those would mean others.
var qualifiedName = regexp.MustCompile(`^([a-z_][a-z0-9_$]*|"(?:[^"]|"")+")\.([a-z_][a-z0-9_$]*|"(?:[^"]|"")+")$`)

func unquoted(name string) string {
	if name[0] != '"' {
		return name
	}
	return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
}

// literal is a text constant, whatever standard_conforming_strings is.
func literal(text string) string {
	text = strings.ReplaceAll(text, "'", "''")
	if strings.IndexByte(text, '\\') < 0 {
		return "'" + text + "'"
	}
	return "E'" + strings.ReplaceAll(text, `\`, `\\`) + "'"
}

// qualified puts pg_catalog where the short form leaves it out: no search_path gives a name
// or an operator another meaning.
func qualified(query string) string {
	return strings.NewReplacer(
		"pc.", "pg_catalog.",
		"@=", "OPERATOR(pg_catalog.=)", "@>", "OPERATOR(pg_catalog.>)",
		"@+", "OPERATOR(pg_catalog.+)", "@-", "OPERATOR(pg_catalog.-)", "@/", "OPERATOR(pg_catalog./)",
		"\t", "", "\n", " ",
	).Replace(query)
}

// identifySQL tells what a sequence is called, and whether currval may be told.
var identifySQL = qualified(`SELECT pc.concat(pc.quote_ident(n.nspname), '.', pc.quote_ident(c.relname)),
	pc.has_sequence_privilege(c.oid, 'USAGE,SELECT'), c.relname
	FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
	WHERE c.oid @= pc.to_regclass($name)::pc.oid AND c.relkind @= 'S'`)

// Identify is the query for the name of a sequence, as Draw spells it; whether the role may
// ask for its current value; and the name without its schema.
func Identify(name string) string { return fill(identifySQL, name) }

// Currval asks what was drawn last in the session itself.
func Currval(name string) string { return "SELECT pg_catalog.currval(" + literal(name) + ")" }

// Lastval is Currval for whichever sequence it was.
const Lastval = "SELECT pg_catalog.lastval()"
