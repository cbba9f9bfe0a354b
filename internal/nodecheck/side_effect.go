package nodecheck

import "fmt"

// kindSideEffect are facts about main's schema, which are not compared: data and schema are package verify's.
const kindSideEffect = "side effect"

// SideEffect is code of users that may change tables, and that a statement may set off which does not name it:
// behind an operator, a cast, a policy of row security, or a view whose function is not labelled VOLATILE. The statement is a
// read by all that it says, and one node runs it.
type SideEffect struct {
	Database string
	// Behind is what statements use, and Functions are those that it calls.
	Behind, Functions string
}

// String says so in a line.
func (e SideEffect) String() string {
	return fmt.Sprintf("%s in database %s calls %s, which may change tables: a read that uses it changes them on one node", e.Behind, e.Database, e.Functions)
}

// Remedy is what an operator can do about it.
func (SideEffect) Remedy() string {
	return "have statements call the function by its name, and label it VOLATILE"
}

// sideEffectQuery follows the text of functions four calls deep. Text that is put together may do anything.
const sideEffectQuery = `
WITH RECURSIVE code AS MATERIALIZED (
	SELECT p.oid, lower(proname) || '(' AS call, provolatile, lower(pg_get_functiondef(p.oid)) AS text
	FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE p.oid >= 16384 AND prokind IN ('f', 'p') AND lanname NOT IN ('internal', 'c')),
reached AS (
	SELECT d.classid, d.objid, c.oid AS first, c.oid, c.text, 1 AS depth FROM pg_depend d JOIN code c ON c.oid = d.refobjid
	WHERE d.refclassid = 'pg_proc'::regclass AND (d.classid IN ('pg_operator'::regclass, 'pg_cast'::regclass, 'pg_policy'::regclass)
		OR d.classid = 'pg_rewrite'::regclass AND c.provolatile <> 'v')
	UNION
	SELECT r.classid, r.objid, r.first, c.oid, c.text, r.depth + 1 FROM reached r JOIN code c ON c.oid <> r.oid AND strpos(r.text, c.call) > 0 WHERE r.depth < 4)
SELECT 'side effect', pg_describe_object(classid, objid, 0), string_agg(DISTINCT first::regprocedure::text, ', ') FROM reached
WHERE text ~ '\m(insert\s+into|delete\s+from|merge\s+into|update\s+[^;]+\sset|truncate|execute|nextval|setval)\M' GROUP BY classid, objid ORDER BY 2 LIMIT 1000`

// sideEffects takes the facts about side effects out of the others.
func (fs Facts) sideEffects() (effects []SideEffect, others Facts) {
	for _, f := range fs {
		if f.Kind == kindSideEffect {
			effects = append(effects, SideEffect{Database: f.Database, Behind: f.Name, Functions: f.Value})
		} else {
			others = append(others, f)
		}
	}
	return effects, others
}
