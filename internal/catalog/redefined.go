package catalog

// RedefinedSQL asks a node whether the transaction that asks has changed what the catalogue says,
// by whatever code: "t" or "f". What the server counts of its own transactions (pg_stat_xact_sys_tables)
// tells, at the price of a look-up for each relation of the catalogue. It errs to "t" only: what was
// changed by transactions before may not have been reported to the others yet, which takes up to a second,
// and without track_counts nothing is counted.
func RedefinedSQL() string { return redefinedSQL }

var redefinedSQL = qualified(`
SELECT NOT pc.current_setting('track_counts')::pc.bool OR pc.bool_or(
	pc.pg_stat_get_xact_tuples_inserted(c.oid) @> 0 OR pc.pg_stat_get_xact_tuples_updated(c.oid) @> 0 OR pc.pg_stat_get_xact_tuples_deleted(c.oid) @> 0)
FROM pc.unnest(ARRAY['pc.pg_class','pc.pg_attribute','pc.pg_attrdef','pc.pg_type','pc.pg_proc','pc.pg_trigger','pc.pg_constraint','pc.pg_index',
	'pc.pg_inherits','pc.pg_rewrite','pc.pg_policy','pc.pg_sequence','pc.pg_namespace','pc.pg_enum','pc.pg_operator','pc.pg_cast','pc.pg_aggregate',
	'pc.pg_language','pc.pg_extension','pc.pg_foreign_table','pc.pg_event_trigger','pc.pg_db_role_setting']::pc.regclass[]) AS c (oid)`)

// DefinedSQL asks a node what the transaction that asks has defined, changed and dropped, to be compared with others that
// have run the same: how many locks of which kind it holds that DDL takes (lockdefs.h: stronger than ROW EXCLUSIVE). They
// are held up to the end of the transaction, also on what is gone.
func DefinedSQL() string { return definedSQL }

var definedSQL = qualified(`
SELECT pc.string_agg(pc.concat_ws(' ', k.locktype, k.classid, k.mode, k.held), ',' ORDER BY k.locktype, k.classid, k.mode) FROM (
	SELECT l.locktype, l.classid, l.mode, pc.count(*) AS held FROM pc.pg_locks l
	WHERE l.pid @= pc.pg_backend_pid() AND l.locktype @= ANY ('{relation,object}') AND l.mode @<> ALL ('{AccessShareLock,RowShareLock,RowExclusiveLock}')
	GROUP BY l.locktype, l.classid, l.mode) AS k`)
