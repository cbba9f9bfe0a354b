package catalog

import (
	"strconv"
	"strings"
)

// Bounds on what is asked of code.
const (
	// maxRoutines is how many functions of one name are looked at.
	maxRoutines = 12
	// maxSource is the longest body, in bytes.
	maxSource = 32 << 10
	// maxTexts is how many triggers and how many texts of one name are looked at, each
	// text of maxText bytes at most.
	maxTexts = 100
	maxText  = 4 << 10
	// maxCodeRow bounds a row: the longest that the queries make, with some room.
	maxCodeRow = 4 << 20
)

// codeSQL has a row for each name that there is a function for. A body that is not kept as
// text is written anew by PostgreSQL.
var codeSQL = withBounds(`
SELECT pc.json_build_object('code', f.i, 'more', f.number @> $maxRoutines, 'bodies', f.bodies)
FROM (
	SELECT b.i, pc.count(*) AS number, pc.json_agg(pc.json_build_object('schema', ` + hexadecimal("b.nspname") + `,
		'volatility', b.provolatile, 'kind', b.prokind, 'language', ` + hexadecimal("b.lanname") + `, 'trusted', b.lanpltrusted,
		'system', b.oid @< $initdbOID::pc.oid, 'extension', ` + hexadecimal("b.extension") + `,
		'long', pc.octet_length(b.source) @> $maxSource,
		'source', CASE WHEN pc.octet_length(b.source) @> $maxSource THEN '' ELSE ` + hexadecimal("b.source") + ` END,
		'support', b.support)) FILTER (WHERE b.place @<= $maxRoutines) AS bodies
	FROM (
		SELECT q.i, n.nspname, p.provolatile, p.prokind, l.lanname, l.lanpltrusted, p.oid,
			pc.row_number() OVER (PARTITION BY q.i ORDER BY p.oid) AS place,
			(SELECT e.extname FROM pc.pg_depend d JOIN pc.pg_extension e ON e.oid @= d.refobjid
				WHERE d.classid @= 'pg_catalog.pg_proc'::pc.regclass AND d.objid @= p.oid AND d.deptype @= 'e'
					AND d.refclassid @= 'pg_catalog.pg_extension'::pc.regclass LIMIT '1') AS extension,
			CASE WHEN p.prosrc @= '' AND p.prokind @<> 'a' AND l.lanname @= 'sql' THEN pc.pg_get_functiondef(p.oid) ELSE p.prosrc END AS source,
			(SELECT pc.json_agg(pc.concat(` + hexadecimal("sn.nspname") + `, '.', ` + hexadecimal("s.proname") + `))
				FROM pc.pg_aggregate a JOIN pc.pg_proc s ON s.oid @= ANY (ARRAY[a.aggtransfn::pc.oid, a.aggfinalfn::pc.oid,
					a.aggcombinefn::pc.oid, a.aggmtransfn::pc.oid, a.aggminvtransfn::pc.oid, a.aggmfinalfn::pc.oid])
				JOIN pc.pg_namespace sn ON sn.oid @= s.pronamespace
				WHERE a.aggfnoid::pc.oid @= p.oid) AS support
		FROM (VALUES $names) AS q (i, s, n)
		JOIN pc.pg_proc p ON p.proname @= q.n
		JOIN pc.pg_namespace n ON n.oid @= p.pronamespace
		JOIN pc.pg_language l ON l.oid @= p.prolang
		WHERE ` + inSchema + `
	) AS b
	GROUP BY b.i
) AS f`)

// found are the relations of the name q, and below it partitions and children.
const foundRelations = `
	WITH RECURSIVE walk (oid) AS (
		SELECT c.oid FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
		WHERE c.relname @= q.n AND c.relkind @= ANY ('{r,v,p,f,m}'::pc."char"[]) AND ` + inSchema + `
		UNION
		SELECT u.oid FROM walk w CROSS JOIN LATERAL (SELECT h.inhrelid AS oid FROM pc.pg_inherits h WHERE h.inhparent @= w.oid) AS u
	), found AS (
		SELECT w.oid FROM walk w LIMIT (SELECT $maxWalk)
	)`

