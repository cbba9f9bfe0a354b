package scenario

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgchorus/pgchorus/internal/pgtest"
	"github.com/pgchorus/pgchorus/test/proxy"
)

// TestDDLWithinCodeIsSeen: a default comes by code that a statement sets off. What is remembered of
// the table would leave each node to its own clock.
func TestDDLWithinCodeIsSeen(t *testing.T) {
	t.Parallel()
	const change = "ALTER TABLE stamped ALTER at SET DEFAULT clock_timestamp()"
	tests := []struct{ name, setup, sql string }{
		{"function", "CREATE FUNCTION stamp() RETURNS void LANGUAGE plpgsql AS $$ BEGIN " + change + "; END $$", "SELECT stamp()"},
		{"function in SQL", "CREATE FUNCTION stamp() RETURNS void LANGUAGE sql AS '" + change + "'", "SELECT stamp()"},
		{"text that is put together", "CREATE FUNCTION run(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE t; END $$", "SELECT run('" + change + "')"},
		{"procedure", "CREATE PROCEDURE stamp() LANGUAGE plpgsql AS $$ BEGIN " + change + "; END $$", "CALL stamp()"},
		{"prepared statement", "CREATE FUNCTION stamp() RETURNS void LANGUAGE plpgsql AS $$ BEGIN " + change + "; END $$", "PREPARE p AS SELECT stamp(); EXECUTE p"},
		{"trigger", "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + change + "; RETURN NULL; END $$; " +
			"CREATE TRIGGER stamp AFTER INSERT ON told FOR EACH ROW EXECUTE FUNCTION stamp()", "INSERT INTO told VALUES (1)"},
		{"trigger that puts text together", "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE '" + change + "'; RETURN NULL; END $$; " +
			"CREATE TRIGGER stamp AFTER INSERT ON told FOR EACH ROW EXECUTE FUNCTION stamp()", "INSERT INTO told VALUES (1)"},
		{"in a block", "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE '" + change + "'; RETURN NULL; END $$; " +
			"CREATE TRIGGER stamp AFTER INSERT ON told FOR EACH ROW EXECUTE FUNCTION stamp()", "BEGIN; INSERT INTO told VALUES (1); INSERT INTO stamped (id) VALUES (5); COMMIT"},
	}
	s := newStage(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			conn, other := s.connect(), s.connect()
			s.exec(conn, "DROP TABLE IF EXISTS stamped, told; DROP ROUTINE IF EXISTS stamp, run(text)")
			s.exec(conn, "CREATE TABLE stamped (id int PRIMARY KEY, at timestamptz); CREATE TABLE told (id int PRIMARY KEY); "+tt.setup)
			s.exec(conn, "INSERT INTO stamped (id) VALUES (1)")
			s.exec(other, "INSERT INTO stamped (id) VALUES (2)")
			s.exec(conn, tt.sql)
			s.exec(conn, "INSERT INTO stamped (id) VALUES (3)")
			s.exec(other, "INSERT INTO stamped (id) VALUES (4)")
			s.want(conn, "SELECT count(at) FROM stamped WHERE id < 5", "2")
			s.want(conn, "SELECT count(*) FROM stamped WHERE id = 5 AND at IS NULL", "0")
			s.wantEqual()
		})
	}
}

// TestDynamicTriggerLeavesTheCatalogueKnown: most triggers with EXECUTE choose a partition. Main is asked
// whether one has changed the schema, and nothing else while none has.
func TestDynamicTriggerLeavesTheCatalogueKnown(t *testing.T) {
	t.Parallel()
	nodes := pgtest.Start(t, 3, pgtest.WithSettings(map[string]string{"log_statement": "all"}))
	s := &stage{t: t, nodes: nodes, proxy: proxy.Start(t, nodes)}
	s.proxy.Exec("CREATE DATABASE " + database)
	// Not by pgchorus: servers count what a session has changed up to a second before as if it were new.
	s.onNodes(`CREATE TABLE event (id int PRIMARY KEY, text text); CREATE TABLE event_0 () INHERITS (event); CREATE TABLE event_1 () INHERITS (event);
		CREATE FUNCTION part() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('INSERT INTO event_%s VALUES ($1.*)', NEW.id % 2) USING NEW; RETURN NULL; END $$;
		CREATE TRIGGER part BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION part()`)
	conn, other := s.connect(), s.connect()
	const insert = "INSERT INTO event (id, text) VALUES ($1, 'x')"
	id := 0
	round := func() {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement} {
			for _, c := range []*pgx.Conn{conn, other} {
				id++
				if _, err := c.Exec(bounded(t), insert, mode, id); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	asked := func() (whether, anything int) {
		for _, node := range nodes {
			whether += logged(t, node, "pg_stat_get_xact_tuples_inserted")
			anything += logged(t, node, "SET LOCAL jit = off")
		}
		return whether, anything
	}
	round()
	before, all := asked()
	round()
	round()
	if whether, anything := asked(); whether-before != 8 || anything-all != 8 {
		t.Errorf("main was asked %d times whether the schema has changed, want 8, and %d times in all", whether-before, anything-all)
	}
	s.want(conn, "SELECT count(*) FROM event_0", "6")
	s.wantEqual()
}
