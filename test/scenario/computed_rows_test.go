package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// computedSchema has tables whose rows cannot be told by RETURNING and a key, and code that computes values.
const computedSchema = `
CREATE FUNCTION moment() RETURNS timestamptz LANGUAGE plpgsql AS 'BEGIN RETURN clock_timestamp(); END';
CREATE FUNCTION liar() RETURNS timestamptz STABLE LANGUAGE plpgsql AS 'BEGIN RETURN clock_timestamp(); END';
CREATE TABLE src (k int PRIMARY KEY, n int); INSERT INTO src SELECT i, i FROM generate_series(1, 5) i;
CREATE TABLE log (what text, k int, at timestamptz);
CREATE TABLE keyed (k int PRIMARY KEY, at timestamptz DEFAULT moment());
CREATE TABLE numbered (id serial PRIMARY KEY, k int, at timestamptz DEFAULT moment());
CREATE TABLE ruled (k int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp());
CREATE RULE noted AS ON DELETE TO ruled DO ALSO INSERT INTO log VALUES ('rule', OLD.k, clock_timestamp());
CREATE TABLE late (k int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, at timestamptz DEFAULT clock_timestamp());
CREATE VIEW shown AS SELECT k, at FROM keyed;
CREATE VIEW computing AS SELECT k, moment() AS at FROM src; CREATE VIEW clocked AS SELECT k, clock_timestamp() AS at FROM src;
CREATE VIEW deeper AS SELECT k, at FROM clocked; CREATE VIEW young AS SELECT k FROM src WHERE clock_timestamp() < now() + interval '1 hour';
CREATE VIEW few AS SELECT k, n FROM src LIMIT 3;
`

// TestWhatAStatementComputesForItsRowsIsMains: where main cannot return the rows, it is asked for them.
func TestWhatAStatementComputesForItsRowsIsMains(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"backend_clustering_mode = native_replication", "backend_clustering_mode = snapshot_isolation", "set_write_strategy = lock", "pool_mode = transaction"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, proxy.WithConfig(line))
			s.onNodes(computedSchema)
			bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) { playComputedRows(t, s.in(t), mode) })
		})
	}
}

func playComputedRows(t *testing.T, s *stage, mode pgx.QueryExecMode) {
	conn := s.connect()
	for _, sql := range []string{
		"INSERT INTO log SELECT 'view', k, at FROM computing", "INSERT INTO log SELECT 'view', k, at FROM deeper", "INSERT INTO log SELECT 'some', k, NULL FROM few",
		"INSERT INTO log SELECT 'young', k, NULL FROM young", "UPDATE keyed SET at = c.at FROM computing c WHERE c.k = keyed.k",
		"INSERT INTO log SELECT 'function', k, moment() FROM src", "INSERT INTO log SELECT 'liar', k, liar() FROM src", "INSERT INTO log VALUES ('liar', 1, liar())",
		"INSERT INTO keyed SELECT k FROM src", "INSERT INTO shown SELECT k + 10 FROM src", "UPDATE shown SET at = moment() WHERE k > 10", "DELETE FROM shown WHERE k = 12",
		"INSERT INTO late SELECT k FROM src", "INSERT INTO numbered (k) SELECT k FROM src",
		"INSERT INTO ruled SELECT k FROM src", "UPDATE ruled SET at = clock_timestamp()", "DELETE FROM ruled WHERE k = 2",
		"MERGE INTO keyed USING src ON src.k + 3 = keyed.k WHEN MATCHED AND src.k = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET at = clock_timestamp() WHEN NOT MATCHED THEN INSERT (k) VALUES (src.k + 3)",
		"WITH x AS (INSERT INTO keyed SELECT k + 100, clock_timestamp() FROM src RETURNING k, at) INSERT INTO log SELECT 'with', k, at FROM x",
		"BEGIN", "INSERT INTO log SELECT 'block', k, at FROM clocked", "UPDATE shown SET at = moment() WHERE k = 11", "INSERT INTO ruled SELECT k + 20 FROM src", "DELETE FROM ruled", "COMMIT",
		"TRUNCATE keyed, late, ruled, numbered",
	} {
		if _, err := conn.Exec(bounded(t), sql, mode); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		if conn.PgConn().TxStatus() == 'I' {
			pgtest.WantEqual(t, s.nodes...)
		}
	}
	s.want(conn, "SELECT count(*) FROM log WHERE what = 'view'", "10")
	s.exec(conn, "TRUNCATE log")
}
