package catalog

// volatileDefault: the default c.tree may be another whenever or wherever it is computed.
// A conversion by way of text may be one of 'now'; SQLVALUEFUNCTION is CURRENT_DATE and
// its like. (nodes/outfuncs.c, the same in 12 to 18.)
const volatileDefault = `(c.functions @> 0 OR pc.strpos(c.tree, '{SQLVALUEFUNCTION') @> 0
	OR pc.strpos(c.tree, '{COERCEVIAIO') @> 0 OR pc.strpos(c.tree, '{NEXTVALUEEXPR') @> 0)`

// defaultFunctions are the functions that the default e.tree calls and that are not
// immutable: their number, and those that initdb did not make and nodes may not agree on.
var defaultFunctions = `
	SELECT pc.count(*) AS functions,
		pc.json_agg(DISTINCT pc.concat(` + hexadecimal("fn.nspname") + `, '.', ` + hexadecimal("f.proname") + `))
			FILTER (WHERE f.oid @>= $initdbOID::pc.oid AND NOT ` + alikeFunction("f") + `) AS users
	FROM pc.regexp_matches(e.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([1-9][0-9]*)', 'g') AS m (found)
	JOIN pc.pg_proc f ON f.oid @= m.found[1]::pc.oid
	JOIN pc.pg_namespace fn ON fn.oid @= f.pronamespace
	WHERE f.provolatile @<> 'i'`

// identitySequence is the name, as SQL writes it, of the sequence that the identity column a
// of t draws from.
var identitySequence = `
	SELECT ` + hexadecimal("pc.concat(pc.quote_ident(sn.nspname), '.', pc.quote_ident(sc.relname))") + `
	FROM pc.pg_depend sd
	JOIN pc.pg_class sc ON sc.oid @= sd.objid AND sc.relkind @= 'S'
	JOIN pc.pg_namespace sn ON sn.oid @= sc.relnamespace
	WHERE sd.classid @= 'pg_catalog.pg_class'::pc.regclass::pc.oid AND sd.refclassid @= sd.classid
		AND sd.refobjid @= t.oid AND sd.refobjsubid @= a.attnum AND sd.deptype @= 'i'
	LIMIT '1'::pc.int8`

// timeWords is what the words of the time ("now", "today") are in a text that is read as the type
// y: 'd' if it is a date or timestamp, 'a' for an array or range of such, 't' for a time of day, 'u' if
// it is not that simple, null if they are nothing there. Types are taken apart; of a type of a user's,
// whose input function is not immutable, nothing is known. A cast by way of jsonb because before 14
// there were no multiranges.
var timeWords = `CASE
	WHEN y.oid @= ANY ('{1082,1114,1184}'::pc.oid[]) THEN 'd' WHEN y.oid @= ANY ('{1083,1266}'::pc.oid[]) THEN 't'
	WHEN y.typtype @= 'b' AND y.typelem @= '0'::pc.oid AND y.oid @< $initdbOID::pc.oid THEN NULL
	ELSE (
		WITH RECURSIVE parts (oid) AS (
			SELECT y.oid
			UNION
			SELECT e.oid FROM parts w JOIN pc.pg_type p ON p.oid @= w.oid CROSS JOIN LATERAL (
				SELECT u.oid FROM pc.unnest(ARRAY[p.typbasetype, p.typelem]) AS u (oid) WHERE u.oid @> '0'::pc.oid
				UNION ALL
				SELECT r.rngsubtype FROM pc.pg_range r
				WHERE r.rngtypid @= p.oid OR pc.jsonb_extract_path_text(pc.to_jsonb(r), 'rngmultitypid')::pc.oid @= p.oid
				UNION ALL
				SELECT pa.atttypid FROM pc.pg_attribute pa
				WHERE p.typtype @= 'c' AND pa.attrelid @= p.typrelid AND pa.attnum @> 0 AND NOT pa.attisdropped
				LIMIT (SELECT $maxWalk)
			) AS e
		), found AS (
			SELECT pc.bool_or(p.oid @= ANY ('{1082,1114,1184}'::pc.oid[])) AS dates, pc.bool_or(p.oid @= ANY ('{1083,1266}'::pc.oid[])) AS clocks,
				pc.bool_or(p.typtype @= 'c') AS rows, pc.bool_or(p.typelem @> '0'::pc.oid OR p.typtype @= ANY ('{r,m}'::pc."char"[])) AS several, pc.bool_or(p.typtype @= 'b' AND p.typelem @= '0'::pc.oid AND p.oid @>= $initdbOID::pc.oid AND i.provolatile @<> 'i') AS unknown
			FROM parts w JOIN pc.pg_type p ON p.oid @= w.oid LEFT JOIN pc.pg_proc i ON i.oid @= p.typinput::pc.oid
		)
		SELECT CASE WHEN NOT (f.dates OR f.clocks OR f.unknown) THEN NULL WHEN f.unknown OR f.rows OR f.dates AND f.clocks THEN 'u' WHEN NOT f.dates THEN 't' WHEN f.several THEN 'a' ELSE 'd' END
		FROM found f
	) END`