// expressionTexts are the texts of what found relations have, each once.
var expressionTexts = `
	SELECT CASE WHEN d.oid IS NULL AND a.attidentity @= '' THEN 'domain' ELSE 'default' END AS kind, a.attname AS name, CASE WHEN a.attidentity @<> '' THEN 'nextval()' ELSE
			pc.pg_get_expr(CASE WHEN d.oid IS NULL THEN y.typdefaultbin ELSE d.adbin END, CASE WHEN d.oid IS NULL THEN '0'::pc.oid ELSE a.attrelid END) END AS text
		FROM found w JOIN pc.pg_attribute a ON a.attrelid @= w.oid JOIN pc.pg_type y ON y.oid @= a.atttypid
		LEFT JOIN pc.pg_attrdef d ON d.adrelid @= a.attrelid AND d.adnum @= a.attnum
		WHERE a.attnum @> 0 AND NOT a.attisdropped AND a.attgenerated @= '' AND (a.attidentity @<> '' OR d.oid IS NOT NULL OR y.typdefaultbin IS NOT NULL)
	UNION
	SELECT 'generated', a.attname, pc.pg_get_expr(d.adbin, d.adrelid)
		FROM found w JOIN pc.pg_attribute a ON a.attrelid @= w.oid JOIN pc.pg_attrdef d ON d.adrelid @= a.attrelid AND d.adnum @= a.attnum
		WHERE a.attgenerated @<> '' AND NOT a.attisdropped
	UNION
	SELECT 'check', k.conname, pc.pg_get_constraintdef(k.oid)
		FROM found w JOIN pc.pg_constraint k ON k.conrelid @= w.oid WHERE k.contype @= 'c'
	UNION
	SELECT 'policy', p.polname, pc.concat(pc.pg_get_expr(p.polqual, p.polrelid), ' ', pc.pg_get_expr(p.polwithcheck, p.polrelid))
		FROM found w JOIN pc.pg_policy p ON p.polrelid @= w.oid JOIN pc.pg_class c ON c.oid @= w.oid WHERE c.relrowsecurity
	UNION
	SELECT 'reference', a.attname, pc.pg_get_expr(d.adbin, d.adrelid)
		FROM found w JOIN pc.pg_constraint k ON k.confrelid @= w.oid JOIN pc.pg_attrdef d ON d.adrelid @= k.conrelid AND d.adnum @= ANY (k.conkey)
		JOIN pc.pg_attribute a ON a.attrelid @= d.adrelid AND a.attnum @= d.adnum
		WHERE k.contype @= 'f' AND (k.confdeltype @= 'd' OR k.confupdtype @= 'd')
	UNION
	SELECT 'rule', r.rulename, pc.pg_get_ruledef(r.oid)
		FROM found w JOIN pc.pg_rewrite r ON r.ev_class @= w.oid WHERE r.ev_type @<> '1'
	UNION
	SELECT 'view', '', pc.pg_get_viewdef(c.oid)
		FROM found w JOIN pc.pg_class c ON c.oid @= w.oid WHERE c.relkind @= ANY ('{v,m}'::pc."char"[]) AND c.oid @>= $initdbOID::pc.oid`

