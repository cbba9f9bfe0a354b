package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/config"
	"github.com/pgchorus/pgchorus/internal/pgtest"
)

// TestPreparedWriteFollowsItsTable: the table, a default, or the default of a domain becomes another one behind the
// statement's back. Every answer is that of a table that was there from the beginning, and the nodes stay equal.
func TestPreparedWriteFollowsItsTable(t *testing.T) {
	t.Parallel()
	for _, mode := range []config.ClusteringMode{config.NativeReplication, config.SnapshotIsolation} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			s := newStageIn(t, mode)
			s.onNodes("CREATE TABLE src (k int PRIMARY KEY, grp int); INSERT INTO src VALUES (1, 1), (2, 1)")
			for _, sql := range []string{"INSERT INTO told (k) SELECT k FROM src WHERE grp = 1", "INSERT INTO told (k) VALUES (1), (2)", "INSERT INTO told (k) VALUES (1)"} {
				followTable(t, s, sql)
			}
		})
	}
}

const toldTables = "DROP TABLE IF EXISTS told, told2 CASCADE; DROP DOMAIN IF EXISTS moment; CREATE DOMAIN moment timestamptz; " +
	"CREATE TABLE told (k int PRIMARY KEY, day moment, at timestamptz DEFAULT clock_timestamp()); CREATE TABLE told2 (k int PRIMARY KEY, day moment, at timestamptz)"

func followTable(t *testing.T, s *stage, sql string) {
	other, conn := s.connect(), s.connect()
	s.exec(other, toldTables)
	s.exec(conn, "PREPARE told AS "+sql)
	if _, err := conn.Prepare(bounded(t), "parsed", sql); err != nil {
		t.Fatal(err)
	}
	both := func(what, day, at string) {
		t.Helper()
		for _, execute := range []string{"EXECUTE told", "parsed"} {
			var err error
			if execute == "parsed" {
				err = conn.PgConn().ExecPrepared(bounded(t), execute, nil, nil, nil).Read().Err
			} else {
				_, err = conn.Exec(bounded(t), execute, pgx.QueryExecModeSimpleProtocol)
			}
			if err != nil {
				t.Errorf("%s behind %s: %s: %v", sql, what, execute, err)
			}
			pgtest.WantEqual(t, s.nodes...)
			s.want(conn, "SELECT bool_and(day IS NOT NULL), bool_and(at IS NOT NULL) FROM told", day+"|"+at)
			s.exec(other, "DELETE FROM told") // TRUNCATE would end the plans of the nodes
		}
	}
	for _, step := range []struct{ ddl, day, at string }{
		{"SELECT 1", "f", "t"}, {"ALTER TABLE told ALTER at DROP DEFAULT", "f", "f"}, {toldTables, "f", "t"},
		{"ALTER TABLE told RENAME TO told3; ALTER TABLE told2 RENAME TO told; ALTER TABLE told3 RENAME TO told2", "f", "f"}, {toldTables, "f", "t"},
		{"ALTER DOMAIN moment SET DEFAULT clock_timestamp()", "t", "t"}, {"ALTER DOMAIN moment DROP DEFAULT", "f", "t"}, {"ALTER TABLE told ALTER at DROP DEFAULT", "f", "f"},
		{"ALTER DOMAIN moment SET DEFAULT '2026-01-01'", "t", "f"}, {"ALTER DOMAIN moment SET DEFAULT clock_timestamp()", "t", "f"}, {"ALTER DOMAIN moment DROP DEFAULT", "f", "f"},
	} {
		s.exec(other, step.ddl)
		both(step.ddl, step.day, step.at)
	}
}
