package sequence

import "strconv"

// insertLockClass is the first key of the advisory locks that go with insert_lock.
const insertLockClass = "1885823849"

// The lock of Pgpool-II's insert_lock: a row of pgpool_catalog.insert_lock where that table
// exists, otherwise the table itself. The row is that of the main node's OID on all nodes, so
// that they hold the same; the advisory lock is what the next main node would have in common
// with the lost one.
var insertLockSQL = qualified(`WITH r AS MATERIALIZED (
	SELECT c.oid, pc.concat(pc.quote_ident(n.nspname), '.', pc.quote_ident(c.relname)) AS name
	FROM pc.pg_class c JOIN pc.pg_namespace n ON n.oid @= c.relnamespace
	WHERE c.oid @= pc.to_regclass($name)::pc.oid
), l AS MATERIALIZED (
	SELECT r.oid, r.name, pc.pg_advisory_xact_lock('$insert'::pc.int4, pc.hashtext(r.name)) IS NULL AS never FROM r
) SELECT l.name, l.oid, pc.to_regclass('pgpool_catalog.insert_lock') IS NOT NULL AND NOT l.never FROM l`)

// InsertLock is the query that begins to lock a table, named as SQL writes it, for inserts.
func InsertLock(table string) string { return fill(insertLockSQL, table, "$insert", insertLockClass) }

// InsertLocked are the statements that finish it, by the row that InsertLock brought from the
// main node.
func InsertLocked(row [][]byte) ([]string, error) {
	if len(row) != 3 {
		return nil, errRow
	}
	oid, err := strconv.ParseUint(string(row[1]), 10, 32)
	if err != nil {
		return nil, errRow
	}
	if string(row[2]) != "t" {
		return []string{"LOCK TABLE " + string(row[0]) + " IN SHARE ROW EXCLUSIVE MODE"}, nil
	}
	number := strconv.FormatUint(oid, 10)
	return []string{
		"INSERT INTO pgpool_catalog.insert_lock (reloid) VALUES (" + number + ") ON CONFLICT DO NOTHING",
		"SELECT 1 FROM pgpool_catalog.insert_lock WHERE reloid OPERATOR(pg_catalog.=) " + number + " FOR UPDATE",
	}, nil
}