// surroundingsSQL has a row for each name that there is a relation for.
var surroundingsSQL = withBounds(`
SELECT pc.json_build_object('about', q.i, 'foreign', f."foreign", 'view', f.view, 'unlogged', f.unlogged, 'deferrable', f.late,
	'related', f.related, 'cascades', f.cascade_rows, 'more', f.triggers @> $maxTexts OR f.cascades @> $maxTexts OR f.texts @> $maxTexts OR f.longest @> $maxText OR f.number @>= $maxWalk,
	'triggers', f.trigger_rows, 'texts', f.text_rows)
FROM (VALUES $names) AS q (i, s, n) CROSS JOIN LATERAL (` + foundRelations + `, triggers AS (
		SELECT DISTINCT t.tgname, t.tgtype, t.tgdeferrable, fn.nspname, p.proname
		FROM found w JOIN pc.pg_trigger t ON t.tgrelid @= w.oid
		JOIN pc.pg_proc p ON p.oid @= t.tgfoid JOIN pc.pg_namespace fn ON fn.oid @= p.pronamespace
		WHERE NOT t.tgisinternal AND t.tgenabled @<> 'D'
	), cascades AS (
		SELECT DISTINCT n.nspname, c.relname, k.confdeltype, k.confupdtype
		FROM found w JOIN pc.pg_constraint k ON k.confrelid @= w.oid
		JOIN pc.pg_class c ON c.oid @= k.conrelid JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
		WHERE k.contype @= 'f' AND (k.confdeltype @<> ALL ('{a,r}'::pc."char"[]) OR k.confupdtype @<> ALL ('{a,r}'::pc."char"[]))
			AND NOT (c.relispartition AND k.conparentid @<> '0'::pc.oid)
	), texts AS (` + expressionTexts + `)
	SELECT pc.count(*) AS number, pc.bool_or(c.relkind @= 'f') AS "foreign", pc.bool_or(c.relkind @= 'v') AS view,
		pc.bool_or(c.relpersistence @= 'u') AS unlogged,
		pc.bool_or(EXISTS (SELECT FROM pc.pg_index x WHERE x.indrelid @= c.oid AND x.indisunique AND NOT x.indimmediate)) AS late,
		pc.bool_or(EXISTS (SELECT FROM pc.pg_inherits h WHERE h.inhrelid @= c.oid OR h.inhparent @= c.oid)) AS related,
		(SELECT pc.count(*) FROM triggers) AS triggers, (SELECT pc.count(*) FROM cascades) AS cascades, (SELECT pc.count(*) FROM texts) AS texts,
		(SELECT pc.max(pc.octet_length(x.text)) FROM texts x) AS longest,
		(SELECT pc.json_agg(pc.json_build_object('name', ` + hexadecimal("t.tgname") + `, 'type', t.tgtype, 'deferrable', t.tgdeferrable,
			'function', pc.concat(` + hexadecimal("t.nspname") + `, '.', ` + hexadecimal("t.proname") + `)))
			FROM (SELECT * FROM triggers LIMIT (SELECT $maxTexts)) AS t) AS trigger_rows,
		(SELECT pc.json_agg(pc.json_build_object('relation', pc.concat(` + hexadecimal("k.nspname") + `, '.', ` + hexadecimal("k.relname") + `),
			'delete', k.confdeltype, 'update', k.confupdtype))
			FROM (SELECT * FROM cascades LIMIT (SELECT $maxTexts)) AS k) AS cascade_rows,
		(SELECT pc.json_agg(pc.json_build_object('kind', x.kind, 'column', ` + hexadecimal("x.name") + `, 'text', ` + hexadecimal("x.text") + `))
			FROM (SELECT * FROM texts y WHERE pc.octet_length(y.text) @<= $maxText LIMIT (SELECT $maxTexts)) AS x) AS text_rows
	FROM found w JOIN pc.pg_class c ON c.oid @= w.oid
	HAVING pc.count(*) @> 0
) AS f`)

// withBounds is qualified, with the bounds of this file put in.
func withBounds(query string) string {
	return qualified(strings.NewReplacer(
		"$maxRoutines", strconv.Itoa(maxRoutines), "$maxSource", strconv.Itoa(maxSource),
		"$maxTexts", strconv.Itoa(maxTexts), "$maxText", strconv.Itoa(maxText),
	).Replace(query))
}
