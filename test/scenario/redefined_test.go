package scenario

import (
	"testing"
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
			s.want(conn, "SELECT count(at) FROM stamped", "2")
			s.wantEqual()
		})
	}
}
