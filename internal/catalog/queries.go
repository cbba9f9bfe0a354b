package catalog

import (
	"strconv"
	"strings"
)

// What the queries below are put together from. An operator stands in them as
// itself with a mark, such as @=, and is made OPERATOR(pg_catalog.=); "pc." is
// pg_catalog.

const (
	// maxWalk bounds how many relations are looked at for one name.
	maxWalk = 20000
	// maxBase bounds Relation.Base.
	maxBase = 256
)

// initdbOID is FirstNormalObjectId (access/transam.h): what has a lower OID was made
// by initdb.
const initdbOID = 16384

// inSchema restricts the schema n to that of the name q. pg_temp is the one that the
// session has for itself, so any session's is meant.
const inSchema = `(q.s IS NULL OR n.nspname @= q.s
	OR q.s @= 'pg_temp' AND pc.starts_with(n.nspname::pc.text, 'pg_temp_'))`

// volatileFunction is the condition for the function p to be volatile.
const volatileFunction = `(p.provolatile @= 'v' OR p.prokind @= 'a' AND EXISTS (
	SELECT FROM pc.pg_aggregate a JOIN pc.pg_proc s ON s.oid @= ANY (ARRAY[
		a.aggtransfn::pc.oid, a.aggfinalfn::pc.oid, a.aggcombinefn::pc.oid, a.aggserialfn::pc.oid,
		a.aggdeserialfn::pc.oid, a.aggmtransfn::pc.oid, a.aggminvtransfn::pc.oid, a.aggmfinalfn::pc.oid])
	WHERE a.aggfnoid::pc.oid @= p.oid AND s.provolatile @= 'v'))`

// readableCode is the condition for the function p to be one of users that can be looked into.
const readableCode = `(p.oid @>= $initdbOID::pc.oid AND EXISTS (
	SELECT FROM pc.pg_language l WHERE p.prokind @= 'a' OR l.oid @= p.prolang AND l.lanname @<> ALL ('{internal,c}'::pc.name[])))`

// definition is the stored tree of the view w. Views that initdb made are known to be
// harmless and are what they are by their schema, so they stay closed. pg_depend would
// not do instead: what initdb made is pinned and has no rows there.
const definition = `
	SELECT r.ev_action::pc.text AS tree
	FROM pc.pg_rewrite r JOIN pc.pg_class v ON v.oid @= r.ev_class
	WHERE r.ev_class @= w.oid AND r.ev_type @= '1' AND v.relkind @= 'v' AND v.oid @>= $initdbOID::pc.oid`

// conditions are the stored trees of row security that reading the relation w runs.
const conditions = `
	SELECT p.polqual::pc.text AS tree
	FROM pc.pg_policy p JOIN pc.pg_class v ON v.oid @= p.polrelid
	WHERE p.polrelid @= w.oid AND v.relrowsecurity AND p.polcmd @= ANY ('{r,*}'::pc."char"[])`

// readBy makes the relations that stored trees read into a list.
func readBy(trees string) string {
	return `pc.unnest(ARRAY(
		SELECT m.found[1]::pc.oid
		FROM (` + trees + `) AS t CROSS JOIN LATERAL pc.regexp_matches(t.tree, ':relid ([1-9][0-9]*)', 'g') AS m (found)
	)) AS u (oid)`
}

// alikeFunction is the condition for a function to return the same on all nodes, as far
// as its label and its text tell.
func alikeFunction(p string) string {
	return strings.ReplaceAll(`(f.provolatile @= 'i' OR f.provolatile @= 's' AND f.prosrc @<> ''
		AND EXISTS (SELECT FROM pc.pg_language l WHERE l.oid @= f.prolang AND l.lanname @= ANY ('{sql,plpgsql,internal}'::pc.name[]))
		AND pc.regexp_match(f.prosrc, '`+tellingWords+`', 'i') IS NULL)`, "f.", p+".")
}

// tellingWords are words that make the text of a stable function suspect: of the time, of
// chance, of the node, and of SQL that is put together when it runs.
const tellingWords = "(^|[^a-z0-9_])(now|transaction_timestamp|statement_timestamp|clock_timestamp|timeofday|current_timestamp|" +
	"current_time|current_date|localtime|localtimestamp|age|today|tomorrow|yesterday|random|gen_random_uuid|" +
	"uuid_generate_[a-z0-9]+|txid_[a-z_]+|pg_current_[a-z_]+|pg_backend_pid|inet_[a-z_]+|version|execute)([^a-z0-9_]|$)"

// functionsSQL has a row for each name that there is a function for.
var functionsSQL = qualified(`
SELECT pc.json_build_object('function', q.i, 'volatility',
	CASE WHEN pc.bool_or(` + volatileFunction + `) THEN 'v' WHEN pc.bool_or(p.provolatile @= 's') THEN 's' ELSE 'i' END,
	'set', pc.bool_or(p.proretset), 'aggregate', pc.bool_or(p.prokind @= 'a'), 'alike', pc.bool_and(` + alikeFunction("p") + `))
FROM (VALUES $names) AS q (i, s, n)
JOIN pc.pg_proc p ON p.proname @= q.n
JOIN pc.pg_namespace n ON n.oid @= p.pronamespace
WHERE ` + inSchema + `
GROUP BY q.i`)

