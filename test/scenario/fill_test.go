package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestFilledRowsAreTheSameOnAllNodes: what numbers or makes up rows while it runs does the same
// on all nodes, or nothing.
func TestFilledRowsAreTheSameOnAllNodes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		s.exec(conn, "DROP MATERIALIZED VIEW IF EXISTS big; DROP TABLE IF EXISTS item, sample, none CASCADE")
		s.exec(conn, "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 100)")
		for _, sql := range []string{
			"ALTER TABLE item ADD COLUMN n serial",
			"ALTER TABLE item ADD COLUMN i int GENERATED ALWAYS AS IDENTITY, ADD chance float8 DEFAULT random()",
			"ALTER TABLE item ALTER chance TYPE text USING chance::text || random()::text",
			"ALTER TABLE IF EXISTS nothing ADD COLUMN n serial",
			"CREATE TABLE none (id int)",
			"ALTER TABLE none ADD COLUMN u uuid DEFAULT gen_random_uuid()",
			"CREATE TABLE sample AS SELECT id, random() AS r FROM item WHERE random() < 0.5",
			"SELECT id, random() AS r INTO TEMP temporary FROM item",
			"CREATE MATERIALIZED VIEW big AS SELECT id, random() AS r FROM item",
			"REFRESH MATERIALIZED VIEW big",
		} {
			if err := runBy(t, conn, mode, sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		s.want(conn, "SELECT count(*), count(DISTINCT n), max(i), count(DISTINCT chance) FROM item", "100|100|100|100")
		s.wantEqual()
	})
}

// TestRowsThatAreFilledDifferentlyAreNotCommitted: rows that lie in another order on a node are
// numbered otherwise there, and UUIDs are each node's own. Put in one order before, rows get the same numbers.
func TestRowsThatAreFilledDifferentlyAreNotCommitted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		s.exec(conn, "DROP TABLE IF EXISTS item, copy; CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 10)")
		direct(s.nodes[1], "UPDATE item SET id = id WHERE id = 3 RETURNING id")
		for sql, want := range map[string]string{
			"ALTER TABLE item ADD COLUMN n serial":                         "0A000",
			"ALTER TABLE item ADD COLUMN u uuid DEFAULT gen_random_uuid()": "0A000",
			"CREATE TABLE copy AS SELECT gen_random_uuid() FROM item":      "40001",
		} {
			if err := runBy(t, conn, mode, sql); codeOf(err) != want {
				t.Errorf("%s: %v, want %s", sql, err, want)
			}
		}
		s.exec(conn, "BEGIN")
		if err := runBy(t, conn, mode, "ALTER TABLE item ADD COLUMN n serial"); codeOf(err) != "0A000" {
			t.Errorf("in a block: %v", err)
		}
		s.exec(conn, "ROLLBACK")
		s.wantEqual()
		s.exec(conn, "BEGIN; CLUSTER item USING item_pkey; ALTER TABLE item ADD COLUMN n serial; COMMIT")
		s.want(conn, "SELECT count(*) FROM item WHERE n = id", "10")
		s.wantEqual()
	})
}

// TestWhatARefusedStatementWasGivenIsGivenOutAgain: a statement with a fault leaves no gap.
func TestWhatARefusedStatementWasGivenIsGivenOutAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		s.exec(conn, "DROP TABLE IF EXISTS numbered; CREATE TABLE numbered (id serial, small smallint)")
		for _, sql := range []string{"INSERT INTO numbered (small) VALUES (99999)", "INSERT INTO numbered (small) VALUES (1) RETURNING nothing"} {
			if err := runBy(t, conn, mode, sql); err == nil {
				t.Errorf("%s: no error", sql)
			}
		}
		s.exec(conn, "INSERT INTO numbered (small) VALUES (1)")
		s.want(conn, "SELECT id FROM numbered", "1")
		s.wantEqual()
	})
}

// TestTemporarySequenceIsTheSessionsOwn, although its schema has another number on each node.
func TestTemporarySequenceIsTheSessionsOwn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	other := s.nodes[1].ConnectTo(database)
	if _, err := other.Exec(t.Context(), "CREATE TEMP TABLE takes_the_first_number (id int)"); err != nil {
		t.Fatal(err)
	}
	bothProtocols(t, func(t *testing.T, mode pgx.QueryExecMode) {
		s := s.in(t)
		conn := s.connect()
		s.exec(conn, "CREATE TEMP SEQUENCE own")
		for _, sql := range []string{"SELECT nextval('own')", "SELECT nextval('own') FROM generate_series(1, 3)", "SELECT setval('own', 10)"} {
			if err := runBy(t, conn, mode, sql); err != nil {
				t.Errorf("%s: %v", sql, err)
			}
		}
		s.want(conn, "SELECT nextval('own')", "11")
	})
}
