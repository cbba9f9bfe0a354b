package main

import "path/filepath"

// scripts are the files that pgbench reads, by their names.
func scripts() map[string]string {
	return map[string]string{
		// One row by its primary key, in a transaction of its own.
		"update.sql": `\set aid random(1, 100000 * :scale)
\set delta random(-5000, 5000)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
`,
		// All clients want the same row.
		"hot-row.sql": `\set delta random(-5000, 5000)
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = 1;
`,
		"insert.sql": `\set id random(1, 1000000000)
INSERT INTO bench_insert (id, payload) VALUES (:id, 'abcdefghijklmnopqrst');
`,
		// The number comes from a sequence, which the nodes have to agree about.
		"insert-serial.sql": `INSERT INTO bench_serial (payload) VALUES ('abcdefghijklmnopqrst');
`,
		// Rows that are found by a condition, which is not a whole key.
		"range-update.sql": `\set aid random(1, 100000 * :scale - 4)
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid BETWEEN :aid AND :aid + 4;
`,
		// A trigger notes the change in another table, with the time.
		"trigger.sql": `\set id random(1, 1000)
UPDATE bench_noted SET value = value + 1 WHERE id = :id;
`,
		// About 100 kB.
		"rows.sql": `\set aid random(1, 100000 * :scale - 999)
SELECT * FROM pgbench_accounts WHERE aid BETWEEN :aid AND :aid + 999;
`,
		// So few texts that all of them are in a cache after a moment.
		"hit.sql": `\set aid random(1, 100)
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
`,
	}
}

// tables are what the scripts need besides pgbench's own.
const tables = `CREATE TABLE bench_copy (id bigint, payload text);
CREATE TABLE bench_insert (id bigint, payload text);
CREATE TABLE bench_serial (id bigserial PRIMARY KEY, payload text);
CREATE TABLE bench_noted (id int PRIMARY KEY, value int);
INSERT INTO bench_noted SELECT i, 0 FROM generate_series(1, 1000) AS i;
CREATE TABLE bench_note (id int, old int, new int, noted timestamptz);
CREATE FUNCTION bench_note() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN INSERT INTO bench_note VALUES (NEW.id, OLD.value, NEW.value, clock_timestamp()); RETURN NEW; END';
CREATE TRIGGER note AFTER UPDATE ON bench_noted FOR EACH ROW EXECUTE FUNCTION bench_note()`

// writeScripts writes the files that pgbench and psql read.
func (b *bench) writeScripts() error {
	for name, text := range scripts() {
		if err := b.writeFile(filepath.Join(b.cluster.Dir, name), text); err != nil {
			return err
		}
	}
	return writeRows(filepath.Join(b.cluster.Dir, copyFile), copyRows)
}