// relationsSQL has a row for each name that there is a relation for. The walk goes
// from the relations of that name to those that reading them reads, and remembers
// how it came to them; what stored trees refer to stands in their text as ":relid" and
// ":funcid" with an OID (nodes/outfuncs.c, the same in 12 to 18; a blank within an
// identifier is escaped there, so none looks like that).
//
// To the planner a bound that it cannot see, as (SELECT 20000), is a tenth of the
// rows, and a list has ten elements. Without these two, guesses at the recursion
// multiply until a single name is thought to be worth JIT, which takes a hundred times
// as long as the query.
var relationsSQL = qualified(`
SELECT pc.json_build_object('relation', q.i, 'system', f.system, 'temporary', f.temporary, 'unlogged', f.unlogged,
	'foreign', f."foreign", 'row_security', f.row_security, 'view', f.view, 'materialized', f.materialized, 'sequence', f.sequence,
	'rules', f.rules, 'locks', f.locks, 'more', f.more, 'calls', f.calls, 'code', f.code, 'base', f.base)
FROM (VALUES $names) AS q (i, s, n) CROSS JOIN LATERAL (
	WITH RECURSIVE walk (oid, how) AS (
		SELECT c.oid, 'name'::pc.text
		FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
		WHERE c.relname @= q.n AND c.relkind @= ANY ('{r,v,m,p,f,S,t}'::pc."char"[]) AND ` + inSchema + `
		UNION
		SELECT e.oid, e.how FROM walk w CROSS JOIN LATERAL (
			SELECT u.oid, CASE WHEN w.how @= 'policy' THEN 'policy' ELSE 'read' END FROM ` + readBy(definition) + `
			UNION ALL
			SELECT u.oid, 'policy' FROM ` + readBy(conditions) + `
			UNION ALL
			SELECT u.oid, CASE WHEN w.how @= 'policy' THEN 'policy' ELSE 'child' END FROM pc.unnest(ARRAY(
				SELECT h.inhrelid FROM pc.pg_class c JOIN pc.pg_inherits h ON h.inhparent @= c.oid
				WHERE c.oid @= w.oid AND c.relhassubclass
			)) AS u (oid)
			LIMIT (SELECT $maxWalk)
		) AS e (oid, how)
	), found AS (
		SELECT w.oid, w.how FROM walk w LIMIT (SELECT $maxWalk)
	), trees AS (
		SELECT t.tree FROM found w CROSS JOIN LATERAL (` + definition + ` UNION ALL ` + conditions + `) AS t
	), calls AS (
		SELECT pc.json_agg(DISTINCT CASE WHEN p.oid @< $initdbOID::pc.oid THEN p.proname::pc.text ELSE '' END) FILTER (WHERE ` + volatileFunction + `) AS volatile,
			pc.bool_or(` + readableCode + `) AS code
		FROM trees t
		CROSS JOIN LATERAL pc.regexp_matches(t.tree,
			':(?:funcid|opfuncid|aggfnoid|winfnoid|tsmhandler) ([1-9][0-9]*)', 'g') AS m (found)
		JOIN pc.pg_proc p ON p.oid @= m.found[1]::pc.oid
	)
	SELECT pc.bool_or(n.nspname @= 'pg_catalog' AND w.how @<> 'policy') AS system,
		pc.bool_or(c.relpersistence @= 't') AS temporary,
		pc.bool_or(c.relpersistence @= 'u') AS unlogged,
		pc.bool_or(c.relkind @= 'f') AS "foreign",
		pc.bool_or(c.relrowsecurity) AS row_security,
		pc.bool_or(c.relkind @= 'v' AND w.how @= 'name') AS view,
		pc.bool_or(c.relkind @= 'm' AND w.how @= 'name') AS materialized,
		pc.bool_or(c.relkind @= 'S') AS sequence,
		pc.bool_or(w.how @= 'name' AND c.relhasrules AND EXISTS (
			SELECT FROM pc.pg_rewrite r WHERE r.ev_class @= c.oid AND r.ev_type @<> '1')) AS rules,
		(SELECT pc.bool_or(pc.strpos(t.tree, ':hasForUpdate true') @> 0) FROM trees t) AS locks,
		(SELECT pc.count(*) FROM found) @>= $maxWalk OR pc.count(*) FILTER (WHERE w.how @= 'read') @> $maxBase AS more,
		(SELECT k.volatile FROM calls k) AS calls, (SELECT k.code FROM calls k) AS code,
		CASE WHEN pc.count(*) FILTER (WHERE w.how @= 'read') @<= $maxBase THEN
			pc.json_agg(pc.concat(` + hexadecimal("n.nspname") + `, '.', ` + hexadecimal("c.relname") + `))
				FILTER (WHERE w.how @= 'read' AND w.oid @<> ALL (ARRAY(SELECT s.oid FROM found s WHERE s.how @= 'name')))
		END AS base
	FROM found w
	JOIN pc.pg_class c ON c.oid @= w.oid
	JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
	HAVING pc.count(*) @> 0
) AS f`)

// hexadecimal makes the answer the same in every client_encoding, so that sessions
// can share it.
func hexadecimal(name string) string {
	return "pc.encode(pc.convert_to(" + name + "::pc.text, 'UTF8'), 'hex')"
}

// qualified puts pg_catalog where the short form above leaves it out.
func qualified(query string) string {
	return strings.NewReplacer(
		"$maxWalk", strconv.Itoa(maxWalk), "$maxBase", strconv.Itoa(maxBase), "$initdbOID", strconv.Itoa(initdbOID),
		"pc.", "pg_catalog.",
		"@<>", "OPERATOR(pg_catalog.<>)", "@<=", "OPERATOR(pg_catalog.<=)", "@>=", "OPERATOR(pg_catalog.>=)",
		"@=", "OPERATOR(pg_catalog.=)", "@<", "OPERATOR(pg_catalog.<)", "@>", "OPERATOR(pg_catalog.>)",
		"\t", "", "\n", " ",
	).Replace(strings.TrimSpace(query))
}
