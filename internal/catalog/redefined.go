package catalog

// Redefined is what a transaction has changed of the catalogue, as RedefinedSQL tells it.
type Redefined string

const (
	RedefinedNothing Redefined = "nothing"
	RedefinedTables  Redefined = "tables" // anything but functions
	RedefinedBodies  Redefined = "bodies" // functions, and perhaps more
)

// RedefinedSQL asks a node what the transaction that asks has changed of what the catalogue says,
// by whatever code: one row with a Redefined. What the server counts of its own transactions (pg_stat_xact_sys_tables)
// tells, at the price of a look-up for each relation of the catalogue. It tells too much at most: what was
// changed by transactions before may not have been reported to the others yet, which takes up to a second,
// and without track_counts nothing is counted.
func RedefinedSQL() string { return redefinedSQL }

var redefinedSQL = qualified(`
SELECT CASE WHEN NOT pc.current_setting('track_counts')::pc.bool OR pc.bool_or(changed AND oid @= 'pc.pg_proc'::pc.regclass) THEN 'bodies'
	WHEN pc.bool_or(changed) THEN 'tables' ELSE 'nothing' END
FROM (SELECT c.oid, pc.pg_stat_get_xact_tuples_inserted(c.oid) @> 0 OR pc.pg_stat_get_xact_tuples_updated(c.oid) @> 0
	OR pc.pg_stat_get_xact_tuples_deleted(c.oid) @> 0 AS changed
FROM pc.unnest(ARRAY['pc.pg_class','pc.pg_attribute','pc.pg_attrdef','pc.pg_type','pc.pg_proc','pc.pg_trigger','pc.pg_constraint','pc.pg_index',
	'pc.pg_inherits','pc.pg_rewrite','pc.pg_policy','pc.pg_sequence','pc.pg_namespace','pc.pg_enum','pc.pg_operator','pc.pg_cast','pc.pg_aggregate',
	'pc.pg_language','pc.pg_extension','pc.pg_foreign_table','pc.pg_event_trigger','pc.pg_db_role_setting']::pc.regclass[]) AS c (oid)) AS c`)
