package catalog

import (
	"strconv"
	"strings"
)

// maxImpact bounds how many relations are named for one.
const maxImpact = 256

// ownCode is true if the object has an expression that calls a function which initdb did
// not make: such calls are noted in pg_depend, those of PostgreSQL's own are not.
func ownCode(class, objects string) string {
	return `EXISTS (SELECT FROM pc.pg_depend d WHERE d.classid @= 'pg_catalog.` + class + `'::pc.regclass
		AND d.refclassid @= 'pg_catalog.pg_proc'::pc.regclass AND d.objid @= ANY (ARRAY(` + objects + `)))`
}

// impactSQL has a row for each name that there is a relation for.
var impactSQL = qualified(strings.ReplaceAll(`
SELECT pc.json_build_object('impact', q.i, 'reads', f.reads, 'writes', f.writes, 'unknown', f.unknown, 'more', f.more)
FROM (VALUES $names) AS q (i, s, n) CROSS JOIN LATERAL (
	WITH RECURSIVE below (oid) AS (
		SELECT c.oid FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
		WHERE c.relname @= q.n AND c.relkind @= ANY ('{r,v,m,p,f}'::pc."char"[]) AND `+inSchema+`
		UNION
		SELECT e.oid FROM below w CROSS JOIN LATERAL (
			SELECT u.oid FROM `+readBy(definition)+`
			UNION ALL
			SELECT u.oid FROM `+readBy(conditions)+`
			UNION ALL
			SELECT h.inhrelid FROM pc.pg_inherits h WHERE h.inhparent @= w.oid
			LIMIT (SELECT $maxWalk)
		) AS e (oid)
	), after (oid) AS (
		SELECT w.oid FROM below w
		UNION
		SELECT e.oid FROM after w CROSS JOIN LATERAL (
			SELECT k.conrelid FROM pc.pg_constraint k WHERE k.confrelid @= w.oid AND k.contype @= 'f'
				AND (k.confupdtype @= ANY ('{c,n,d}'::pc."char"[]) OR k.confdeltype @= ANY ('{c,n,d}'::pc."char"[]))
			UNION ALL
			SELECT h.inhrelid FROM pc.pg_inherits h WHERE h.inhparent @= w.oid
			LIMIT (SELECT $maxWalk)
		) AS e (oid)
	), read AS (
		SELECT DISTINCT c.relname FROM below w JOIN pc.pg_class c ON c.oid @= w.oid LIMIT (SELECT $maxImpact)
	), written AS (
		SELECT w.oid FROM after w LIMIT (SELECT $maxWalk)
	), names AS (
		SELECT DISTINCT c.relname FROM written w JOIN pc.pg_class c ON c.oid @= w.oid LIMIT (SELECT $maxImpact)
	)
	SELECT (SELECT pc.json_agg(`+hexadecimal("r.relname")+`) FROM read r) AS reads,
		(SELECT pc.json_agg(`+hexadecimal("r.relname")+`) FROM names r) AS writes,
		(SELECT pc.count(*) FROM names) @>= $maxImpact OR (SELECT pc.count(*) FROM written) @>= $maxWalk AS more,
		EXISTS (SELECT FROM pc.pg_trigger t JOIN written w ON w.oid @= t.tgrelid WHERE NOT t.tgisinternal AND t.tgenabled @<> 'D')
		OR EXISTS (SELECT FROM pc.pg_rewrite r JOIN written w ON w.oid @= r.ev_class WHERE r.ev_type @<> '1')
		OR EXISTS (SELECT FROM pc.pg_class c JOIN written w ON w.oid @= c.oid WHERE c.relkind @= 'f')
		OR `+ownCode("pg_attrdef", `SELECT a.oid FROM pc.pg_attrdef a JOIN written w ON w.oid @= a.adrelid`)+`
		OR `+ownCode("pg_constraint", `SELECT k.oid FROM pc.pg_constraint k JOIN written w ON w.oid @= k.conrelid`)+`
		OR `+ownCode("pg_policy", `SELECT p.oid FROM pc.pg_policy p JOIN written w ON w.oid @= p.polrelid`)+`
		OR `+ownCode("pg_rewrite", `SELECT r.oid FROM pc.pg_rewrite r JOIN written w ON w.oid @= r.ev_class`)+` AS unknown
	WHERE EXISTS (SELECT FROM below)
) AS f`, "$maxImpact", strconv.Itoa(maxImpact)))