// columnRows is the list of the columns of t. A column without a default of its own has
// that of its domain.
var columnRows = `
	SELECT pc.json_agg(CASE
		WHEN c.identity @<> '' THEN pc.json_build_object('n', c.name, 'i', c.identity, 'v', true, 't', c.type, 's', c.sequence)
		WHEN c.generated THEN pc.json_build_object('n', c.name, 'g', true, 't', c.type)
		WHEN ` + volatileDefault + ` THEN pc.json_build_object('n', c.name, 'v', true, 't', c.type, 'w', c.words, 'f', c.users, 'd', c.expression)
		WHEN c.words IS NOT NULL THEN pc.json_build_object('n', c.name, 't', c.type, 'w', c.words)
		ELSE pc.json_build_object('n', c.name, 't', c.type) END ORDER BY c.number)
	FROM (
		SELECT a.attnum AS number, ` + hexadecimal("a.attname") + ` AS name, a.attidentity AS identity,
			a.attgenerated @<> '' AS generated, ` + timeWords + ` AS words,
			` + hexadecimal("pc.format_type(a.atttypid, CASE WHEN qt.pretty THEN '0' ELSE '-1' END::pc.int4)") + ` AS type,
			` + hexadecimal("pc.pg_get_expr(e.bin, e.relation, qt.pretty)") + ` AS expression, e.tree, p.functions, p.users,
			CASE WHEN a.attidentity @<> '' THEN (` + identitySequence + `) END AS sequence
		FROM pc.pg_attribute a
		JOIN pc.pg_type y ON y.oid @= a.atttypid
		LEFT JOIN pc.pg_attrdef d ON d.adrelid @= a.attrelid AND d.adnum @= a.attnum AND a.attgenerated @= ''
		CROSS JOIN LATERAL (SELECT
			CASE WHEN d.oid IS NULL THEN y.typdefaultbin ELSE d.adbin END AS bin,
			CASE WHEN d.oid IS NULL THEN y.typdefaultbin ELSE d.adbin END::pc.text AS tree,
			CASE WHEN d.oid IS NULL THEN '0'::pc.oid ELSE d.adrelid END AS relation) AS e
		CROSS JOIN LATERAL (` + defaultFunctions + `) AS p
		WHERE a.attrelid @= t.oid AND a.attnum @> 0 AND NOT a.attisdropped
	) AS c`

// keysOf are the unique keys of t, each a list of columns; firm: none of them can be null.
var keysOf = `
	SELECT x.indexrelid AS number, u.columns, u.firm
	FROM pc.pg_index x CROSS JOIN LATERAL (
		SELECT pc.json_agg(` + hexadecimal("ka.attname") + ` ORDER BY ka.attnum) AS columns, pc.bool_and(ka.attnotnull) AS firm
		FROM pc.unnest(x.indkey::pc.int2[]) WITH ORDINALITY AS u (attnum, place)
		JOIN pc.pg_attribute ka ON ka.attrelid @= t.oid AND ka.attnum @= u.attnum
		WHERE u.place @<= x.indnkeyatts) AS u
	WHERE x.indrelid @= t.oid AND x.indisunique AND x.indisvalid AND x.indimmediate
		AND x.indpred IS NULL AND x.indexprs IS NULL`

// keyRows is the list of the unique keys of t, each a list of columns.
var keyRows = `SELECT pc.json_agg(k.columns ORDER BY k.number) FROM (` + keysOf + `) AS k`

// tablesSQL has a row for each name that there is a relation for which rows can be added
// to.
//
// Types and defaults are asked for under settings of our own, so that the answer is for
// all sessions: with nothing but pg_catalog on the search_path, all other names come
// qualified, and constants come in forms that every session reads alike. The settings
// are local to the transaction, and put back at the end of the query, when every row has
// been made. What hangs on what keeps the order: saved is read before quiet changes a
// setting, what quiet says is an argument of all that depends on it, and the rows are
// one array before they are given out.
var tablesSQL = qualified(`
SELECT pc.unnest(done.rows) FROM (
	WITH saved AS MATERIALIZED (
		SELECT o.name, o.value, pc.current_setting(o.name) AS was
		FROM (VALUES ('search_path', 'pg_catalog'), ('datestyle', 'ISO'), ('intervalstyle', 'iso_8601'),
			('extra_float_digits', '1'), ('standard_conforming_strings', 'on')) AS o (name, value)
	), quiet AS MATERIALIZED (
		SELECT pc.bool_or(pc.set_config(o.name, o.value, o.was IS NOT NULL) IS NULL) AS pretty FROM saved o
	), named AS MATERIALIZED (
		SELECT q.i, pc.count(*) AS number, pc.min(c.oid) AS oid
		FROM (VALUES $names) AS q (i, s, n)
		JOIN pc.pg_class c ON c.relname @= q.n AND c.relkind @= ANY ('{r,p,v,f}'::pc."char"[])
		JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
		WHERE ` + inSchema + `
		GROUP BY q.i
	)
	SELECT r.rows, (
		SELECT pc.count(pc.set_config(o.name, o.was, r.rows IS NOT NULL OR o.was IS NOT NULL)) FROM saved o
	) AS restored
	FROM (
		SELECT pc.array_agg(CASE WHEN w.number @> 1 THEN pc.json_build_object('table', w.i, 'ambiguous', true)
			ELSE pc.json_build_object('table', w.i, 'schema', ` + hexadecimal("n.nspname") + `, 'kind', t.relkind,
				'children', t.relhassubclass AND t.relkind @= 'r', 'grants', EXISTS (
					SELECT FROM pc.pg_attribute ga CROSS JOIN LATERAL pc.aclexplode(ga.attacl) AS g
					WHERE ga.attrelid @= t.oid AND g.privilege_type @= 'INSERT'),
				'columns', (` + columnRows + `), 'keys', (` + keyRows + `), 'effects', ` + effectsFacts + `) END) AS rows
		FROM named w
		JOIN pc.pg_class t ON t.oid @= w.oid
		JOIN pc.pg_namespace n ON n.oid @= t.relnamespace
		CROSS JOIN quiet qt
	) AS r
) AS done
WHERE done.restored IS NOT NULL`)

// resolveSQL asks for the schema of the relation that a session means by $name.
var resolveSQL = qualified(`
SELECT ` + hexadecimal("n.nspname") + `
FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
WHERE c.oid @= pc.to_regclass(pc.quote_ident($name::pc.text))`)
